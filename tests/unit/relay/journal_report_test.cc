#include "relay/mail/journal_report.h"

#include <catch2/catch.hpp>
#include <memory>

using namespace postern::relay;

namespace {

const Time now{std::chrono::seconds(1'800'000'000)};

Message accepted(std::string content) {
    Message out;
    out.id = MessageId{1'000'000};
    out.envelope.reverse_path = {"alice", "company.example"};
    out.envelope.forward_paths = {{"bob", "dest.example"}, {"eve", "dest.example"}};
    out.content.trace = "Received: from here\r\n";
    out.content.size = content.size();
    out.content.checksum = 4711;
    out.content.bytes = std::make_shared<const std::string>(std::move(content));
    return out;
}

JournalOrder order() {
    JournalOrder out;
    out.archive = {"journal", "archive.example"};
    out.hostname = "gw.example";
    out.id = MessageId{2'000'000};
    out.mark = out.id.text() + ".0123";
    out.subject = "figures";
    out.message_id = "<1@company.example>";
    return out;
}

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("a journal report has the envelope in its text and shares the message's octets", "[journal]") {
    const Message message = accepted("Subject: figures\r\n\r\nbody\r\n");
    const Message report = make_journal_report(message, order(), {}, now);
    CHECK(report.id == order().id);
    CHECK(report.envelope.reverse_path.null());
    CHECK(report.envelope.forward_paths == std::vector<Address>{{"journal", "archive.example"}});
    CHECK(report.envelope.journal == JournalReport::whole);
    CHECK(report.envelope.origin == message.id);
    CHECK(report.envelope.primary.empty());
    CHECK(report.content.bytes == message.content.bytes);
    CHECK(report.content.checksum == 4711);
    const std::string& head = report.content.trace;
    CHECK(has(head, "\r\nX-MS-Journal-Report:\r\n"));
    CHECK(
        has(head,
            "\r\n\r\nSender: alice@company.example\r\nSubject: figures\r\nMessage-Id: <1@company.example>\r\n"
            "Recipient: bob@dest.example\r\nRecipient: eve@dest.example\r\n"));
    CHECK(head.ends_with("\r\nContent-Type: message/rfc822\r\n\r\n"));
    CHECK_FALSE(has(head, "Received: from here"));
    CHECK(report.content.tail == "\r\n--=_" + order().mark + "--\r\n");
    CHECK(report.size() == head.size() + message.content.size + report.content.tail.size());
}

TEST_CASE("nothing of a message makes a field or a line of its report", "[journal]") {
    JournalOrder sly = order();
    sly.subject = "a\r\nBcc: x@y.example\r\n\r\nbody";
    sly.message_id = std::string("<1>\0\nSender: root", 17);
    Message message = accepted("x\r\n");
    message.envelope.reverse_path = {};
    const std::string head = make_journal_report(message, sly, {}, now).content.trace;
    CHECK_FALSE(has(head, "\nBcc:"));
    CHECK_FALSE(has(head, "\nSender: root"));
    CHECK(has(head, "\r\nSender: <>\r\n"));
}

TEST_CASE("what is beyond ASCII is readable in seven bits", "[journal]") {
    Message message = accepted("x\r\n");
    message.envelope.utf8 = true;
    message.envelope.reverse_path = {"j\xc3\xbcrgen", "company.example"};
    JournalOrder named = order();
    named.subject =
        "gr\xc3\xbc\xc3\x9f"
        "e";
    const Message report = make_journal_report(message, named, {}, now);
    for (const char octet : report.content.trace) CHECK(static_cast<unsigned char>(octet) < 0x80);
    CHECK(has(report.content.trace,
              "Content-Transfer-Encoding: quoted-printable\r\n\r\nSender: j=C3=BCrgen@company.example\r\n"));
    CHECK(has(report.content.trace, "\r\nContent-Type: message/global\r\n"));
    CHECK_FALSE(report.envelope.utf8);
    CHECK(report.envelope.body == BodyType::eight_bit);
}

TEST_CASE("a message without a header is all body in its report too", "[journal]") {
    JournalOrder headerless = order();
    headerless.headerless = true;
    CHECK(make_journal_report(accepted(" x\r\n"), headerless, {}, now)
              .content.trace.ends_with("message/rfc822\r\n\r\n\r\n"));
}

TEST_CASE("without the content a report has the header, and says what is missing", "[journal]") {
    const Message report = make_journal_report(accepted(std::string(5000, 'x')), order(), "/content/x", now);
    const Message small = without_content(report, "A: 1\r\n.B: 2\r\n", MessageId{3'000'000}, now);
    CHECK(small.envelope.journal == JournalReport::without_content);
    CHECK(small.envelope.origin == report.envelope.origin);
    CHECK(small.content.file.empty());
    CHECK(*small.content.bytes == "A: 1\r\n.B: 2\r\n");
    CHECK(small.content.size == small.content.bytes->size());
    CHECK(small.content.dots);
    CHECK(small.content.tail == report.content.tail);
    CHECK(has(small.content.trace, "Recipient: eve@dest.example\r\n"));
    CHECK(has(small.content.trace, "5000 bytes"));
    CHECK(small.content.trace.ends_with("\r\n\r\n"));
    CHECK_FALSE(has(small.content.trace, "message/rfc822"));
}
