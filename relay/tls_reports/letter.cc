#include "relay/tls_reports/letter.h"

#include <memory>

#include "relay/queue/record.h"
#include "sync/base/encoding.h"
#include "sync/base/time_text.h"

namespace postern::relay {

namespace {

constexpr std::size_t line_length = 76;  // RFC 2045 §6.8

std::string in_lines(const std::string& text) {
    std::string out;
    for (std::size_t at = 0; at < text.size(); at += line_length)
        out += text.substr(at, line_length) + "\r\n";
    return out;
}

std::string list_of(const std::vector<Address>& readers) {
    std::string out;
    for (const auto& one : readers) out += (out.empty() ? "<" : ",\r\n\t<") + one.text() + '>';
    return out;
}

}  // namespace

Message make_letter(const std::string& hostname, const Address& from, const std::vector<Address>& readers,
                    const std::string& domain, const TlsPeriod& period, const ReportSender& sender,
                    MessageId id, Time now) {
    const std::string boundary = "=_" + id.text() + "/tlsrpt";
    const std::string file = report_file_name(domain, period, sender);
    const std::string report = report_id(domain, period, sender);
    std::string out = "Date: " + base::date_time(now) + "\r\n";
    out += "From: <" + from.text() + ">\r\n";
    out += "To: " + list_of(readers) + "\r\n";
    out += "Subject: Report Domain: " + domain + "\r\n Submitter: " + sender.domain + "\r\n Report-ID: <" +
           report + ">\r\n";
    out += "Message-ID: <" + id.text() + '@' + hostname + ">\r\n";
    out += "TLS-Report-Domain: " + domain + "\r\n";
    out += "TLS-Report-Submitter: " + sender.domain + "\r\n";
    out += "TLS-Required: No\r\n";
    out += "Auto-Submitted: auto-generated\r\n";
    out += "MIME-Version: 1.0\r\n";
    out += "Content-Type: multipart/report; report-type=\"tlsrpt\";\r\n\tboundary=\"" + boundary + "\"\r\n";
    out += "\r\nThis is a MIME-encapsulated report.\r\n\r\n";
    out += "--" + boundary + "\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n";
    out += "This is a report of " + sender.domain + " about TLS sessions with mail servers of\r\n" + domain +
           ", as its TXT record _smtp._tls." + domain +
           "\r\nasks for: " + std::to_string(period.successful()) + " were successful, " +
           std::to_string(period.failed()) + " failed.\r\n\r\n";
    out += "--" + boundary + "\r\nContent-Type: application/tlsrpt+gzip\r\n";
    out += "Content-Transfer-Encoding: base64\r\n";
    out += "Content-Disposition: attachment;\r\n\tfilename=\"" + file + "\"\r\n\r\n";
    out += in_lines(base::base64(gzip(report_json(domain, period, sender))));
    out += "\r\n--" + boundary + "--\r\n";

    Message letter;
    letter.id = id;
    letter.arrived = now;
    letter.envelope.reverse_path = from;
    letter.envelope.forward_paths = readers;
    RecipientOptions never;
    never.notify.given = true;
    letter.envelope.options.assign(readers.size(), never);
    letter.envelope.tls_optional = true;
    letter.envelope.helo = hostname;
    letter.content.size = out.size();
    letter.content.checksum = checksum(out);
    letter.content.dots = out.find("\r\n.") != std::string::npos;
    letter.content.bytes = std::make_shared<const std::string>(std::move(out));
    return letter;
}

}  // namespace postern::relay
