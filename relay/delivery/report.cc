#include "relay/delivery/report.h"

#include <algorithm>

#include "relay/limits.h"
#include "relay/mail/trace.h"
#include "relay/mail/xtext.h"
#include "sync/base/time_text.h"
#include "sync/base/utf8.h"

namespace postern::relay {

namespace {

constexpr std::size_t named_max = 100;  // recipients that are told about one by one
constexpr std::size_t quote_max = 800;  // a line must stay below 998 octets (RFC 5322 §2.1.1)

/// In printable ASCII, whatever it was.
std::string quote(std::string_view text) {
    std::string out;
    for (char c : text.substr(0, quote_max))
        out += c >= ' ' && c <= '~' ? c : (c == '\n' || c == '\t' ? ' ' : '?');
    return out;
}

/// The same of an address, which may be UTF-8.
std::string quote_address(std::string_view text) {
    if (base::is_ascii(text) || !base::is_printable_utf8(text) || text.size() > quote_max) return quote(text);
    return std::string(text);
}

std::string_view bounded_header(std::string_view header) {
    if (header.size() <= limits::header) return header;
    std::size_t end = header.rfind("\r\n", limits::header);
    return header.substr(0, end == std::string_view::npos ? 0 : end + 2);
}

/// "rfc822; a@b", or of an address in UTF-8 as RFC 6533 §3 has it.
std::string typed(const Address& address) {
    std::string text = quote_address(address.text());
    return (base::is_ascii(text) ? "rfc822; " : "utf-8; ") + text;
}

std::string explanation(const ReportedRecipient& one) {
    const RecipientProgress& progress = one.progress;
    std::string out = "  <" + quote_address(one.address.text()) + ">\r\n";
    std::string said = quote(progress.reply.line());
    std::string reason = quote(progress.reason);
    // Each on a line of its own, since together they can be longer than a line may be.
    if (!reason.empty()) out += "    " + reason + "\r\n";
    if (progress.reply.code != 0)
        out += "    the server " + quote(progress.host) + " answered:\r\n    " + said + "\r\n";
    else if (!said.empty() && reason.find(said) == std::string::npos)
        out += "    " + said + "\r\n";
    if (one.action == ReportAction::delayed) {
        if (one.next != Time()) out += "    next attempt: " + base::date_time(one.next) + "\r\n";
        if (one.give_up != Time())
            out += "    given up, if nothing changes: " + base::date_time(one.give_up) + "\r\n";
    }
    return out + "\r\n";
}

const char* name_of(ReportAction action) {
    switch (action) {
        case ReportAction::failed: return "failed";
        case ReportAction::delayed: return "delayed";
        case ReportAction::relayed: return "relayed";
    }
    return "";
}

/// RFC 3464 §2.3
std::string status_group(const ReportedRecipient& one, Time now) {
    const RecipientProgress& progress = one.progress;
    EnhancedStatus status = report_status(progress);
    // A refusal that is not taken for the last word is a delay, whatever the server called it.
    if (one.action == ReportAction::delayed) status.category = 4;
    std::string out;
    if (auto original = parse_original_recipient(one.options.original, true))
        out += "Original-Recipient: " + original->type + "; " + quote_address(original->address) + "\r\n";
    out += "Final-Recipient: " + typed(one.address) + "\r\nAction: " + name_of(one.action) +
           "\r\nStatus: " + status.text() + "\r\n";
    if (progress.reply.code != 0) {
        // The name in front of "[address]:port" is what Remote-MTA means.
        out += "Remote-MTA: dns; " + quote(progress.host.substr(0, progress.host.find('['))) + "\r\n";
        out += "Diagnostic-Code: smtp; " + quote(progress.reply.line()) + "\r\n";
    } else if (std::string why = quote(progress.reason.empty() ? progress.reply.text : progress.reason);
               !why.empty()) {
        out += "Diagnostic-Code: x-postern; " + why + "\r\n";
    }
    out += "Last-Attempt-Date: " + base::date_time(now) + "\r\n";
    if (one.action == ReportAction::delayed && one.give_up != Time())
        out += "Will-Retry-Until: " + base::date_time(one.give_up) + "\r\n";
    return out + "\r\n";
}

std::string status_part(const std::string& hostname, const Message& original,
                        const std::vector<ReportedRecipient>& recipients, Time now) {
    std::string out;
    if (auto id = decode_xtext(original.envelope.envelope_id)) out += "Original-Envelope-Id: " + *id + "\r\n";
    out += "Reporting-MTA: dns; " + hostname + "\r\n";
    out += "X-Postern-Message-Id: " + original.id.text() + "\r\n";
    out += "Arrival-Date: " + base::date_time(original.arrived) + "\r\n\r\n";
    std::size_t named = 0;
    for (const auto& one : recipients)
        if (named++ < named_max) out += status_group(one, now);
    out.resize(out.size() - 2);  // the empty line is between groups, not behind the last
    return out;
}

struct Kind {
    const char *subject, *action, *text;
};
constexpr Kind failed{"Undelivered mail returned to sender", "failed",
                      "Your message could not be delivered to the recipients below and is not tried\r\n"
                      "again for them.\r\n\r\n"};
constexpr Kind not_read{
    "A report that could not reach its reader", "failed",
    "The attached report is for somebody of yours whom your mail server does not let us\r\n"
    "name: it offers no SMTPUTF8. Please pass it on.\r\n\r\n"};
constexpr Kind delayed{"Your mail is delayed", "delayed",
                       "Your message has not reached the recipients below yet. There is nothing you have\r\n"
                       "to do: it is tried again until it is delivered or given up.\r\n\r\n"};
constexpr Kind relayed{
    "Your mail was passed on", "relayed",
    "Your message was handed to the mail servers of the recipients below. They report\r\n"
    "no successful deliveries, so that nothing more will be told unless one fails.\r\n\r\n"};

struct Text {
    std::string subject, body;
};

/// What a person reads: the worst news first, and what it is about in the subject.
Text text_part(const std::string& hostname, const std::vector<ReportedRecipient>& recipients,
               bool about_report, bool whole_message) {
    Text out;
    out.body = "This is the mail gateway " + hostname + ".\r\n\r\n";
    for (const Kind* kind : {about_report ? &not_read : &failed, &delayed, &relayed}) {
        std::string about;
        std::size_t rest = 0;
        for (std::size_t at = 0; at < recipients.size(); ++at) {
            if (std::string_view(kind->action) != name_of(recipients[at].action)) continue;
            if (at < named_max)
                about += explanation(recipients[at]);
            else
                ++rest;
        }
        if (rest > 0)
            about += (about.empty() ? "  " : "  and ") + std::to_string(rest) +
                     (about.empty() ? " recipients" : " more") + " that are not named here\r\n\r\n";
        if (about.empty()) continue;
        if (out.subject.empty()) out.subject = kind->subject;
        out.body += kind->text + about;
    }
    if (!about_report)
        out.body +=
            whole_message ? "Your message is attached.\r\n" : "The header of your message is attached.\r\n";
    return out;
}

std::string part(std::string_view boundary, std::string_view type, std::string_view description,
                 std::string_view content) {
    std::string out = "--" + std::string(boundary) + "\r\nContent-Type: ";
    out += type;
    out += "\r\nContent-Description: ";
    out += description;
    if (!base::is_ascii(content)) out += "\r\nContent-Transfer-Encoding: 8bit";
    out += "\r\n\r\n";
    out += content;
    return out + "\r\n";
}

}  // namespace

EnhancedStatus report_status(const RecipientProgress& progress) {
    if (progress.reply.status) return progress.reply.status;
    if (progress.reply.permanent()) return {5, 0, 0};
    if (progress.reply.transient()) return {4, 0, 0};
    if (progress.reply.positive()) return {2, 0, 0};
    // Never got so far as a reply until it expired, or not yet.
    return progress.status == RecipientStatus::failed ? EnhancedStatus{4, 4, 7} : EnhancedStatus{4, 4, 0};
}

std::string header_octets(const Spool& spool, const Message& message) {
    const Content& content = message.content;
    if (!content.bytes && !content.file.empty())
        return read_header(spool.disk(), content).value_or(std::string());
    const auto octets = spool.load_content(message);
    return octets ? std::string(bounded_header(header_of(**octets))) : std::string();
}

Returned read_returned(const Spool& spool, const Stored& original,
                       const std::vector<ReportedRecipient>& recipients, std::uint64_t most) {
    const Content& content = original.message.content;
    Returned out;
    out.header = content.trace;
    if (!content.bytes && !content.file.empty() && content.size > most) {
        if (auto header = read_header(spool.disk(), content)) out.header += *header;
        return out;
    }
    auto octets = spool.load_content(original.message);
    if (!octets) return out;
    std::string_view own = header_of(**octets);
    out.header += own;
    bool failure = std::any_of(recipients.begin(), recipients.end(), [](const ReportedRecipient& one) {
        return one.action == ReportAction::failed;
    });
    // Only a failure brings the message back, and only where that was asked for (RFC 3461 §4.3).
    if (failure && original.message.envelope.return_content == ReturnContent::full &&
        (*octets)->size() <= most)
        out.body = (*octets)->substr(own.size());
    return out;
}

Message make_report(const std::string& hostname, const Message& original, const ReportContent& content,
                    const std::vector<ReportedRecipient>& recipients, MessageId id, Time now) {
    const Envelope& envelope = original.envelope;
    std::string boundary = "=_" + id.text() + "/report";
    std::string_view header = bounded_header(content.header);
    // Who required TLS all the way must not find the message in a report that took another one (RFC 8689 §5).
    bool whole = !content.body.empty() && header.size() == content.header.size() && !envelope.require_tls;
    std::string returned(header);
    if (whole) returned += content.body;

    std::string to = quote_address(envelope.reverse_path.text());
    Text text = text_part(hostname, recipients, envelope.bounce, whole);
    std::string status = status_part(hostname, original, recipients, now);
    // RFC 6533: a type of its own for each part that has more than ASCII where only ASCII used to be.
    bool global_status = !base::is_ascii(status);
    bool global_header = envelope.utf8 && !base::is_ascii(header) && base::is_utf8(header);
    const char* returned_type = whole ? (global_header ? "message/global" : "message/rfc822")
                                      : (global_header ? "message/global-headers" : "text/rfc822-headers");

    std::string out = "Date: " + base::date_time(now) + "\r\n";
    out += "From: Mail Delivery System <MAILER-DAEMON@" + hostname + ">\r\n";
    out += "To: <" + to + ">\r\n";
    out += "Subject: " + text.subject + "\r\n";
    out += "Message-ID: <" + id.text() + "@" + hostname + ">\r\n";
    out += "Auto-Submitted: auto-replied\r\n";  // RFC 3834 §5: a delay is told in reply to a message as well
    out += "MIME-Version: 1.0\r\n";
    out +=
        "Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"" + boundary + "\"\r\n";
    bool eight_bit = !base::is_ascii(text.body) || global_status || !base::is_ascii(returned);
    if (eight_bit) out += "Content-Transfer-Encoding: 8bit\r\n";
    out += "\r\nThis is a MIME-encapsulated delivery report.\r\n\r\n";
    out += part(boundary,
                base::is_ascii(text.body) ? "text/plain; charset=us-ascii" : "text/plain; charset=utf-8",
                "Explanation", text.body);
    out += part(boundary, global_status ? "message/global-delivery-status" : "message/delivery-status",
                "Delivery report", status);
    out += part(boundary, returned_type, whole ? "Message" : "Header of the message", returned);
    out += "--" + boundary + "--\r\n";

    Message report;
    report.id = id;
    report.envelope.forward_paths.push_back(envelope.reverse_path);
    report.envelope.options.push_back({Notify{true, false, false, false}, {}});  // RFC 3461 §6.2
    report.envelope.body = eight_bit ? BodyType::eight_bit : BodyType::seven_bit;
    report.envelope.utf8 = global_status || global_header || !base::is_ascii(to);
    report.envelope.require_tls = envelope.require_tls;
    report.envelope.primary = envelope.primary;
    report.envelope.bounce = true;
    report.content.size = out.size();
    report.content.checksum = checksum(out);
    report.content.dots = out.find("\r\n.") != std::string::npos;
    report.content.bytes = std::make_shared<const std::string>(std::move(out));
    return report;
}

}  // namespace postern::relay
