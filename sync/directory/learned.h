// What primaries said about single addresses since the domains were last read: laid over a Snapshot.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sync/directory/kind.h"
#include "sync/directory/verdict.h"

namespace postern::sync {

/// "No such address" is believed for so long; an address that exists until its domain has been read again.
constexpr std::chrono::seconds absence_lasts{60};
/// An address in a domain that is in no list of domains yet; by then the list has been read again.
constexpr std::chrono::seconds newness_lasts{3600};

/// Where nothing is read: an address that exists is asked about again after so long, once it has mail. Until
/// there is an answer it stays good.
constexpr std::chrono::seconds presence_lasts{4 * 3600};

struct Answer {
    std::string local_part, domain;  // lower case, without "+folder"; the domain itself, not an alias of it
    std::optional<Kind> kind;        // nullopt: there is no such address
    Time asked;                      // when the question was put

    bool fresh(Time now) const { return kind || now - asked < absence_lasts; }
};

/// Immutable; find() does not allocate.
class Learned final {
public:
    /// One answer for each address, at most limits::learned: the oldest go.
    explicit Learned(std::vector<Answer> answers);

    /// `local_part` in any case; `domain` as in Answer. nullptr: nothing is known.
    const Answer* find(std::string_view local_part, std::string_view domain) const;

    const std::vector<Answer>& answers() const { return answers_; }

private:
    struct Place {
        std::uint32_t hash = 0, index = 0;
    };
    std::vector<Answer> answers_;
    std::vector<Place> places_;  // by hash
};

}  // namespace postern::sync
