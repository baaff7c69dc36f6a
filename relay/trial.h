// What `postern check --online` finds out by trying: a pure question to the world, no mail is sent.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "relay/finding.h"
#include "relay/settings.h"
#include "sync/base/clock.h"

namespace postern::relay {

struct TrialOptions {
    std::string from, to;               // for MAIL and RCPT at the gateways
    std::chrono::seconds patience{30};  // for all of it
    /// Called for each finding as soon as there is one, on the thread that tries.
    std::function<void(const Finding&)> told = [](const Finding&) {};
};

/// What try_out() will try, as in Finding::what.
std::vector<std::string> what_is_tried(const Settings& settings);

/// All beside each other, each within the time given: name servers answer; the hostname leads to this
/// machine; listeners can be bound, or this gateway answers there; each enabled gateway connects, secures,
/// authenticates and takes MAIL and RCPT (then RSET); each primary's deliver_to is an SMTP server and not
/// this gateway; port 25 of the outside can be reached from each address mail leaves from; each has a reverse
/// name that leads back to it and is its EHLO name, and is on none of the blocklists. In the order of
/// what_is_tried(). Blocks.
std::vector<Finding> try_out(const SettingsPtr& settings, const TrialOptions& options,
                             const base::Clock& clock);

}  // namespace postern::relay
