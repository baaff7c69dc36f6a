// Where each recipient of a transaction goes from here. Pure: whoever asks knows the circumstances, and does
// what is said.
#pragma once

#include <cstdint>
#include <vector>

#include "relay/delivery/meaning.h"
#include "relay/queue/job.h"

namespace postern::relay {

enum class Way : std::uint8_t {
    settle,         // its outcome holds
    fresh,          // at once over a fresh connection: this one was not fit for it
    line,           // at once, first in the same line
    bare,           // the same, without the parameters that were not taken
    other_address,  // at once from another of our addresses
    other_host,     // another host of the site is asked at once (RFC 5321 §5.1)
};

/// What came of a transaction, one of each for each recipient of its job.
struct Results {
    std::vector<Outcome> outcomes;
    std::vector<Meaning> meanings;
    std::vector<bool> listed;  // refused for our address and not for the mail; empty for nobody

    std::size_t size() const { return outcomes.size(); }
    bool delivered() const;
    /// The part of those that are marked, taken out of this one.
    Results take(const std::vector<bool>& apart);
};

/// What is known besides the replies.
struct Circumstances {
    bool last_word = false;      // nobody else is asked: neither over a fresh connection nor at another host
    bool suspected = false;      // all of it may have been refused for our address
    bool other_address = false;  // another of ours can be tried
    bool other_host = false;     // the site has another, and does not ask for less as a whole
};

/// One for each recipient. The first rule that fits holds: a session that was not fit; recipients beyond what
/// one transaction takes, as long as there is progress; parameters; our address; another host for what was
/// deferred by a reply, when nothing of the transaction is tried afresh.
std::vector<Way> sort_recipients(const Results& results, const Circumstances& circumstances);

/// Which of them go that way; empty for none.
std::vector<bool> marked(const std::vector<Way>& ways, Way which);

}  // namespace postern::relay
