// Content for a host that takes less than we did: 8BITMIME to 7 bits, SMTPUTF8 to ASCII, where that is harmless.
#pragma once

#include <string>
#include <string_view>

#include <tl/expected.hpp>

#include "relay/mail/message.h"
#include "relay/mail/reply.h"

namespace postern::relay {

/// What a host offers of what content may need.
struct Abilities {
    bool eight_bit = false, utf8 = false;
};

/// What a message needs. `header` as from header_of().
struct Needs {
    bool eight_bit = false;    // octets above 127 in the body
    bool utf8_header = false;  // octets above 127 in the header
    bool utf8_path = false;    // in the reverse-path or one of the recipients' local parts
};

/// Why a message cannot be handed to the host as it is and cannot be converted: 554 5.6.3, 553 5.6.7, or 550 5.6.7
/// for one recipient; the sender is told.
struct Unfit {
    Reply reply;
};

/// The content in 7 bits (RFC 6152 §3, RFC 2045): each text part that has octets above 127 becomes
/// quoted-printable or base64, multiparts are walked through (at most 20 deep, 1000 parts). Not harmless, and so
/// refused: signed content (DKIM-Signature, multipart/signed, application/pkcs7-mime, ARC), a header that is not
/// MIME, message/* parts with octets above 127 that cannot be descended into. `content` starts with its header;
/// lines end with CRLF.
tl::expected<std::string, Unfit> to_seven_bit(std::string_view content);

}  // namespace postern::relay
