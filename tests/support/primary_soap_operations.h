// The operations of the primary's SOAP services as version 10 has them, so that the double can tell one it
// does not play from one that does not exist.
#pragma once

#include <string>
#include <vector>

namespace postern::tests::soap {

/// How the credential pair is spelt: not at all, AuthUserName, or authUsername.
enum class Credentials { none, upper, lower };

struct Operation {
    std::string service, name;
    Credentials credentials;
};

/// Null when the service has no such operation; names are case-sensitive.
const Operation* find_operation(const std::string& service, const std::string& name);
std::vector<std::string> operations_of(const std::string& service);

}  // namespace postern::tests::soap
