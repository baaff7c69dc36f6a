// SMTP command lines as values: a pure parser (RFC 5321 §4.1).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "relay/mail/message.h"
#include "relay/reception/refusal.h"

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

/// Either a command or what its fault deserves (500, 501, 555). Only MAIL, RCPT and VRFY may
/// have octets above 127, and then must be UTF-8. `foreign` means the line belongs to another protocol (HTTP,
/// TLS) and the connection is best closed. `argument` points into `line`.
struct Parsed {
    Command command;
    std::optional<Decision> fault;
};
Parsed parse_command(std::string_view line);

}  // namespace postern::relay
