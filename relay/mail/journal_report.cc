#include "relay/mail/journal_report.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "relay/mail/marks.h"
#include "relay/mail/quoted_printable.h"
#include "sync/base/time_text.h"
#include "sync/base/utf8.h"

namespace postern::relay {

namespace {

constexpr std::string_view attached = "Content-Type: message/";

/// In one line, whatever it was.
std::string one_line(std::string_view text) {
    std::string out(text);
    for (char& c : out)
        if (c == '\r' || c == '\n' || c == '\0') c = ' ';
    return out;
}

std::string envelope_in_words(const Message& message, const JournalOrder& order) {
    const Envelope& envelope = message.envelope;
    std::string out =
        "Sender: " + (envelope.reverse_path.null() ? "<>" : envelope.reverse_path.text()) + "\r\n";
    out += "Subject: " + one_line(order.subject) + "\r\n";
    out += "Message-Id: " + one_line(order.message_id) + "\r\n";
    // Whether somebody was named as To, Cc or not at all is for the header to say.
    for (const auto& path : envelope.forward_paths) out += "Recipient: " + path.text() + "\r\n";
    return out;
}

/// Its part of the report, ending where the next boundary begins.
std::string text_part(const std::string& text) {
    if (base::is_ascii(text)) return "Content-Type: text/plain; charset=us-ascii\r\n\r\n" + text;
    std::string out =
        "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n";
    append_quoted_printable(out, text);
    return out;
}

std::string boundary_of(const JournalOrder& order) { return "=_" + order.mark; }

}  // namespace

Message make_journal_report(const Message& message, const JournalOrder& order, std::filesystem::path file,
                            Time now) {
    const Envelope& envelope = message.envelope;
    const std::string boundary = boundary_of(order), to = order.archive.text();
    const bool eight_bit = envelope.body == BodyType::eight_bit || envelope.utf8;
    const std::string subject = base::is_ascii(order.subject) ? one_line(order.subject) : std::string();

    std::string out = "Date: " + base::date_time(now) + "\r\n";
    out += "From: Journal <postmaster@" + order.hostname + ">\r\n";
    out += "To: <" + to + ">\r\n";
    out += "Subject: " + subject + "\r\n";
    out += "Message-ID: <" + order.id.text() + "@" + order.hostname + ">\r\n";
    out += "X-MS-Journal-Report:\r\n";
    out += std::string(journal_field) + ": " + order.mark + "\r\n";
    out += "Auto-Submitted: auto-generated\r\n";
    out += "MIME-Version: 1.0\r\n";
    out += "Content-Type: multipart/mixed;\r\n\tboundary=\"" + boundary + "\"\r\n";
    if (eight_bit) out += "Content-Transfer-Encoding: 8bit\r\n";
    out += "\r\n--" + boundary + "\r\n" + text_part(envelope_in_words(message, order));
    out += "\r\n--" + boundary + "\r\n";
    out += std::string(attached) + (envelope.utf8 ? "global" : "rfc822") + "\r\n";
    if (eight_bit) out += "Content-Transfer-Encoding: 8bit\r\n";
    out += order.headerless ? "\r\n\r\n" : "\r\n";

    Message report;
    report.id = order.id;
    report.arrived = now;
    report.envelope.forward_paths.push_back(order.archive);
    report.envelope.body = eight_bit ? BodyType::eight_bit : BodyType::seven_bit;
    // What is beyond ASCII is attached, and needs eight bits: of its own header nothing is.
    report.envelope.utf8 = !base::is_ascii(to);
    report.envelope.journal = JournalReport::whole;
    report.envelope.origin = message.id;
    report.content = message.content;
    report.content.trace = std::move(out);
    report.content.tail = "\r\n--" + boundary + "--\r\n";
    report.content.file = std::move(file);
    return report;
}

Message without_content(const Message& report, std::string_view header, MessageId id, Time now) {
    Message out = report;
    out.id = id;
    out.arrived = now;
    out.envelope.journal = JournalReport::without_content;
    std::string& trace = out.content.trace;
    trace.resize(std::min(trace.rfind(attached), trace.size()));
    trace += "Content-Type: text/rfc822-headers\r\nContent-Description: the message, of " +
             std::to_string(report.content.size) + " bytes, was too large for this archive\r\n";
    if (!base::is_ascii(header)) trace += "Content-Transfer-Encoding: 8bit\r\n";
    trace += "\r\n";
    auto octets = std::make_shared<const std::string>(header);
    out.content.file.clear();
    out.content.size = octets->size();
    out.content.dots = octets->starts_with('.') || octets->find("\n.") != std::string::npos;
    out.content.bytes = std::move(octets);
    return out;
}

}  // namespace postern::relay
