#include "relay/reception/command_parser.h"

#include <catch2/catch.hpp>
#include <string>

#include "sync/base/ascii.h"

using namespace postern::relay;
using namespace std::string_literals;

namespace {
unsigned fault(std::string_view line) {
    auto parsed = parse_command(line);
    return parsed.fault ? parsed.fault->reply.code : 0;
}
}  // namespace

TEST_CASE("every verb, in any case", "[command]") {
    struct Row {
        const char* line;
        Verb verb;
    };
    const Row rows[] = {
        {"HELO a", Verb::helo},        {"EHLO a", Verb::ehlo},   {"MAIL FROM:<a@b>", Verb::mail},
        {"RCPT TO:<a@b>", Verb::rcpt}, {"DATA", Verb::data},     {"RSET", Verb::rset},
        {"NOOP", Verb::noop},          {"NOOP x y", Verb::noop}, {"QUIT", Verb::quit},
        {"VRFY a", Verb::vrfy},        {"HELP", Verb::help},     {"HELP mail", Verb::help},
        {"STARTTLS", Verb::starttls},  {"DATA ", Verb::data},    {"QUIT  ", Verb::quit},
    };
    for (const auto& row : rows) {
        std::string upper = row.line, small = postern::base::lower(upper), mixed = upper;
        for (std::size_t at = 0; at < mixed.size(); at += 2) mixed[at] = small[at];
        for (const auto& line : {upper, small, mixed}) {
            CAPTURE(line);
            auto parsed = parse_command(line);
            CHECK_FALSE(parsed.fault);
            CHECK(parsed.command.verb == row.verb);
        }
    }
    for (const char* line :
         {"GET / HTTP/1.1", "POST / HTTP/1.1", "CONNECT a:25 HTTP/1.0", "HEAD / HTTP/1.0", "PUT /x HTTP/1.1"})
        CHECK(parse_command(line).command.verb == Verb::foreign);
}

TEST_CASE("the greeting's name", "[command]") {
    std::string line = "EHLO  mail.example.com ";
    CHECK(parse_command(line).command.argument == "mail.example.com");
    for (const char* good :
         {"EHLO [192.0.2.1]", "HELO localhost", "EHLO under_score", "EHLO [IPv6:2001:db8::1]"})
        CHECK(fault(good) == 0);
    for (const std::string& bad : {"EHLO"s, "EHLO "s, "HELO"s, "EHLO a b"s, "EHLO a\tb"s, "EHLO <a>"s,
                                   "EHLO a(b)"s, "EHLO a\"b"s, "EHLO a\\b"s, "EHLO " + std::string(256, 'a')})
        CHECK(fault(bad) == 501);
    CHECK(fault("EHLO " + std::string(255, 'a')) == 0);
}

TEST_CASE("MAIL and its parameters", "[command]") {
    std::string line = "MAIL FROM:<Bob@Example.com> SIZE=1234 BODY=8BITMIME";
    auto parsed = parse_command(line);
    REQUIRE_FALSE(parsed.fault);
    CHECK(parsed.command.address == Address{"Bob", "example.com"});
    CHECK(parsed.command.size == 1234);
    CHECK(parsed.command.body == BodyType::eight_bit);

    for (const char* good :
         {"MAIL FROM:<>", "MAIL FROM: <a@b>", "mail from:<a@b> size=0", "MAIL FROM:<a@b> BODY=7BIT",
          "MAIL FROM:<a@b>  SIZE=1 ", "MAIL FROM:<a@b> body=8bitmime",
          "MAIL FROM:<a@b> SIZE=18446744073709551615", "MAIL  FROM:<a@b>", "MAIL FROM:<@x,@y:a@b>"}) {
        CAPTURE(good);
        CHECK(fault(good) == 0);
    }
    CHECK_FALSE(parse_command("MAIL FROM:<a@b>").command.size);
    CHECK(parse_command("MAIL FROM:<a@b> SIZE=0").command.size == 0);

    struct Row {
        std::string line;
        unsigned code;
    };
    const Row bad[] = {
        {"MAIL", 501},
        {"MAIL FROM", 501},
        {"MAIL FROM:", 501},
        {"MAIL TO:<a@b>", 501},
        {"MAIL FROM a@b", 501},
        {"MAIL FROM:a@b", 501},
        {"MAIL FROM:<a@b", 501},
        {"MAIL FROM:<a@b>x", 501},
        {"MAIL FROM:<a@b>SIZE=1", 501},
        {"MAIL FROM:<a b@c>", 501},
        {"MAIL FROM:<a>", 501},
        {"MAIL FROM:<a@b> SIZE", 501},
        {"MAIL FROM:<a@b> SIZE=", 501},
        {"MAIL FROM:<a@b> SIZE=-1", 501},
        {"MAIL FROM:<a@b> SIZE=+1", 501},
        {"MAIL FROM:<a@b> SIZE=1x", 501},
        {"MAIL FROM:<a@b> SIZE=0x10", 501},
        {"MAIL FROM:<a@b> SIZE=1.5", 501},
        {"MAIL FROM:<a@b> SIZE=18446744073709551616", 501},
        {"MAIL FROM:<a@b> SIZE=" + std::string(1000, '9'), 501},
        {"MAIL FROM:<a@b> SIZE=1 SIZE=2", 501},
        {"MAIL FROM:<a@b> SIZE=0 SIZE=0", 501},
        {"MAIL FROM:<a@b> BODY", 501},
        {"MAIL FROM:<a@b> BODY=", 501},
        {"MAIL FROM:<a@b> BODY=9BIT", 501},
        {"MAIL FROM:<a@b> BODY=BINARYMIME", 501},
        {"MAIL FROM:<a@b> BODY=7BIT BODY=8BITMIME", 501},
        {"MAIL FROM:<a@b> BODY=7BIT BODY=7BIT", 501},
        {"MAIL FROM:<a@b> JUNK", 555},
        {"MAIL FROM:<a@b> JUNK=1", 555},
        {"MAIL FROM:<a@b> =", 555},
        {"MAIL FROM:<a@b> =1", 555},
        {"MAIL FROM:<a@b> AUTH=<>", 555},
        {"MAIL FROM:<a@b> NOTIFY=NEVER", 555},
        {"MAIL FROM:<a@b> SIZE=1 " + std::string(1900, 'x'), 555},
    };
    for (const auto& row : bad) {
        CAPTURE(row.line);
        CHECK(fault(row.line) == row.code);
    }
}

TEST_CASE("RCPT and what it does not take", "[command]") {
    std::string line = "RCPT TO:<Bob@Example.com>";
    CHECK(parse_command(line).command.address == Address{"Bob", "example.com"});
    struct Row {
        std::string line;
        unsigned code;
    };
    const Row rows[] = {
        {"RCPT TO: <a@b>", 0},
        {"RCPT TO:<a@b> ", 0},
        {"RCPT", 501},
        {"RCPT TO:", 501},
        {"RCPT TO:<>", 501},
        {"RCPT FROM:<a@b>", 501},
        {"RCPT TO:<a@b>garbage", 501},
        {"RCPT TO:<a@[1.2.3.4]:25>", 501},
        {"RCPT TO:<a@b:25>", 501},
        {"RCPT TO:<a@b> RET=FULL", 555},
        {"RCPT TO:<a@b> SMTPUTF8", 555},
        {"RCPT TO:<a@b> SIZE=1", 555},
        {"RCPT TO:<\"x'/**/UNION\"@b>", 0},
    };
    for (const auto& row : rows) {
        CAPTURE(row.line);
        CHECK(fault(row.line) == row.code);
    }
}

TEST_CASE("lines that are no commands", "[command]") {
    const std::string unknown[] = {
        "",
        " ",
        "  DATA",
        "FOO",
        "DAT",
        "DATAX",
        "MAILFROM:<a@b>",
        "DATA\t",
        "MAIL\tFROM:<a@b>",
        "BDAT 0 LAST",
        "AUTH PLAIN",
        "XCLIENT ADDR=1.2.3.4",
        "PROXY TCP4 1.2.3.4 1.2.3.4 1 2",
        "EXPN a",
        "TURN",
        "\x16\x03\x01\x02\x01\x01",
        "NO\0OP"s,
        "NOOP\0"s,
        "NOOP \r"s,
        "NOOP\rDATA"s,
        "EHLO a\x0b"s,
        "EHLO\x0c a"s,
        "EHLO m\xc3\xbcller",
        "NOOP m\xc3\xbc",
        "\xc3\xbc",
        "NOOP \x7f",
        "NOOP \x1b[2J",
    };
    for (const auto& line : unknown) {
        CAPTURE(line);
        CHECK(fault(line) == 500);
    }
    for (const char* line : {"DATA x", "RSET x", "QUIT x", "STARTTLS x"}) CHECK(fault(line) == 501);
}

TEST_CASE("a fault's reply never repeats what the client said", "[command]") {
    for (const char* line :
         {"MAIL FROM:<evil evil>", "EVIL", "MAIL FROM:<a@b> EVIL=evil", "RCPT TO:<evil", "EHLO (evil)"}) {
        auto parsed = parse_command(line);
        REQUIRE(parsed.fault);
        CHECK(postern::base::lower(parsed.fault->reply.text).find("evil") == std::string::npos);
        CHECK(parsed.fault->reply.status.category == 5);
    }
}

TEST_CASE("what a sender asks reports for", "[command]") {
    auto mail = parse_command("MAIL FROM:<a@b> RET=HDRS ENVID=QQ+2B1 SIZE=5");
    REQUIRE_FALSE(mail.fault);
    CHECK(mail.command.return_content == ReturnContent::headers);
    CHECK(mail.command.envelope_id == "QQ+2B1");
    CHECK(mail.command.size == 5);
    CHECK(parse_command("MAIL FROM:<> ret=full").command.return_content == ReturnContent::full);
    CHECK(parse_command("MAIL FROM:<>").command.return_content == ReturnContent::unspecified);

    struct Row {
        const char* value;
        Notify notify;
    };
    const Row rows[] = {{"NEVER", {true, false, false, false}},
                        {"never", {true, false, false, false}},
                        {"SUCCESS", {true, true, false, false}},
                        {"FAILURE,DELAY", {true, false, true, true}},
                        {"delay,Success,FAILURE", {true, true, true, true}}};
    for (const auto& row : rows) {
        auto rcpt =
            parse_command("RCPT TO:<a@b> ORCPT=RFC822;Bob+2Bx@Example.com NOTIFY=" + std::string(row.value));
        CAPTURE(row.value);
        REQUIRE_FALSE(rcpt.fault);
        CHECK(rcpt.command.options.notify == row.notify);
        CHECK(rcpt.command.options.original == "rfc822;Bob+2Bx@Example.com");
    }
    CHECK(parse_command("RCPT TO:<a@b>").command.options == RecipientOptions());

    const std::string x(100, 'x');
    CHECK(fault("MAIL FROM:<a@b> ENVID=" + x) == 0);
    CHECK(fault("RCPT TO:<a@b> ORCPT=rfc822;" + std::string(493, 'x')) == 0);
    for (const std::string& bad : {
             "MAIL FROM:<a@b> RET"s,
             "MAIL FROM:<a@b> RET="s,
             "MAIL FROM:<a@b> RET=HEADERS"s,
             "MAIL FROM:<a@b> RET=FULL RET=FULL"s,
             "MAIL FROM:<a@b> ENVID=a ENVID=a"s,
             "RCPT TO:<a@b> NOTIFY"s,
             "RCPT TO:<a@b> NOTIFY="s,
             "RCPT TO:<a@b> NOTIFY=,"s,
             "RCPT TO:<a@b> NOTIFY=SUCCESS,"s,
             "RCPT TO:<a@b> NOTIFY=,SUCCESS"s,
             "RCPT TO:<a@b> NOTIFY=NEVER,SUCCESS"s,
             "RCPT TO:<a@b> NOTIFY=SUCCESS,NEVER"s,
             "RCPT TO:<a@b> NOTIFY=NEVER,NEVER"s,
             "RCPT TO:<a@b> NOTIFY=SUCCESS,SUCCESS"s,
             "RCPT TO:<a@b> NOTIFY=ALWAYS"s,
             "RCPT TO:<a@b> NOTIFY=NEVER NOTIFY=NEVER"s,
             "RCPT TO:<a@b> ORCPT=rfc822;a ORCPT=rfc822;a"s,
             "MAIL FROM:<a@b> SMTPUTF8="s,
             "MAIL FROM:<a@b> SMTPUTF8=1"s,
             "MAIL FROM:<a@b> SMTPUTF8 smtputf8"s,
             "MAIL FROM:<a@b> REQUIRETLS=1"s,
             "MAIL FROM:<a@b> REQUIRETLS REQUIRETLS"s,
         }) {
        CAPTURE(bad);
        auto parsed = parse_command(bad);
        REQUIRE(parsed.fault);
        CHECK(parsed.fault->reply.code == 501);
        CHECK(parsed.fault->reply.status == EnhancedStatus{5, 5, 4});
    }
}

TEST_CASE("what only adorns a report is left out when it is not well-formed, and the mail taken",
          "[command]") {
    const std::string x(100, 'x');
    for (const std::string& id : {""s, "="s, "=a+2"s, "=a+0D+0A"s, "=a=b"s, "=\xc3\xbc"s, "=x" + x}) {
        CAPTURE(id);
        auto parsed = parse_command("MAIL FROM:<a@b> ENVID" + id + " RET=FULL");
        REQUIRE_FALSE(parsed.fault);
        CHECK(parsed.command.envelope_id.empty());
        CHECK_FALSE(parsed.command.beyond_ascii);
        CHECK(parsed.command.return_content == ReturnContent::full);
    }
    for (const std::string& original :
         {""s, "="s, "=a@b"s, "=rfc822;"s, "=rfc822;a+0Ab"s, "=rfc822;m\xc3\xbc@b"s, "=rfc822;bob+news@b"s,
          "=rfc822;bob+2btag@b"s, "=rfc822;srs0=ab=cd=x=bob@b"s, "=rfc822"s, "=" + x,
          "=rfc822;" + std::string(494, 'x')}) {
        CAPTURE(original);
        auto parsed = parse_command("RCPT TO:<a@b> ORCPT" + original + " NOTIFY=NEVER");
        REQUIRE_FALSE(parsed.fault);
        CHECK(parsed.command.options.original.empty());
        CHECK_FALSE(parsed.command.beyond_ascii);
        CHECK(parsed.command.options.notify.given);
    }
}

TEST_CASE("more than ASCII", "[command]") {
    auto mail = parse_command("MAIL FROM:<m\xc3\xbc@b\xc3\xbc.example> SMTPUTF8");
    REQUIRE_FALSE(mail.fault);
    CHECK(mail.command.utf8);
    CHECK(mail.command.beyond_ascii);
    CHECK(mail.command.address == Address{"m\xc3\xbc", "xn--b-eha.example"});
    auto plain = parse_command("MAIL FROM:<a@b> SMTPUTF8");
    CHECK(plain.command.utf8);
    CHECK_FALSE(plain.command.beyond_ascii);
    auto original = parse_command("RCPT TO:<a@b> ORCPT=utf-8;m\xc3\xbc@b");
    CHECK(original.command.options.original == "utf-8;m\\x{FC}@b");
    CHECK(original.command.beyond_ascii);
    CHECK_FALSE(parse_command("RCPT TO:<a@b> ORCPT=utf-8;m\\x{FC}@b").command.beyond_ascii);
    CHECK(parse_command("VRFY m\xc3\xbc SMTPUTF8").command.utf8);
    CHECK_FALSE(parse_command("VRFY SMTPUTF8").command.utf8);
    CHECK(parse_command("VRFY m\xc3\xbc").command.beyond_ascii);

    for (const char* bad :
         {"MAIL FROM:<m\xfc@b> SMTPUTF8", "RCPT TO:<\xc0\x80@b>", "RCPT TO:<\xed\xa0\x80@b>",
          "RCPT TO:<a\xc2\x85@b>", "VRFY \xff", "MAIL FROM:<a@\xe2\x84\x80.b> SMTPUTF8"})
        CHECK(fault(bad) == 501);
    CHECK(fault("RCPT TO:<a@b> N\xc3\xbc=1") == 555);
}

TEST_CASE("the postmaster needs no domain", "[command]") {
    for (const char* line :
         {"RCPT TO:<Postmaster>", "RCPT TO:<postmaster>", "RCPT TO:<POSTMASTER> NOTIFY=NEVER"}) {
        auto parsed = parse_command(line);
        REQUIRE_FALSE(parsed.fault);
        CHECK(postern::base::lower(parsed.command.address.local) == "postmaster");
        CHECK(parsed.command.address.domain.empty());
    }
    CHECK(parse_command("RCPT TO:<Postmaster@b>").command.address.domain == "b");
    for (const char* bad :
         {"RCPT TO:<postmaster>x", "RCPT TO:<postmasterx>", "MAIL FROM:<postmaster>", "RCPT TO:<alice>"})
        CHECK(fault(bad) == 501);
}
