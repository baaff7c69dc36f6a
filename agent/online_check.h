// `postern check --online`: what only trying can tell.
#pragma once

#include <string>
#include <vector>

#include "agent/settings.h"
#include "relay/trial.h"

namespace postern::agent {

/// Everything relay::try_out() tries, and the sign-in to each primary's web services. `from` and `to` are
/// for MAIL and RCPT at the gateways; "" for postmaster at our hostname. Blocks for minutes at worst.
std::vector<relay::Finding> check_online(const Settings& settings, const std::string& from,
                                         const std::string& to);

/// As a table for people, with what to do under it.
std::string present_findings(const std::vector<relay::Finding>& findings);

bool all_right(const std::vector<relay::Finding>& findings);  // nothing failed; warnings may be

}  // namespace postern::agent
