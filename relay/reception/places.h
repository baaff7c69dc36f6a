// Who may have how many sessions: nobody, a stranger or a primary, keeps the others out by holding them.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "relay/reception/refusal.h"
#include "relay/settings.h"

namespace postern::relay {

/// "192.0.2.0/24" or "2001:db8:0:1::/64" of an address literal: whose they are is one hand.
std::string network_of(std::string_view client);

/// What the screening gateway is called here: no primary can be.
inline constexpr std::string_view screening_place = " screening";

/// Of `accept.connections`, half is shared out evenly and kept for the primaries; strangers have a quarter at
/// most, one network of theirs a fifth of that, one address a tenth.
class Places {
public:
    /// nullopt: taken, give_back() follows with the same arguments. `primary` is "" for a stranger; the
    /// screening gateway has places as a primary has.
    std::optional<Rule> take(const Settings& settings, const std::string& primary, const std::string& client);
    void give_back(const std::string& primary, const std::string& client);

    std::size_t taken() const { return taken_; }

private:
    std::size_t held(const std::string& key) const;
    void change(const std::string& key, int by);

    /// By primaries, strangers' addresses and networks; none is zero.
    std::map<std::string, std::size_t> held_;
    std::size_t taken_ = 0, strangers_ = 0;
};

}  // namespace postern::relay
