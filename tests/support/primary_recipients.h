// What the primary says at RCPT: the SMTP side of the double, as a pure function of the world it shows.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace postern::tests {

/// A domain as it is compared: A-labels, lower case.
std::string a_labels(const std::string& domain);

/// Whether mail to `address`, as it stands between the angle brackets of RCPT TO (RFC 5321 §4.1.2, quoted
/// local parts too), is taken. `world` as in README.md; what one generation of the web services cannot say
/// counts here all the same. False for what is no address.
bool accepts(const nlohmann::json& world, std::string_view address);

}  // namespace postern::tests
