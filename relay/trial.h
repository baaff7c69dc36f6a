// What `postern check --online` finds out by trying: a pure question to the world, no mail is sent.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "relay/settings.h"

namespace postern::relay {

struct Finding {
    enum class Result : std::uint8_t { ok, warning, failed };
    std::string what;  // "gateway archive", "egress 192.0.2.20", "dns", "port 25"
    Result result = Result::ok;
    std::string text;    // what was seen
    std::string advice;  // what to do about it, "" when all is well
};

/// Name servers answer; each enabled gateway connects, secures, authenticates and takes MAIL and RCPT (then
/// RSET); port 25 of the outside can be reached from each egress address; each has a reverse name that leads
/// back to it and is its EHLO name, and is on none of the blocklists. `from` and `to` are used for MAIL and
/// RCPT. Blocks for as long as the settings' timeouts allow, at most `patience` in all.
std::vector<Finding> try_out(const SettingsPtr& settings, const std::string& from, const std::string& to,
                             std::chrono::seconds patience);

}  // namespace postern::relay
