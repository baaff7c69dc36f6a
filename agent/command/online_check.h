// `postern check --online`: what only trying can tell.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "agent/settings/settings.h"
#include "relay/trial.h"
#include "sync/base/clock.h"

namespace postern::agent {

/// What will be tried, as Finding::what.
std::vector<std::string> tried_online(const Settings& settings);

/// Everything relay::try_out() tries, the sign-in to each primary's web services, and what the own
/// certificate and the keys of the root are good for; all beside each other, within half a minute. `from` and
/// `to` are for MAIL and RCPT at the gateways; "" for postmaster at our hostname. `told` is called for each
/// finding as soon as it is known, one call at a time.
std::vector<relay::Finding> check_online(
    const Settings& settings, const base::Clock& clock, const std::string& from, const std::string& to,
    const std::function<void(const relay::Finding&)>& told = [](const relay::Finding&) {});

/// A table for people that grows by a line with each finding.
class FindingTable {
public:
    explicit FindingTable(const std::vector<std::string>& names);
    std::string heading() const;
    std::string line(const relay::Finding& finding) const;

private:
    std::string row(const std::string& what, const std::string& result, const std::string& seen) const;

    std::size_t width_;
};

/// "trying dns, hostname ...", for who waits.
std::string trying(const std::vector<std::string>& names);

/// Stands under the table; "" when there is nothing to do.
std::string what_to_do(const std::vector<relay::Finding>& findings);

bool all_right(const std::vector<relay::Finding>& findings);  // nothing failed; warnings may be

}  // namespace postern::agent
