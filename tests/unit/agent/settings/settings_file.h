// A sound file of settings, and the faults of others.
#pragma once

#include <string>
#include <vector>

#include "agent/settings/settings.h"

namespace postern::tests {

using namespace agent;

inline const std::string sound = R"(
hostname = "gw1.example.net"
[[listener]]
address = "127.0.0.1:2525"
[[primary]]
name = "main"
url = "https://mail.example.com"
username = "gateway"
password_file = "/etc/postern/secrets/main"
addresses = ["192.0.2.10", "2001:db8::/64"]
)";

inline std::vector<std::string> lines(const ParsedConfiguration& parsed) {
    std::vector<std::string> result;
    for (const auto& fault : parsed.faults) result.push_back(fault.line("postern.toml"));
    return result;
}

/// The lines of all faults of the sound file with `more` behind it.
inline std::vector<std::string> faults_with(const std::string& more) {
    return lines(parse_settings(sound + more));
}

}  // namespace postern::tests
