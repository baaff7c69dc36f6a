// SMTP commands as values (RFC 5321 §4.1).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "relay/mail/message.h"

namespace postern::relay {

enum class Verb : std::uint8_t {
    helo,
    ehlo,
    mail,
    rcpt,
    data,
    rset,
    noop,
    quit,
    vrfy,
    help,
    starttls,
    foreign,
    unknown
};

struct Command {
    Verb verb = Verb::unknown;
    std::string_view argument;          // of HELO and EHLO
    Address address;                    // of MAIL and RCPT; without domain only in RCPT TO:<Postmaster>
    std::optional<std::uint64_t> size;  // MAIL SIZE= (RFC 1870), bytes
    BodyType body = BodyType::seven_bit;
    ReturnContent return_content = ReturnContent::unspecified;
    std::string envelope_id;    // ENVID, in xtext
    bool utf8 = false;          // MAIL and VRFY: SMTPUTF8 (RFC 6531)
    bool require_tls = false;   // REQUIRETLS (RFC 8689)
    RecipientOptions options;   // of RCPT; ORCPT always in its ASCII form
    bool beyond_ascii = false;  // MAIL, RCPT and VRFY: something in it is UTF-8, which SMTPUTF8 has to allow
};

}  // namespace postern::relay
