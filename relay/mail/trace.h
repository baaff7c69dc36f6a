// Trace fields: the one header field we add, and what the ones already there tell (RFC 5321 §4.4).
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "relay/mail/message.h"

namespace postern::relay {

struct Hop {
    std::string_view helo, client, hostname, with;  // with: ESMTP, UTF8SMTPS … (RFC 3848, RFC 6531)
    std::string_view tls;                           // protocol and cipher, "" for none
    std::string_view recipient;  // named only when it is the only one, so that Bcc stays blind
};

/// The Received field, folded, ending with CRLF.
std::string received_field(const Hop& hop, MessageId id, Time now);

/// How many Received fields the header at the start of `content` has (RFC 5321 §6.3 counts them against
/// loops).
std::size_t count_received(std::string_view content);

/// The Message-ID field's value in the header at the start of `content`, at most 250 octets; "" when it has
/// none.
std::string message_id_of(std::string_view content);

/// The Subject field's, likewise, as it stands there.
std::string subject_of(std::string_view content);

/// Whether the header at the start of `content` says "TLS-Required: No" (RFC 8689 §5).
bool says_tls_optional(std::string_view content);

/// The value of the first field of that name (lower case, with its colon), unfolded, of any length.
std::optional<std::string> value_of(std::string_view content, std::string_view name);

/// Takes all fields of that name out of the header at the start of `content`. How many octets they had.
std::size_t strip_fields(std::string& content, std::string_view name);

/// The header of a message: up to and including the CRLF of its last field.
std::string_view header_of(std::string_view content);

}  // namespace postern::relay
