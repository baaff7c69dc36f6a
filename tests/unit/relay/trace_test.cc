#include "relay/mail/trace.h"

#include <catch2/catch.hpp>
#include <regex>

using namespace postern::relay;

namespace {

const MessageId id{1'700'000'000'123'456ull << 8};

/// A field unfolded (RFC 5322 §2.2.3), its CRLF gone; fails where a line is no continuation or too long.
std::string unfold(const std::string& field) {
    std::string out;
    std::size_t at = 0;
    while (at < field.size()) {
        std::size_t end = field.find("\r\n", at);
        REQUIRE(end != std::string::npos);
        REQUIRE(end - at <= 998);
        std::string line = field.substr(at, end - at);
        REQUIRE(line.find_first_of("\r\n") == std::string::npos);
        REQUIRE(line.find_first_not_of(" \t") != std::string::npos);
        if (at > 0) REQUIRE((line[0] == ' ' || line[0] == '\t'));
        out += line;
        at = end + 2;
    }
    return out;
}

}  // namespace

TEST_CASE("the Received field", "[trace]") {
    Time now = id.arrived();
    std::string plain =
        unfold(received_field({"mail.example.com", "192.0.2.7", "gw.example", "ESMTP", "", ""}, id, now));
    CHECK(plain == "Received: from mail.example.com ([192.0.2.7])\tby gw.example with ESMTP id " + id.text() +
                       ";\tTue, 14 Nov 2023 22:13:20 +0000");

    std::string full = unfold(received_field({"[192.0.2.7]", "2001:db8::7", "gw.example", "ESMTPS",
                                              "TLSv1.3 with cipher TLS_AES_256_GCM_SHA384", "a@example.net"},
                                             id, now));
    CHECK(full.find("([IPv6:2001:db8::7])") != std::string::npos);
    CHECK(full.find("with ESMTPS id ") != std::string::npos);
    CHECK(full.find("for <a@example.net>;") != std::string::npos);
    CHECK(full.find("(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384)") != std::string::npos);
}

TEST_CASE("the Received field stays within the line length whatever goes into it", "[trace]") {
    std::string name(255, 'n'), recipient = std::string(256, 'l') + '@' + std::string(255, 'd');
    unfold(received_field(
        {name, "2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff", name, "ESMTPS", std::string(100, 't'), recipient},
        id, id.arrived()));
}

TEST_CASE("a recipient is named only when it is given, so that blind copies stay blind", "[trace]") {
    std::string field = received_field({"h", "192.0.2.7", "gw", "ESMTP", "", ""}, id, id.arrived());
    CHECK(field.find('@') == std::string::npos);
    CHECK(field.find("for") == std::string::npos);
}

TEST_CASE("Received fields are counted in the header only", "[trace]") {
    struct Row {
        std::string content;
        std::size_t count;
    };
    const Row rows[] = {
        {"", 0},
        {"\r\n", 0},
        {"\r\nReceived: in the body\r\n", 0},
        {"Received: a\r\n\r\nReceived: in the body\r\n", 1},
        {"Received: a\r\nReceived: b\r\n", 2},
        {"received: a\r\nRECEIVED: b\r\nReCeIvEd:c\r\n\r\n", 3},
        {"Received: a\r\n\tReceived: folded\r\n Received: folded\r\n\r\n", 1},
        {"X-Received: a\r\nReceivedX: b\r\nReceived-SPF: pass\r\n\r\n", 0},
        {"Received: a", 1},
        {"Received", 0},
        {"Received:", 1},
        {"Subject: x\r\n", 0},
        {std::string("Re\0ceived: a\r\n", 14), 0},
        {" Received: a\r\n\r\n", 0},
    };
    for (const auto& row : rows) {
        CAPTURE(row.content);
        CHECK(count_received(row.content) == row.count);
    }
    std::string many;
    for (int at = 0; at < 100'000; ++at) many += "Received: x\r\n";
    CHECK(count_received(many) == 100'000);
}

TEST_CASE("the header of a message", "[trace]") {
    CHECK(header_of("").empty());
    CHECK(header_of("\r\nbody\r\n").empty());
    CHECK(header_of("A: b\r\n\r\nbody\r\n") == "A: b\r\n");
    CHECK(header_of("A: b\r\n c\r\nD: e\r\n\r\n") == "A: b\r\n c\r\nD: e\r\n");
    CHECK(header_of("A: b\r\n") == "A: b\r\n");
}

TEST_CASE("what the header says about TLS", "[trace]") {
    struct Row {
        const char* content;
        bool optional;
    };
    const Row rows[] = {
        {"TLS-Required: No\r\n\r\n", true},
        {"tls-required:no", true},
        {"A: b\r\nTLS-REQUIRED: \t NO \t\r\n\r\n", true},
        {"TLS-Required:\r\n No\r\n\r\n", true},
        {"TLS-Required: \r\n\t\r\n no \r\nA: b\r\n\r\n", true},
        {"TLS-Required: N\r\n o\r\n\r\n", false},
        {"TLS-Required:\r\nNo\r\n\r\n", false},
        {"TLS-Required:\r\n ", false},
        {"TLS-Required: Yes\r\n\r\n", false},
        {"TLS-Required: No, thanks\r\n\r\n", false},
        {"TLS-Required:\r\n\r\n", false},
        {"\r\nTLS-Required: No\r\n", false},
        {"A: b\r\n\r\nTLS-Required: No\r\n", false},
        {"A: b\r\n TLS-Required: No\r\n\r\n", false},
        {"X-TLS-Required: No\r\n\r\n", false},
        {"", false},
    };
    for (const auto& row : rows) {
        CAPTURE(row.content);
        CHECK(says_tls_optional(row.content) == row.optional);
    }
}

TEST_CASE("the Message-ID is found, unfolded and bounded", "[trace]") {
    CHECK(
        message_id_of("Subject: x\r\nmessage-ID:\r\n  <1@a.example> \r\nTo: b\r\n\r\nMessage-ID: <2>\r\n") ==
        "<1@a.example>");
    CHECK(message_id_of("Subject: x\r\n\r\nMessage-ID: <2>\r\n").empty());
    CHECK(message_id_of("Message-ID: " + std::string(1000, 'a') + "\r\n\r\n").size() == 250);
    CHECK(message_id_of("").empty());
}
