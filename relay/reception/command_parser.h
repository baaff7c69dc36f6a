// From SMTP command lines to commands: a pure parser (RFC 5321 §4.1).
#pragma once

#include <optional>
#include <string_view>

#include "relay/reception/command.h"
#include "relay/reception/refusal.h"

namespace postern::relay {

/// Either a command or what its fault deserves (500, 501, 555). Only MAIL, RCPT and VRFY may
/// have octets above 127, and then must be UTF-8. `foreign` means the line belongs to another protocol (HTTP,
/// TLS) and the connection is best closed. `argument` points into `line`.
struct Parsed {
    Command command;
    std::optional<Decision> fault;
};
Parsed parse_command(std::string_view line);

}  // namespace postern::relay
