// Content for a host that takes less than we did: 8BITMIME to 7 bits, SMTPUTF8 to ASCII, where that is
// harmless.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include <tl/expected.hpp>

#include "relay/mail/message.h"
#include "relay/mail/reply.h"

namespace postern::relay {

/// Content larger than this is not converted, and not read to see whether it would have to be.
constexpr std::size_t conversion_max = 32u << 20;

/// What a host offers of what content may need.
struct Abilities {
    bool eight_bit = false, utf8 = false;
};

/// Why a message cannot be handed to the host as it is and cannot be converted; the sender is told. As RFC
/// 6531 §3.5 and RFC 6152 §3 have it: 554 5.6.3, 550 5.6.7 for the reverse-path, 553 5.6.7 for one recipient,
/// 554 5.6.9 for the header.
struct Unfit {
    Reply reply;
};

/// How a message is handed to a host.
enum class Fit : std::uint8_t {
    as_is,       // with the parameters it came with
    ascii_only,  // unchanged but without SMTPUTF8, which neither its paths nor its header need
    /// After to_seven_bit(), without BODY=8BITMIME and, where the host does not offer it, SMTPUTF8. Where
    /// that would harm the message it is sent unchanged: hosts that do not say so take 8 bits nevertheless.
    seven_bit,
    only_seven_bit,  // the same, but not unchanged: a part of it is in UTF-8 that only MIME can hide
};

/// Whether fit() would look at the content: false for nearly all mail and hosts, and then the message fits as
/// it is.
bool needs_a_look(const Envelope& envelope, Abilities host);

/// How the message fits the host, its recipients aside. `content` begins with its header, our trace field not
/// included. It is the whole content, or at least the header where the content is in a file of more than
/// conversion_max octets, which is never converted.
tl::expected<Fit, Unfit> fit(const Message& message, std::string_view content, Abilities host);

/// The same about one recipient, which is told alone.
tl::expected<void, Unfit> fit_recipient(const Address& recipient, Abilities host);

/// The content in 7 bits (RFC 6152 §3, RFC 2045): each text part that has octets above 127 becomes
/// quoted-printable or base64, multiparts are walked through (at most 20 deep, 1000 parts). Not harmless, and
/// so refused: signed content (DKIM-Signature, multipart/signed, application/pkcs7-mime, ARC), a header that
/// is not MIME, octets above 127 in a header, message/* parts with octets above 127 that cannot be descended
/// into; those of RFC 6532 and RFC 6533 (message/global…) are encoded as they are. `content` starts with its
/// header; lines end with CRLF. Handed to `write` piece by piece; of what is refused some may have been.
tl::expected<void, Unfit> to_seven_bit(std::string_view content,
                                       const std::function<void(std::string_view)>& write);
tl::expected<std::string, Unfit> to_seven_bit(std::string_view content);

}  // namespace postern::relay
