#include "relay/delivery/meaning.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

using namespace postern::relay;
using enum Meaning;

namespace {

Reply reply_of(std::string line) {
    ReplyParser parser;
    if (line.empty()) return {};
    REQUIRE(parser.feed(line) == ReplyParser::Step::complete);
    return parser.take();
}

constexpr Before fresh{}, rested{.reused = true}, used{.reused = true, .took = true}, some{.recipients = 3},
    used_some{.reused = true, .took = true, .recipients = 3}, asked{.parameters = true},
    tls{.unproven_tls = true}, used_tls{.reused = true, .took = true, .unproven_tls = true},
    clear{.gave_up_tls = true}, clear_some{.recipients = 1, .gave_up_tls = true};

struct Row {
    Stage stage;
    const char* reply;  // "": the connection failed
    Before before;
    Meaning meaning;
};

void check(const std::vector<Row>& rows) {
    for (const auto& row : rows) {
        const Before& b = row.before;
        CAPTURE(text_of(row.stage), row.reply, b.reused, b.took, b.recipients, b.parameters, b.unproven_tls,
                b.gave_up_tls);
        CHECK(int(meaning_of(row.stage, reply_of(row.reply), b)) == int(row.meaning));
    }
}

}  // namespace

TEST_CASE("what the opening of a session means", "[meaning]") {
    check({
        {Stage::connect, "", fresh, host},
        {Stage::greeting, "220 mx", fresh, go_on},
        {Stage::greeting, "", fresh, host},
        {Stage::greeting, "250 mx", fresh, host},
        {Stage::greeting, "421 4.3.2 busy", fresh, host},
        {Stage::greeting, "554 5.7.1 not you", fresh, host},
        {Stage::greeting, "521 5.3.2 no mail here", fresh, host_for_good},
        {Stage::ehlo, "250 mx", fresh, go_on},
        {Stage::ehlo, "354 go", fresh, host},
        {Stage::ehlo, "", fresh, host},
        {Stage::ehlo, "", tls, clear_text},
        {Stage::ehlo, "450 4.7.1 later", tls, host},
        {Stage::ehlo, "521 no mail here", fresh, host_for_good},
        {Stage::ehlo, "550 5.7.1 who are you", fresh, host_for_good},
        {Stage::ehlo, "554 who are you", fresh, host_for_good},
        {Stage::ehlo, "550 who are you", clear, host},
        {Stage::ehlo, "500 what", fresh, host},
        {Stage::ehlo, "501 bad name", fresh, host},
        {Stage::ehlo, "502 what", fresh, host},
        {Stage::ehlo, "504 what", fresh, host},
        {Stage::tls, "220 go", fresh, go_on},
        {Stage::tls, "454 not now", fresh, clear_text},
        {Stage::tls, "502 what", fresh, clear_text},
        {Stage::tls, "", fresh, clear_text},
        {Stage::auth, "535 5.7.8 wrong", fresh, host},
        {Stage::auth, "521 no", fresh, host},
    });
}

TEST_CASE("success, and what is asked to go on", "[meaning]") {
    for (const auto& before : {fresh, used, some, asked, tls, clear})
        check({{Stage::rset, "250 ok", before, go_on},
               {Stage::mail, "250 ok", before, go_on},
               {Stage::rcpt, "251 will forward", before, go_on},
               {Stage::data, "354 go", before, go_on},
               {Stage::dot, "250 taken", before, go_on},
               {Stage::dot, "299 taken", before, go_on}});
}

TEST_CASE("silence", "[meaning]") {
    check({
        {Stage::mail, "", fresh, broken},
        {Stage::rcpt, "", fresh, broken},
        {Stage::data, "", some, broken},
        {Stage::content, "", some, broken},
        {Stage::dot, "", some, broken},
        {Stage::rset, "", rested, session},
        {Stage::mail, "", rested, session},
        {Stage::rcpt, "", used_some, session},
        {Stage::data, "", used_some, session},
        {Stage::content, "", used_some, session},
        {Stage::dot, "", used_some, broken},  // it may have been taken: no second copy at once
        {Stage::mail, "", tls, clear_text},
        {Stage::mail, "", used_tls, session},
        {Stage::rcpt, "", tls, broken},
        {Stage::dot, "", tls, broken},
        {Stage::mail, "", clear, broken},
    });
}

TEST_CASE("a session that is over is no verdict", "[meaning]") {
    for (const char* reply :
         {"503 5.5.1 sender already given", "500 what", "502 what", "530 sign in", "421 enough"})
        check({{Stage::rset, reply, rested, session},
               {Stage::mail, reply, rested, session},
               {Stage::rcpt, reply, rested, session},
               {Stage::rcpt, reply, used_some, session},
               {Stage::data, reply, used_some, session}});
    // Once a MAIL was taken, another that is not may have been one too many.
    for (const char* reply : {"452 4.3.1 full", "451 4.3.0 later", "550 5.7.1 not you", "554 enough"})
        check({{Stage::mail, reply, used, session}, {Stage::rset, reply, rested, session}});
    check({
        {Stage::mail, "452 4.3.1 full", rested, deferred},
        {Stage::mail, "550 5.7.1 not you", rested, failed},
        {Stage::mail, "503 5.5.1 what", fresh, failed},
        {Stage::mail, "421 4.3.2 down", fresh, deferred},
        {Stage::rcpt, "421 4.3.2 down", some, deferred},
        {Stage::dot, "421 4.3.2 down", used_some, deferred},
        {Stage::dot, "503 what", used_some, failed},
        {Stage::content, "421 4.3.2 down", used_some, session},
        {Stage::rcpt, "503 5.5.1 MAIL first", fresh, broken},
        {Stage::data, "503 5.5.1 RCPT first", some, broken},
        {Stage::rcpt, "500 5.5.2 what", fresh, failed},
        // Out of turn.
        {Stage::mail, "354 go", fresh, broken},
        {Stage::mail, "354 go", used, session},
        {Stage::rcpt, "334 go", fresh, broken},
        {Stage::data, "250 ok", some, broken},
        {Stage::data, "250 ok", used_some, session},
        {Stage::content, "250 ok", some, broken},
        {Stage::dot, "354 go", used_some, broken},
    });
}

TEST_CASE("verdicts about a message and its recipients", "[meaning]") {
    check({
        {Stage::mail, "550 5.7.1 not you", fresh, failed},
        {Stage::mail, "450 4.7.1 later", fresh, deferred},
        {Stage::mail, "552 5.3.4 too big", fresh, failed},
        {Stage::rcpt, "550 5.1.1 who", used_some, failed},
        {Stage::rcpt, "450 4.2.0 greylisted", used_some, deferred},
        {Stage::rcpt, "601 no", fresh, failed},
        {Stage::data, "451 4.3.0 later", used_some, deferred},
        {Stage::data, "554 5.7.1 no", used_some, failed},
        {Stage::content, "552 5.3.4 too big", used_some, failed},
        {Stage::content, "452 4.3.1 full", some, deferred},
        {Stage::dot, "554 5.7.1 spam", used_some, failed},
        {Stage::dot, "452 4.3.1 full", used_some, deferred},
        {Stage::dot, "550 5.5.3 too many recipients", used_some, failed},
    });
}

TEST_CASE("too many recipients", "[meaning]") {
    for (const char* reply :
         {"450 4.5.3 many", "451 4.5.3 many", "452 4.5.3 many", "455 4.5.3 many", "421 4.5.3 many",
          "550 5.5.3 many", "552 5.5.3 many", "554 5.5.3 many", "452 many", "552 many", "452 4.3.1 many"})
        check({{Stage::rcpt, reply, some, too_many}, {Stage::rcpt, reply, used_some, too_many}});
    check({
        {Stage::rcpt, "452 4.5.3 many", fresh, deferred},
        {Stage::rcpt, "550 5.5.3 many", fresh, failed},
        {Stage::rcpt, "552 mailbox full", fresh, failed},
        {Stage::rcpt, "552 5.2.2 mailbox full", some, failed},
        {Stage::rcpt, "552 5.3.4 too big", some, failed},
        {Stage::rcpt, "552 5.7.0 no", some, failed},
        {Stage::rcpt, "452 4.2.2 mailbox full", some, deferred},
        {Stage::mail, "452 4.5.3 many", fresh, deferred},
    });
}

TEST_CASE("parameters that are offered and not taken", "[meaning]") {
    for (const char* reply : {"501 5.5.4 what", "504 what", "555 5.5.4 what"})
        check({{Stage::mail, reply, asked, bare},
               {Stage::rcpt, reply, asked, bare},
               {Stage::mail, reply, fresh, failed},
               {Stage::rcpt, reply, fresh, failed}});
    check({{Stage::rcpt, "501 5.1.3 bad address", asked, failed},
           {Stage::rcpt, "550 5.1.1 who", asked, failed}});
}

TEST_CASE("clear text only because TLS failed", "[meaning]") {
    check({
        {Stage::mail, "530 5.7.0 Must issue a STARTTLS command first", clear, deferred},
        {Stage::mail, "554 no", clear, deferred},
        {Stage::rcpt, "530 no", clear, deferred},
        {Stage::rcpt, "554 5.7.1 encryption required", clear_some, deferred},
        {Stage::rcpt, "554 5.7.10 no", clear_some, deferred},
        {Stage::rcpt, "550 5.1.1 who", clear_some, failed},
        {Stage::dot, "554 5.7.1 spam", clear_some, failed},
        {Stage::mail, "530 5.7.0 Must issue a STARTTLS command first", fresh, failed},
    });
}
