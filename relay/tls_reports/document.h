// A report about TLS as its readers get it (RFC 8460 §4.4, §5.1, §5.2). Pure functions.
#pragma once

#include <string>

#include "relay/mail/message.h"
#include "relay/tls_reports/counts.h"

namespace postern::relay {

/// Who reports.
struct ReportSender {
    std::string organization;  // for people
    std::string contact;       // an address
    std::string domain;        // that reports come from: of their From field
};

/// The same for the same period, at each attempt: a reader can tell that it has it already.
std::string report_id(const std::string& domain, const TlsPeriod& period, const ReportSender& sender);

/// RFC 8259, in UTF-8.
std::string report_json(const std::string& domain, const TlsPeriod& period, const ReportSender& sender);

/// "gw1.example.net!example.com!1795737600!1795823999!….json.gz"
std::string report_file_name(const std::string& domain, const TlsPeriod& period, const ReportSender& sender);

/// RFC 1952.
std::string gzip(std::string_view octets);

}  // namespace postern::relay
