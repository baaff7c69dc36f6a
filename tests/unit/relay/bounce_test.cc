#include "relay/delivery/bounce.h"

#include <catch2/catch.hpp>
#include <map>
#include <string>
#include <vector>

using namespace postern::relay;

namespace {

const MessageId original_id{1'700'000'000'000'000ull << 8}, bounce_id{1'700'000'100'000'000ull << 8};
const Time now = bounce_id.arrived();

Message original() {
    Message out;
    out.id = original_id;
    out.envelope.reverse_path = {"Alice", "example.com"};
    out.envelope.forward_paths = {{"bob", "example.net"}};
    out.envelope.primary = "main";
    out.envelope.body = BodyType::eight_bit;
    return out;
}

FailedRecipient refused(Reply reply, std::string host = "mx.example.net[192.0.2.9]:25") {
    FailedRecipient out;
    out.address = {"bob", "example.net"};
    out.progress.status = RecipientStatus::failed;
    out.progress.reply = std::move(reply);
    out.progress.host = std::move(host);
    out.progress.stage = "rcpt";
    return out;
}

FailedRecipient expired(std::string reason) {
    FailedRecipient out;
    out.address = {"carol", "example.org"};
    out.progress.status = RecipientStatus::failed;
    out.progress.reason = std::move(reason);
    return out;
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
        last = out.emplace(lower(line.substr(0, colon)), line.substr(colon + 2));
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

Report take_apart(const Message& bounce) {
    REQUIRE(bounce.content.bytes);
    std::string text = *bounce.content.bytes;
    REQUIRE(bounce.content.size == text.size());
    REQUIRE(bounce.content.checksum == checksum(text));
    REQUIRE(text.ends_with("\r\n"));
    REQUIRE(bounce.content.dots == (("\r\n" + text).find("\r\n.") != std::string::npos));
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

TEST_CASE("a report has the form of RFC 3464 and the marks of RFC 3834", "[bounce]") {
    Message bounce =
        make_bounce("gw.example", original(), "Subject: hello\r\nX-A: b\r\n c\r\n",
                    {refused({550, {5, 1, 1}, "no such\nuser"}), expired("given up after 5 days: timed out")},
                    bounce_id, now);
    CHECK(bounce.id == bounce_id);
    CHECK(bounce.envelope.reverse_path.null());
    CHECK(bounce.envelope.forward_paths == std::vector<Address>{{"Alice", "example.com"}});
    CHECK(bounce.envelope.primary == "main");
    CHECK(bounce.envelope.bounce);
    CHECK(bounce.envelope.body == BodyType::seven_bit);

    Report report = take_apart(bounce);
    CHECK(only(report.header, "to") == "<Alice@example.com>");
    CHECK(only(report.header, "from").find("<MAILER-DAEMON@gw.example>") != std::string::npos);
    CHECK(only(report.header, "date") == "Tue, 14 Nov 2023 22:15:00 +0000");
    CHECK(only(report.header, "auto-submitted") == "auto-replied");
    CHECK(only(report.header, "mime-version") == "1.0");
    CHECK(only(report.header, "message-id").find(bounce_id.text()) != std::string::npos);
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

TEST_CASE("the status of a report", "[bounce]") {
    struct Row {
        Reply reply;
        const char* status;
    };
    const Row rows[] = {{{550, {5, 1, 1}, ""}, "5.1.1"},
                        {{550, {}, ""}, "5.0.0"},
                        {{450, {}, ""}, "4.0.0"},
                        {{452, {4, 2, 2}, ""}, "4.2.2"},
                        {{}, "4.4.7"}};
    for (const auto& row : rows) {
        RecipientProgress progress;
        progress.reply = row.reply;
        CHECK(report_status(progress).text() == row.status);
    }
}

TEST_CASE("nothing a remote server says breaks the report", "[bounce]") {
    std::string nasty = "a\r\n.\r\nMAIL FROM:<x@y>\r\n\r\n--=_\x1b[2J\x01\x7f\xc3\xbc%s%n\tend";
    nasty += '\0';
    const std::string longest(16 * 1024, 'x');
    const std::string long_host = std::string(253, 'h') + "[2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff]:65535";
    std::vector<FailedRecipient> failed{refused({550, {5, 1, 1}, nasty}),
                                        refused({550, {5, 999, 999}, longest}, long_host),
                                        refused({550, {}, ""}, ""),
                                        refused({550, {}, nasty}, nasty),
                                        expired(nasty),
                                        expired(longest),
                                        expired("")};
    failed[1].progress.reason = longest;
    failed[1].address = {std::string(256, 'l'), std::string(255, 'd')};
    Message bounce = make_bounce("gw.example", original(), "Subject: x\r\n", failed, bounce_id, now);
    for (char c : *bounce.content.bytes)
        REQUIRE((c == '\r' || c == '\n' || c == '\t' || (c >= ' ' && c <= '~')));
    Report report = take_apart(bounce);
    REQUIRE(report.status.size() == failed.size() + 1);
    for (std::size_t at = 1; at < report.status.size(); ++at) {
        only(report.status[at], "final-recipient");
        only(report.status[at], "action");
        only(report.status[at], "status");
        CHECK(report.status[at].count("diagnostic-code") <= 1);
    }
}

TEST_CASE("the header that is returned", "[bounce]") {
    SECTION("8-bit makes the report an 8-bit one") {
        Message bounce =
            make_bounce("gw.example", original(), "Subject: m\xc3\xbc\r\n", {expired("x")}, bounce_id, now);
        CHECK(bounce.envelope.body == BodyType::eight_bit);
        Report report = take_apart(bounce);
        CHECK(only(report.header, "content-transfer-encoding") == "8bit");
        CHECK(only(report.part_headers[2], "content-transfer-encoding") == "8bit");
    }
    SECTION("a long one is cut at a line") {
        std::string header;
        while (header.size() < 100'000) header += "X-Filler: " + std::to_string(header.size()) + "\r\n";
        Message bounce = make_bounce("gw.example", original(), header, {expired("x")}, bounce_id, now);
        CHECK(bounce.content.size < 64 * 1024 + 4096);
        Report report = take_apart(bounce);
        std::string returned = report.parts[2];
        fields(returned);
    }
    SECTION("none at all") {
        take_apart(make_bounce("gw.example", original(), "", {expired("x")}, bounce_id, now));
    }
    SECTION("lines that begin with a dot") {
        take_apart(make_bounce("gw.example", original(), ".X: y\r\n", {expired("x")}, bounce_id, now));
    }
}

TEST_CASE("a report about many recipients names each", "[bounce]") {
    std::vector<FailedRecipient> failed;
    for (int at = 0; at < 1000; ++at) {
        failed.push_back(expired("x"));
        failed.back().address.local = "r" + std::to_string(at);
    }
    Report report = take_apart(make_bounce("gw.example", original(), "A: b\r\n", failed, bounce_id, now));
    CHECK(report.status.size() == 1001);
}
