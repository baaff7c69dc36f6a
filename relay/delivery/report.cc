#include "relay/delivery/bounce.h"

#include "relay/mail/trace.h"

namespace postern::relay {

namespace {

constexpr std::size_t header_max = 64 * 1024;
constexpr std::size_t quote_max = 800;  // a line must stay below 998 octets (RFC 5322 §2.1.1)

std::string quote(std::string_view text) {
    std::string out;
    for (char c : text.substr(0, quote_max))
        out += c >= ' ' && c <= '~' ? c : (c == '\n' || c == '\t' ? ' ' : '?');
    return out;
}

std::string bounded_header(std::string_view header) {
    if (header.size() > header_max) {
        std::size_t end = header.rfind("\r\n", header_max);
        header = header.substr(0, end == std::string_view::npos ? 0 : end + 2);
    }
    return std::string(header);
}

bool has_eight_bit(std::string_view text) {
    for (char c : text)
        if (static_cast<unsigned char>(c) > 127) return true;
    return false;
}

std::string explanation(const FailedRecipient& one) {
    const RecipientProgress& progress = one.progress;
    std::string out = "  <" + quote(one.address.text()) + ">\r\n";
    std::string said = quote(progress.reply.line());
    std::string reason = quote(progress.reason);
    // Each on a line of its own, since together they can be longer than a line may be.
    if (!reason.empty()) out += "    " + reason + "\r\n";
    if (progress.reply.code != 0)
        out += "    the server " + quote(progress.host) + " answered:\r\n    " + said + "\r\n";
    else if (reason.find(said) == std::string::npos)
        out += "    " + said + "\r\n";
    return out + "\r\n";
}

std::string status_group(const FailedRecipient& one, Time now) {
    const RecipientProgress& progress = one.progress;
    std::string out = "Final-Recipient: rfc822; " + quote(one.address.text()) +
                      "\r\nAction: failed\r\nStatus: " + report_status(progress).text() + "\r\n";
    if (progress.reply.code != 0) {
        // The name in front of "[address]:port" is what Remote-MTA means.
        out += "Remote-MTA: dns; " + quote(progress.host.substr(0, progress.host.find('['))) + "\r\n";
        out += "Diagnostic-Code: smtp; " + quote(progress.reply.line()) + "\r\n";
    } else if (std::string why = quote(progress.reason.empty() ? progress.reply.text : progress.reason);
               !why.empty()) {
        out += "Diagnostic-Code: x-postern; " + why + "\r\n";
    }
    return out + "Last-Attempt-Date: " + date_time(now) + "\r\n\r\n";
}

}  // namespace

EnhancedStatus report_status(const RecipientProgress& progress) {
    if (progress.reply.status) return progress.reply.status;
    if (progress.reply.permanent()) return {5, 0, 0};
    if (progress.reply.transient()) return {4, 0, 0};
    return {4, 4, 7};  // never got so far as a reply until it expired
}

Message make_bounce(const std::string& hostname, const Message& original, std::string_view header,
                    const std::vector<FailedRecipient>& failed, MessageId id, Time now) {
    std::string boundary = "=_" + id.text() + "/report";
    std::string returned = bounded_header(header);
    bool eight_bit = has_eight_bit(returned);

    std::string out = "Date: " + date_time(now) + "\r\n";
    out += "From: Mail Delivery System <MAILER-DAEMON@" + hostname + ">\r\n";
    out += "To: <" + original.envelope.reverse_path.text() + ">\r\n";
    out += "Subject: Undelivered mail returned to sender\r\n";
    out += "Message-ID: <" + id.text() + "@" + hostname + ">\r\n";
    out += "Auto-Submitted: auto-replied\r\n";
    out += "MIME-Version: 1.0\r\n";
    out +=
        "Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"" + boundary + "\"\r\n";
    if (eight_bit) out += "Content-Transfer-Encoding: 8bit\r\n";
    out += "\r\nThis is a MIME-encapsulated delivery report.\r\n\r\n--" + boundary + "\r\n";

    out += "Content-Type: text/plain; charset=us-ascii\r\nContent-Description: Explanation\r\n\r\n";
    out += "This is the mail gateway " + hostname + ".\r\n\r\n";
    out +=
        "Your message could not be delivered to the recipients below and is not tried\r\n"
        "again. Its header is attached.\r\n\r\n";
    for (const auto& one : failed) out += explanation(one);

    out += "--" + boundary +
           "\r\nContent-Type: message/delivery-status\r\nContent-Description: Delivery report\r\n\r\n";
    out += "Reporting-MTA: dns; " + hostname + "\r\n";
    out += "X-Postern-Message-Id: " + original.id.text() + "\r\n";
    out += "Arrival-Date: " + date_time(original.id.arrived()) + "\r\n\r\n";
    for (const auto& one : failed) out += status_group(one, now);

    out += "--" + boundary +
           "\r\nContent-Type: text/rfc822-headers\r\nContent-Description: Header of the message\r\n";
    if (eight_bit) out += "Content-Transfer-Encoding: 8bit\r\n";
    out += "\r\n" + returned + "\r\n--" + boundary + "--\r\n";

    Message bounce;
    bounce.id = id;
    bounce.envelope.forward_paths.push_back(original.envelope.reverse_path);
    bounce.envelope.body = eight_bit ? BodyType::eight_bit : BodyType::seven_bit;
    bounce.envelope.primary = original.envelope.primary;
    bounce.envelope.bounce = true;
    bounce.content.size = out.size();
    bounce.content.checksum = checksum(out);
    bounce.content.dots = out.find("\r\n.") != std::string::npos;
    bounce.content.bytes = std::make_shared<const std::string>(std::move(out));
    return bounce;
}

}  // namespace postern::relay
