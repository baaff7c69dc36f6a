#include "relay/delivery/report.h"

#include <catch2/catch.hpp>
#include <map>
#include <string>
#include <vector>

#include "sync/base/ascii.h"

using namespace postern::relay;

namespace {

const MessageId original_id{1'700'000'000'000'000ull << 8}, report_id{1'700'000'100'000'000ull << 8};
const Time now = report_id.arrived();

Message original() {
    Message out;
    out.id = original_id;
    out.arrived = original_id.arrived();
    out.envelope.reverse_path = {"Alice", "example.com"};
    out.envelope.forward_paths = {{"bob", "example.net"}};
    out.envelope.primary = "main";
    out.envelope.body = BodyType::eight_bit;
    return out;
}

ReportedRecipient refused(Reply reply, std::string host = "mx.example.net[192.0.2.9]:25") {
    ReportedRecipient out;
    out.address = {"bob", "example.net"};
    out.progress.status = RecipientStatus::failed;
    out.progress.reply = std::move(reply);
    out.progress.host = std::move(host);
    out.progress.stage = "rcpt";
    return out;
}

ReportedRecipient expired(std::string reason) {
    ReportedRecipient out;
    out.address = {"carol", "example.org"};
    out.progress.status = RecipientStatus::failed;
    out.progress.reason = std::move(reason);
    return out;
}

Message report_about(std::string_view header, const std::vector<ReportedRecipient>& recipients,
                     const Message& about = original(), std::string_view body = "") {
    return make_report("gw.example", about, {header, body}, recipients, report_id, now);
}

using Fields = std::multimap<std::string, std::string>;

/// Header fields by lower-case name, unfolded; `text` loses them and the empty line. Fails on lines that are
/// none.
Fields fields(std::string& text) {
    Fields out;
    Fields::iterator last = out.end();
    while (!text.empty()) {
        std::size_t end = text.find("\r\n");
        REQUIRE(end != std::string::npos);
        std::string line = text.substr(0, end);
        text.erase(0, end + 2);
        if (line.empty()) return out;
        if (line[0] == ' ' || line[0] == '\t') {
            REQUIRE(last != out.end());
            last->second += line;
            continue;
        }
        std::size_t colon = line.find(": ");
        REQUIRE(colon != std::string::npos);
        REQUIRE(line.find(' ') > colon);
        last = out.emplace(postern::base::lower(line.substr(0, colon)), line.substr(colon + 2));
    }
    return out;
}

std::string only(const Fields& all, const std::string& name) {
    CAPTURE(name);
    REQUIRE(all.count(name) == 1);
    return all.find(name)->second;
}

struct Report {
    Fields header;
    std::vector<Fields> part_headers;
    std::vector<std::string> parts;
    std::vector<Fields> status;  // of the second part: about the message, then about each recipient
};

Report take_apart(const Message& sent) {
    REQUIRE(sent.content.bytes);
    std::string text = *sent.content.bytes;
    REQUIRE(sent.content.size == text.size());
    REQUIRE(sent.content.checksum == checksum(text));
    REQUIRE(text.ends_with("\r\n"));
    REQUIRE(sent.content.dots == (("\r\n" + text).find("\r\n.") != std::string::npos));
    for (std::size_t at = 0, end = 0; at < text.size(); at = end + 2) {
        end = text.find("\r\n", at);
        REQUIRE(end - at <= 998);
        REQUIRE(text.substr(at, end - at).find_first_of("\r\n") == std::string::npos);
    }
    Report out;
    out.header = fields(text);
    std::string type = only(out.header, "content-type");
    std::size_t quoted = type.find("boundary=\"");
    REQUIRE(quoted != std::string::npos);
    std::string boundary = type.substr(quoted + 10);
    boundary.resize(boundary.find('"'));
    REQUIRE_FALSE(boundary.empty());
    REQUIRE(boundary.size() <= 70);
    std::string delimiter = "\r\n--" + boundary;
    std::size_t at = text.find(delimiter);
    while (at != std::string::npos && text.compare(at + delimiter.size(), 2, "\r\n") == 0) {
        at += delimiter.size() + 2;
        std::size_t end = text.find(delimiter, at);
        REQUIRE(end != std::string::npos);
        std::string part = text.substr(at, end - at) + "\r\n";
        out.part_headers.push_back(fields(part));
        out.parts.push_back(part);
        at = end;
    }
    REQUIRE(text.substr(at + delimiter.size()) == "--\r\n");
    REQUIRE(out.parts.size() == 3);
    std::string status = out.parts[1];
    while (!status.empty()) {
        Fields group = fields(status);
        if (!group.empty()) out.status.push_back(group);
    }
    return out;
}

}  // namespace

TEST_CASE("a report has the form of RFC 3464 and the marks of RFC 3834", "[report]") {
    Message sent = report_about(
        "Subject: hello\r\nX-A: b\r\n c\r\n",
        {refused({550, {5, 1, 1}, "no such\nuser"}), expired("given up after 5 days: timed out")});
    CHECK(sent.id == report_id);
    CHECK(sent.envelope.reverse_path.null());
    CHECK(sent.envelope.forward_paths == std::vector<Address>{{"Alice", "example.com"}});
    CHECK(sent.envelope.primary == "main");
    CHECK(sent.envelope.bounce);
    CHECK(sent.envelope.body == BodyType::seven_bit);

    Report report = take_apart(sent);
    CHECK(only(report.header, "to") == "<Alice@example.com>");
    CHECK(only(report.header, "from").find("<MAILER-DAEMON@gw.example>") != std::string::npos);
    CHECK(only(report.header, "date") == "Tue, 14 Nov 2023 22:15:00 +0000");
    CHECK(only(report.header, "auto-submitted") == "auto-replied");
    CHECK(only(report.header, "mime-version") == "1.0");
    CHECK(only(report.header, "message-id").find(report_id.text()) != std::string::npos);
    CHECK_FALSE(only(report.header, "subject").empty());
    CHECK(only(report.header, "content-type").starts_with("multipart/report; report-type=delivery-status;"));

    CHECK(only(report.part_headers[0], "content-type").starts_with("text/plain"));
    CHECK(report.parts[0].find("bob@example.net") != std::string::npos);
    CHECK(report.parts[0].find("carol@example.org") != std::string::npos);
    CHECK(report.parts[0].find("550 5.1.1 no such user") != std::string::npos);
    CHECK(report.parts[0].find("given up after 5 days: timed out") != std::string::npos);

    CHECK(only(report.part_headers[1], "content-type") == "message/delivery-status");
    REQUIRE(report.status.size() == 3);
    CHECK(only(report.status[0], "reporting-mta") == "dns; gw.example");
    CHECK(only(report.status[0], "arrival-date") == "Tue, 14 Nov 2023 22:13:20 +0000");
    CHECK(only(report.status[1], "final-recipient") == "rfc822; bob@example.net");
    CHECK(only(report.status[1], "action") == "failed");
    CHECK(only(report.status[1], "status") == "5.1.1");
    CHECK(only(report.status[1], "remote-mta") == "dns; mx.example.net");
    CHECK(only(report.status[1], "diagnostic-code") == "smtp; 550 5.1.1 no such user");
    CHECK(only(report.status[2], "final-recipient") == "rfc822; carol@example.org");
    CHECK(only(report.status[2], "action") == "failed");
    CHECK(only(report.status[2], "status").starts_with("4."));
    CHECK(report.status[2].count("remote-mta") == 0);

    CHECK(only(report.part_headers[2], "content-type") == "text/rfc822-headers");
    CHECK(report.parts[2].find("Subject: hello\r\nX-A: b\r\n c\r\n") != std::string::npos);
}

TEST_CASE("the status of a report", "[report]") {
    struct Row {
        Reply reply;
        const char* status;
    };
    const Row rows[] = {{{550, {5, 1, 1}, ""}, "5.1.1"}, {{550, {}, ""}, "5.0.0"}, {{450, {}, ""}, "4.0.0"},
                        {{452, {4, 2, 2}, ""}, "4.2.2"}, {{250, {}, ""}, "2.0.0"}, {{}, "4.4.7"}};
    for (const auto& row : rows) {
        RecipientProgress progress;
        progress.status = RecipientStatus::failed;
        progress.reply = row.reply;
        CHECK(report_status(progress).text() == row.status);
    }
    CHECK(report_status(RecipientProgress()).text() == "4.4.0");
}

TEST_CASE("nothing a remote server says breaks the report", "[report]") {
    std::string nasty = "a\r\n.\r\nMAIL FROM:<x@y>\r\n\r\n--=_\x1b[2J\x01\x7f\xc3\xbc%s%n\tend";
    nasty += '\0';
    const std::string longest(16 * 1024, 'x');
    const std::string long_host = std::string(253, 'h') + "[2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff]:65535";
    std::vector<ReportedRecipient> failed{refused({550, {5, 1, 1}, nasty}),
                                          refused({550, {5, 999, 999}, longest}, long_host),
                                          refused({550, {}, ""}, ""),
                                          refused({550, {}, nasty}, nasty),
                                          expired(nasty),
                                          expired(longest),
                                          expired("")};
    failed[1].progress.reason = longest;
    failed[1].address = {std::string(256, 'l'), std::string(255, 'd')};
    Message sent = report_about("Subject: x\r\n", failed);
    for (char c : *sent.content.bytes)
        REQUIRE((c == '\r' || c == '\n' || c == '\t' || (c >= ' ' && c <= '~')));
    Report report = take_apart(sent);
    REQUIRE(report.status.size() == failed.size() + 1);
    for (std::size_t at = 1; at < report.status.size(); ++at) {
        only(report.status[at], "final-recipient");
        only(report.status[at], "action");
        only(report.status[at], "status");
        CHECK(report.status[at].count("diagnostic-code") <= 1);
    }
}

TEST_CASE("the header that is returned", "[report]") {
    SECTION("8-bit makes the report an 8-bit one") {
        Message sent = report_about("Subject: m\xc3\xbc\r\n", {expired("x")});
        CHECK(sent.envelope.body == BodyType::eight_bit);
        Report report = take_apart(sent);
        CHECK(only(report.header, "content-transfer-encoding") == "8bit");
        CHECK(only(report.part_headers[2], "content-transfer-encoding") == "8bit");
    }
    SECTION("a long one is cut at a line") {
        std::string header;
        while (header.size() < 100'000) header += "X-Filler: " + std::to_string(header.size()) + "\r\n";
        Message sent = report_about(header, {expired("x")});
        CHECK(sent.content.size < 64 * 1024 + 4096);
        Report report = take_apart(sent);
        std::string returned = report.parts[2];
        fields(returned);
    }
    SECTION("none at all") { take_apart(report_about("", {expired("x")})); }
    SECTION("lines that begin with a dot") { take_apart(report_about(".X: y\r\n", {expired("x")})); }
}

TEST_CASE("a report about many recipients names the first and counts the others", "[report]") {
    std::vector<ReportedRecipient> failed;
    for (int at = 0; at < 1000; ++at) {
        failed.push_back(expired("x"));
        failed.back().address.local = "r" + std::to_string(at);
    }
    Message sent = report_about("A: b\r\n", failed);
    Report report = take_apart(sent);
    CHECK(report.status.size() == 101);
    CHECK(sent.content.size < 100'000);
    CHECK(sent.content.bytes->find("<r99@") != std::string::npos);
    CHECK(sent.content.bytes->find("<r100@") == std::string::npos);
    CHECK(sent.content.bytes->find("  and 900 more that are not named here\r\n") != std::string::npos);
}

TEST_CASE("what the sender gave to know its mail by comes back", "[report]") {
    Message about = original();
    about.envelope.envelope_id = "QQ314159+2Bx";
    auto one = refused({550, {5, 1, 1}, "no"});
    one.options.original = "rfc822;Bob+2Bold@example.org";
    auto strange = refused({550, {5, 1, 1}, "no"});
    strange.options.original = "not an address";
    Message sent = report_about("A: b\r\n", {one, strange}, about);
    Report report = take_apart(sent);
    CHECK(only(report.status[0], "original-envelope-id") == "QQ314159+x");
    CHECK(only(report.status[1], "original-recipient") == "rfc822; Bob+old@example.org");
    CHECK(only(report.status[1], "final-recipient") == "rfc822; bob@example.net");
    CHECK(report.status[2].count("original-recipient") == 0);
    CHECK(sent.envelope.options_of(0).notify == Notify{true, false, false, false});
    CHECK_FALSE(sent.envelope.utf8);
    CHECK_FALSE(sent.envelope.require_tls);
}

TEST_CASE("each kind of report says what it is", "[report]") {
    auto with = [](ReportAction action, Reply reply) {
        auto out = refused(std::move(reply));
        out.action = action;
        out.progress.status = action == ReportAction::failed    ? RecipientStatus::failed
                              : action == ReportAction::relayed ? RecipientStatus::delivered
                                                                : RecipientStatus::pending;
        out.next = now + std::chrono::minutes(10);
        out.give_up = now + std::chrono::hours(24);
        return out;
    };
    auto failed = with(ReportAction::failed, {550, {5, 1, 1}, "no"});
    auto delayed = with(ReportAction::delayed, {554, {5, 7, 1}, "listed, for now"});
    auto waiting = with(ReportAction::delayed, {});
    auto relayed = with(ReportAction::relayed, {250, {}, "ok"});

    SECTION("a delay") {
        Report report = take_apart(report_about("A: b\r\n", {delayed, waiting}));
        CHECK(only(report.header, "subject").find("delayed") != std::string::npos);
        CHECK(only(report.header, "auto-submitted") == "auto-replied");
        CHECK(only(report.status[1], "action") == "delayed");
        CHECK(only(report.status[1], "status") == "4.7.1");
        CHECK(only(report.status[2], "status").starts_with("4."));
        CHECK(only(report.status[1], "will-retry-until") == "Wed, 15 Nov 2023 22:15:00 +0000");
        CHECK(report.parts[0].find("next attempt: Tue, 14 Nov 2023 22:25:00 +0000") != std::string::npos);
        CHECK(report.parts[0].find("could not be delivered") == std::string::npos);
    }
    SECTION("relayed") {
        Report report = take_apart(report_about("A: b\r\n", {relayed}));
        CHECK(only(report.header, "subject").find("passed on") != std::string::npos);
        CHECK(only(report.status[1], "action") == "relayed");
        CHECK(only(report.status[1], "status") == "2.0.0");
        CHECK(report.status[1].count("will-retry-until") == 0);
        CHECK(report.parts[0].find("could not be delivered") == std::string::npos);
    }
    SECTION("all at once: the worst is the subject") {
        Report report = take_apart(report_about("A: b\r\n", {relayed, delayed, failed}));
        CHECK(only(report.header, "subject").starts_with("Undelivered"));
        CHECK(only(report.status[1], "action") == "relayed");
        CHECK(only(report.status[2], "action") == "delayed");
        CHECK(only(report.status[3], "action") == "failed");
        for (const char* words : {"could not be delivered", "tried again until", "mail servers of the"})
            CHECK(report.parts[0].find(words) != std::string::npos);
    }
}

TEST_CASE("the whole message comes back when that is wanted and allowed", "[report]") {
    const std::string header = "Subject: x\r\n", body = "\r\nline\r\n.dot\r\n";
    SECTION("in full") {
        Report report = take_apart(report_about(header, {expired("x")}, original(), body));
        CHECK(only(report.part_headers[2], "content-type") == "message/rfc822");
        CHECK(report.parts[2] == header + body + "\r\n");
    }
    SECTION("8-bit") {
        Message sent = report_about(header, {expired("x")}, original(), "\r\nm\xc3\xbc\r\n");
        CHECK(sent.envelope.body == BodyType::eight_bit);
        CHECK(only(take_apart(sent).part_headers[2], "content-transfer-encoding") == "8bit");
    }
    SECTION("not when the header had to be cut") {
        std::string filler;
        while (filler.size() < 100'000) filler += "X-Filler: y\r\n";
        Report report = take_apart(report_about(filler, {expired("x")}, original(), body));
        CHECK(only(report.part_headers[2], "content-type") == "text/rfc822-headers");
        CHECK(report.parts[2].find("line") == std::string::npos);
    }
    SECTION("not when TLS was required, and then the report requires it too") {
        Message about = original();
        about.envelope.require_tls = true;
        Message sent = report_about(header, {expired("x")}, about, body);
        CHECK(sent.envelope.require_tls);
        Report report = take_apart(sent);
        CHECK(only(report.part_headers[2], "content-type") == "text/rfc822-headers");
        CHECK(report.parts[2].find("line") == std::string::npos);
    }
}

TEST_CASE("reports about mail in UTF-8 are internationalized ones", "[report]") {
    Message about = original();
    about.envelope.utf8 = true;
    auto umlaut = refused({550, {5, 1, 1}, "no"});
    umlaut.address = {"m\xc3\xbcller", "example.net"};
    umlaut.options.original = "utf-8;M\\x{FC}ller@example.org";

    SECTION("a recipient") {
        Message sent = report_about("A: b\r\n", {umlaut}, about);
        CHECK(sent.envelope.utf8);
        CHECK(sent.envelope.body == BodyType::eight_bit);
        Report report = take_apart(sent);
        CHECK(only(report.part_headers[0], "content-type") == "text/plain; charset=utf-8");
        CHECK(only(report.part_headers[1], "content-type") == "message/global-delivery-status");
        CHECK(only(report.part_headers[2], "content-type") == "text/rfc822-headers");
        CHECK(only(report.status[1], "final-recipient") == "utf-8; m\xc3\xbcller@example.net");
        CHECK(only(report.status[1], "original-recipient") == "utf-8; M\xc3\xbcller@example.org");
    }
    SECTION("the header") {
        Message sent = report_about("Subject: m\xc3\xbc\r\n", {expired("x")}, about);
        CHECK(sent.envelope.utf8);
        Report report = take_apart(sent);
        CHECK(only(report.part_headers[1], "content-type") == "message/delivery-status");
        CHECK(only(report.part_headers[2], "content-type") == "message/global-headers");
        Report full = take_apart(report_about("Subject: m\xc3\xbc\r\n", {expired("x")}, about, "\r\nx\r\n"));
        CHECK(only(full.part_headers[2], "content-type") == "message/global");
    }
    SECTION("the sender") {
        about.envelope.reverse_path.local = "\xc3\xa4lice";
        Message sent = report_about("A: b\r\n", {expired("x")}, about);
        CHECK(sent.envelope.utf8);
        CHECK(only(take_apart(sent).header, "to") == "<\xc3\xa4lice@example.com>");
    }
    SECTION("nothing of that: an ordinary one, whatever was allowed") {
        Message sent = report_about("A: b\r\n", {expired("x")}, about);
        CHECK_FALSE(sent.envelope.utf8);
        CHECK(sent.envelope.body == BodyType::seven_bit);
    }
    SECTION("a header that is not even UTF-8") {
        Message sent = report_about("Subject: m\xfc\r\n", {expired("x")}, about);
        CHECK_FALSE(sent.envelope.utf8);
        CHECK(only(take_apart(sent).part_headers[2], "content-type") == "text/rfc822-headers");
    }
}

TEST_CASE("a report about forwarded mail goes to its origin", "[report]") {
    Message about = original();
    about.envelope.sent_as = {"SRS0=x=y=example.com=Alice", "gw.example"};
    CHECK(report_about("A: b\r\n", {expired("x")}, about).envelope.forward_paths ==
          std::vector<Address>{{"Alice", "example.com"}});
}
