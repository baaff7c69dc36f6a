// The TXT record by which a domain asks for reports about TLS (RFC 8460 §3), as pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "relay/mail/address.h"

namespace postern::relay {

/// Where reports are taken over HTTPS.
struct HttpsPlace {
    std::string host;  // a name, lower case
    std::uint16_t port = 443;
    std::string path;  // with the query; begins with a slash

    std::string text() const;  // as a URI
    bool operator==(const HttpsPlace&) const = default;
};

/// Whom a domain wants its reports to be sent to: of each kind at most five, in its order.
struct ReportReaders {
    std::vector<Address> mail;
    std::vector<HttpsPlace> https;

    bool empty() const { return mail.empty() && https.empty(); }
    bool operator==(const ReportReaders&) const = default;
};

/// Of a name's TXT records. nullopt when there is not exactly one of this kind (§3), or it is not as the RFC
/// has it. What it names that is neither a mailbox in ASCII at a domain nor a place behind HTTPS is left out,
/// so that nobody may be left.
std::optional<ReportReaders> parse_report_record(const std::vector<std::string>& texts);

}  // namespace postern::relay
