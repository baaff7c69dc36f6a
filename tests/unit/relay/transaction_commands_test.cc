// What is sent of a transaction, by what the server offers.
#include <catch2/catch.hpp>
#include <string>

#include "tests/unit/relay/transaction.h"

using namespace postern::relay;
using namespace postern::tests;

TEST_CASE("a message larger than the server takes is not offered to it", "[transaction]") {
    Message message = message_of(1001);
    Extensions extensions;
    extensions.size = true;
    extensions.size_limit = 1000;
    for (bool reset : {false, true}) {
        extensions.pipelining = reset;
        Transaction transaction(message, recipients_of(2), extensions, with_reset(reset));
        REQUIRE(transaction.done());
        CHECK(transaction.to_send().empty());
        for (const auto& outcome : transaction.outcomes()) {
            CHECK(outcome.result == Outcome::Result::failed);
            // The server never said it.
            CHECK(outcome.reply.code == 0);
            CHECK(outcome.reply.status == EnhancedStatus{5, 3, 4});
            CHECK_FALSE(outcome.reason.empty());
        }
        CHECK(transaction.usable());
        CHECK(transaction.needs_reset() == reset);
    }
    message.content.size = 1000;
    CHECK_FALSE(Transaction(message, recipients_of(1), extensions, {}).done());
    message.content.trace = "x";
    CHECK(Transaction(message, recipients_of(1), extensions, {}).done());
}

TEST_CASE("MAIL tells what the server wants to know", "[transaction]") {
    Message message = message_of(77);
    message.envelope.body = BodyType::eight_bit;
    Extensions all, none;
    all.pipelining = all.eight_bit = all.starttls = all.size = true;
    CHECK(Transaction(message, recipients_of(1), all, {})
              .to_send()
              .starts_with("MAIL FROM:<s@example.com> SIZE=77 BODY=8BITMIME\r\n"));
    CHECK(Transaction(message, recipients_of(1), none, {}).to_send() == "MAIL FROM:<s@example.com>\r\n");
    message.envelope.reverse_path = {};
    message.envelope.body = BodyType::seven_bit;
    CHECK(Transaction(message, recipients_of(1), all, {}).to_send().starts_with("MAIL FROM:<> SIZE=77\r\n"));
}

TEST_CASE("parameters go only to a server that offers them", "[transaction]") {
    Message message = message_of(77);
    Envelope& envelope = message.envelope;
    envelope.utf8 = envelope.require_tls = true;
    envelope.envelope_id = "QQ+2B1";
    envelope.return_content = ReturnContent::headers;
    envelope.options.resize(envelope.forward_paths.size());
    envelope.options[0].notify = Notify{true, true, false, true};
    envelope.options[0].original = "rfc822;r0+2Bx@example.net";
    envelope.options[1].notify.given = true;
    envelope.sent_as = {"SRS0=x", "gw.example"};
    Extensions all, none;
    all.pipelining = all.utf8 = all.dsn = all.require_tls = none.pipelining = true;
    CHECK(Transaction(message, recipients_of(3), all, {}).to_send() ==
          "MAIL FROM:<SRS0=x@gw.example> SMTPUTF8 REQUIRETLS RET=HDRS ENVID=QQ+2B1\r\n"
          "RCPT TO:<r0@example.net> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;r0+2Bx@example.net\r\n"
          "RCPT TO:<r1@example.net> NOTIFY=NEVER\r\n"
          "RCPT TO:<r2@example.net>\r\nDATA\r\n");
    Transaction::Options without;
    without.bare = true;
    all.size = true;
    CHECK(Transaction(message, recipients_of(2), all, without).to_send() ==
          "MAIL FROM:<SRS0=x@gw.example> SMTPUTF8 REQUIRETLS\r\n"
          "RCPT TO:<r0@example.net>\r\nRCPT TO:<r1@example.net>\r\nDATA\r\n");
    Transaction::Options to_a_primary;
    to_a_primary.rewritten = false;
    CHECK(Transaction(message, recipients_of(1), none, to_a_primary).to_send() ==
          "MAIL FROM:<s@example.com>\r\nRCPT TO:<r0@example.net>\r\nDATA\r\n");
}

TEST_CASE("limits a server sets", "[transaction]") {
    auto limits = [](const char* line) {
        Extensions out = parse_extensions(Reply{250, {}, std::string("mx\n") + line});
        return std::pair(out.recipients_max, out.transactions_max);
    };
    CHECK(limits("LIMITS RCPTMAX=20 MAILMAX=5") == std::pair(20u, 5u));
    CHECK(limits("limits mailmax=7 RcptDomainMax=1") == std::pair(0u, 7u));
    CHECK(limits("LIMITS XRCPTMAX=3 RCPTMAX=-1") == std::pair(0u, 0u));
    CHECK(limits("LIMITS RCPTMAX=99999999999 MAILMAX=1x") == std::pair(0u, 0u));
    CHECK(limits("LIMITS") == std::pair(0u, 0u));
}

TEST_CASE("extensions a server offers", "[transaction]") {
    Extensions out = parse_extensions(
        Reply{250, {}, "PIPELINING.example SIZE\npipelining\nSize 1000\n8BitMime x\nSTARTTLS"});
    CHECK(out.pipelining);
    CHECK(out.eight_bit);
    CHECK(out.starttls);
    CHECK(out.size);
    CHECK(out.size_limit == 1000);
    struct Row {
        const char* line;
        bool size;
        std::uint64_t limit;
    };
    const Row rows[] = {{"SIZE", true, 0},    {"SIZE 0", true, 0},    {"SIZE junk", true, 0},
                        {"SIZE -5", true, 0}, {"SIZES 10", false, 0}, {"SIZE 18446744073709551616", true, 0},
                        {"", false, 0}};
    for (const auto& row : rows) {
        CAPTURE(row.line);
        Extensions one = parse_extensions(Reply{250, {}, std::string("host\n") + row.line});
        CHECK(one.size == row.size);
        CHECK(one.size_limit == row.limit);
        CHECK_FALSE(one.pipelining);
    }
    CHECK(parse_extensions(Reply{250, {}, "h\nAUTH=PLAIN login\nAUTH CRAM-MD5"}).auth ==
          std::vector<std::string>{"PLAIN", "LOGIN", "CRAM-MD5"});
    Extensions first = parse_extensions(Reply{250, {}, "PIPELINING"});
    CHECK_FALSE(first.pipelining);
    CHECK_FALSE(parse_extensions(Reply{250, {}, "h\nXPIPELINING\n PIPELINING"}).pipelining);
    CHECK(parse_extensions(Reply{250, {}, "\nPIPELINING"}).pipelining);
}
