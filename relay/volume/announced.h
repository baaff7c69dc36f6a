// Mailings that were announced: more than the limits allow, and nothing unusual.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "sync/base/clock.h"

namespace postern::relay {

/// Times are steady ones. A value.
class Announced {
public:
    struct Mailing {
        std::string who;  // a user or a domain, in lower case
        std::uint64_t left = 0;
        base::Time until;
        /// When it was announced, at whichever of several gateways: milliseconds since 1970 by its clock.
        std::uint64_t announced = 0;
        bool withdrawn = false;
    };
    static constexpr std::size_t most = 10'000;  // at once

    /// Instead of what was announced for it before; 0 recipients: nothing is. False when there are too many.
    bool expect(const std::string& who, std::uint64_t recipients, base::Time until,
                std::uint64_t announced = 0);
    /// What was announced at another gateway, unless something later was here. Of the same mailing less is
    /// left.
    void hear(const Mailing& theirs, base::Time now);
    /// One recipient of the user's, or of the domain's, mailing: whose, "" when none is expected.
    std::string take(const std::string& user, const std::string& domain, base::Time now);
    void give_back(const std::string& who, std::uint64_t recipients);
    /// So many of the user's, or of the domain's, were sent through another gateway.
    void spend(const std::string& user, const std::string& domain, std::uint64_t recipients, base::Time now);
    std::vector<Mailing> all(base::Time now);
    /// With those that were withdrawn.
    std::vector<Mailing> told(base::Time now);

    void write(std::string& out) const;
    /// A line of write(); false for any other.
    bool read(std::string_view line);

private:
    std::map<std::string, Mailing> mailings_;
};

}  // namespace postern::relay
