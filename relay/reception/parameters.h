// The parameters behind the path of MAIL and RCPT (RFC 5321 §4.1.2, §4.1.1.11).
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "relay/reception/command.h"
#include "relay/reception/refusal.h"

namespace postern::relay {

/// Reads them into `command`, whose verb tells which there are:
///   - of MAIL: SIZE (RFC 1870), BODY (RFC 6152), RET and ENVID (RFC 3461), SMTPUTF8 (RFC 6531), REQUIRETLS
///     (RFC 8689);
///   - of RCPT: NOTIFY and ORCPT (RFC 3461).
///
/// The reply that the first fault deserves: 501 when one is broken or given twice, 555 when there is no such.
std::optional<Decision> parse_parameters(std::string_view text, Command& command);

}  // namespace postern::relay
