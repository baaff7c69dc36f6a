#include "relay/delivery/transaction.h"

#include <catch2/catch.hpp>
#include <deque>
#include <string>

#include "tests/unit/relay/transaction.h"

using namespace postern::relay;
using namespace postern::tests;

TEST_CASE("one command after the other, or all in one go", "[transaction]") {
    Played slow = play({250, 250, 250, 354, 250}, 2, false);
    CHECK(slow.sent ==
          "MAIL FROM:<s@example.com>\r\nRCPT TO:<r0@example.net>\r\nRCPT "
          "TO:<r1@example.net>\r\nDATA\r\n<content>");
    CHECK(slow.results == "dd");
    CHECK(slow.usable);
    CHECK_FALSE(slow.needs_reset);
    Played quick = play({250, 250, 250, 354, 250}, 2, true);
    CHECK(quick.sent == slow.sent);
    CHECK(quick.results == "dd");
    CHECK(play({250, 250, 250, 354, 250}, 1, true, true).sent.starts_with("RSET\r\nMAIL FROM:"));
    CHECK(play({250, 250, 250, 354, 250}, 1, false, true).results == "d");
}

TEST_CASE("each recipient has the outcome its replies give it", "[transaction]") {
    struct Row {
        std::deque<unsigned> replies;
        std::size_t recipients;
        const char* results;
    };
    const Row both[] = {
        // MAIL, RCPT..., DATA, dot
        {{250, 250, 354, 250}, 1, "d"},
        {{250, 251, 354, 250}, 1, "d"},
        {{250, 250, 450, 550, 354, 250}, 3, "dtf"},
        {{250, 550, 250, 550, 354, 250}, 3, "fdf"},
        {{250, 250, 450, 550, 354, 451}, 3, "ttf"},
        {{250, 250, 450, 550, 354, 554}, 3, "ftf"},
        {{250, 250, 552, 354, 250}, 2, "dt"},
        {{250, 552, 250, 354, 250}, 2, "fd"},
        {{250, 601, 250, 354, 250}, 2, "fd"},
        {{250, 250, 452, 354, 250}, 2, "dt"},
        {{250, 250, 250, 451}, 2, "tt"},
        {{250, 250, 250, 554}, 2, "ff"},
        {{250, 250, 550, 451}, 2, "tf"},
        {{250, 250, 354, 552}, 1, "f"},
        {{250, 250, 354, 421}, 1, "t"},
    };
    for (const auto& row : both)
        for (bool pipelining : {false, true}) {
            CAPTURE(pipelining, row.results, row.replies);
            Played out = play(row.replies, row.recipients, pipelining);
            CHECK(out.results == row.results);
            CHECK(out.replies_left == 0);
        }

    Played refused = play({550}, 2, false);
    CHECK(refused.results == "ff");
    CHECK(refused.stages == std::vector<std::string>{"mail", "mail"});
    CHECK(refused.usable);
    CHECK(play({450}, 2, false).results == "tt");
    Played piped = play({550, 503, 503, 503}, 2, true);
    CHECK(piped.results == "ff");
    CHECK(piped.codes == std::vector<unsigned>{550, 550});
    CHECK(piped.replies_left == 0);
    Played later = play({450, 503, 503, 503}, 2, true);
    CHECK(later.results == "tt");
    CHECK(later.codes == std::vector<unsigned>{450, 450});
    CHECK(play({550, 250, 250, 503}, 2, true).results == "ff");
}

TEST_CASE("nobody is left", "[transaction]") {
    Played slow = play({250, 550, 450}, 2, false);
    CHECK(slow.results == "ft");
    CHECK(slow.sent.find("DATA") == std::string::npos);
    CHECK(slow.usable);
    CHECK(slow.needs_reset);

    Played refused = play({250, 550, 450, 554}, 2, true);
    CHECK(refused.results == "ft");
    CHECK(refused.codes == std::vector<unsigned>{550, 450});
    CHECK(refused.usable);

    // The server asks for content although it refused everybody: nothing of it may go out.
    Played odd = play({250, 550, 450, 354, 554}, 2, true);
    CHECK(odd.sent.ends_with("DATA\r\n<nothing>"));
    CHECK(odd.results == "ft");
    Played odder = play({250, 550, 550, 354, 250}, 2, true);
    CHECK(odder.sent.ends_with("<nothing>"));
    CHECK(odder.results == "ff");
    Played unsent = play({550, 250, 250, 354, 250}, 2, true);
    CHECK(unsent.sent.ends_with("<nothing>"));
    CHECK(unsent.results == "ff");
}

TEST_CASE("421 ends the transaction wherever it comes", "[transaction]") {
    for (bool pipelining : {false, true})
        for (std::size_t at = 0; at < 5; ++at) {
            CAPTURE(pipelining, at);
            std::deque<unsigned> replies{250, 250, 250, 354, 250};
            replies[at] = 421;
            Played out = play(replies, 2, pipelining);
            CHECK(out.results == "tt");
            CHECK_FALSE(out.usable);
        }
    Played mixed = play({250, 550, 421}, 3, true);
    CHECK(mixed.results == "ftt");
    CHECK(mixed.codes == std::vector<unsigned>{550, 421, 421});
}

TEST_CASE("a lost connection defers whoever has no outcome yet, and tells the stage", "[transaction]") {
    const char* stages[] = {"mail", "rcpt", "rcpt", "data", "dot"};
    for (bool pipelining : {false, true})
        for (std::size_t at = 0; at < 5; ++at) {
            CAPTURE(pipelining, at);
            std::deque<unsigned> replies{250, 250, 250, 354, 250};
            replies[at] = 0;
            Played out = play(replies, 2, pipelining);
            CHECK(out.results == "tt");
            CHECK_FALSE(out.usable);
            CHECK(out.stages[1] == stages[at]);
        }
    Played after_refusal = play({250, 550, 0}, 2, true);
    CHECK(after_refusal.results == "ft");
    CHECK(after_refusal.codes == std::vector<unsigned>{550, 0});
    CHECK(play({0}, 2, false, true).results == "tt");
}

TEST_CASE("replies out of turn are no success", "[transaction]") {
    struct Row {
        std::deque<unsigned> replies;
        const char* results;
    };
    const Row rows[] = {
        {{354}, "t"},                 // to MAIL
        {{250, 354}, "t"},            // to RCPT
        {{250, 250, 250}, "t"},       // to DATA
        {{250, 250, 220}, "t"},       // to DATA
        {{250, 250, 354, 354}, "t"},  // to the dot
        {{250, 250, 354, 334}, "t"},
    };
    for (const auto& row : rows)
        for (bool pipelining : {false, true}) {
            CAPTURE(pipelining, row.replies);
            Played out = play(row.replies, 1, pipelining);
            CHECK(out.results == row.results);
            CHECK_FALSE(out.usable);
        }
    CHECK(play({550}, 1, false, true).results == "t");
    CHECK_FALSE(play({550}, 1, true, true).usable);
}

TEST_CASE("a server that is out of step has said nothing about anybody", "[transaction]") {
    // One reply too many behind MAIL: what was said of the first is read as the second's, and so on.
    for (const auto& replies : {std::deque<unsigned>{250, 250, 550, 250}, {250, 550, 250, 250}}) {
        Played shifted = play(replies, 2, true);
        CHECK(shifted.results == "tt");
        CHECK(shifted.codes == std::vector<unsigned>{0, 0});
        CHECK_FALSE(shifted.usable);
    }
    // Nobody was granted, as it seems, and yet DATA is not refused.
    CHECK(play({250, 550, 550, 250}, 2, true).results == "tt");
    // Without pipelining each reply is to the one command that was out.
    CHECK(play({250, 550, 250, 250}, 2, false).results == "ft");
}

TEST_CASE("what comes unasked makes doubtful what came before it", "[transaction]") {
    struct Row {
        std::deque<unsigned> replies;  // then octets that nothing had asked for
        const char* octets;
        const char* results;
        bool usable, reused = false;
    };
    const Row rows[] = {
        {{250, 550, 250, 354}, "250", "tt", false},  // before the content
        {{250, 550, 250, 550}, "354", "tt", false},  // DATA's own, most likely
        {{250, 550, 550, 554}, "354", "tt", false},
        {{250, 550, 250, 550}, "354", "tt", false, true},
        {{550, 503, 503, 503}, "250", "tt", false},
        {{250, 550, 250, 354, 250}, "550", "fd", false},  // taken is taken
        {{250, 550, 250, 354, 250}, "250", "fd", false},
        {{250, 550, 250, 354, 550}, "250", "ft", false},  // perhaps it was taken
        {{250, 550, 250, 354, 550}, "\r\n", "ft", false},
        {{250, 550, 250, 354, 550}, "554", "ff", false},  // the same twice
        {{250, 550, 250, 354, 450}, "554", "ft", false},
        // The session's end may be told at any time.
        {{250, 550, 250, 550}, "421", "ff", true},
        {{250, 550, 250, 354, 250}, "421", "fd", true},
        {{250, 550, 250, 354, 550}, "4", "ff", true},
    };
    for (const auto& row : rows) {
        CAPTURE(row.replies, row.octets, row.reused);
        Message message = message_of();
        Extensions extensions;
        extensions.pipelining = true;
        Transaction::Options options;
        options.before.reused = row.reused;
        Transaction transaction(message, recipients_of(2), extensions, options);
        CHECK(transaction.at_rest());
        for (unsigned reply : row.replies) {
            transaction.to_send();
            if (transaction.wants_content()) transaction.content_sent();
            CHECK_FALSE(transaction.at_rest());
            transaction.on_reply(Reply{static_cast<std::uint16_t>(reply), {}, "said"});
        }
        REQUIRE(transaction.at_rest());
        transaction.unasked(row.octets);
        REQUIRE(transaction.done());
        std::string results;
        for (const auto& outcome : transaction.outcomes())
            results += outcome.result == Outcome::Result::delivered  ? 'd'
                       : outcome.result == Outcome::Result::deferred ? 't'
                                                                     : 'f';
        CHECK(results == row.results);
        CHECK(transaction.usable() == row.usable);
        if (row.reused) CHECK(transaction.meanings()[0] == Meaning::session);
    }
}

TEST_CASE("what is no reply makes doubtful what came before it in its group", "[transaction]") {
    for (bool pipelining : {false, true}) {
        Message message = message_of();
        Extensions extensions;
        extensions.pipelining = pipelining;
        Transaction transaction(message, recipients_of(2), extensions, {});
        for (unsigned reply : {250u, 550u}) {
            transaction.to_send();
            transaction.on_reply(Reply{static_cast<std::uint16_t>(reply), {}, "said"});
        }
        transaction.to_send();
        transaction.garbled("no reply");
        const auto said = transaction.outcomes()[0].result;
        CHECK(said == (pipelining ? Outcome::Result::deferred : Outcome::Result::failed));
        CHECK(transaction.outcomes()[1].result == Outcome::Result::deferred);
        CHECK_FALSE(transaction.usable());
    }
}

TEST_CASE("what each recipient's reply means goes with its outcome", "[transaction]") {
    auto meanings = [](std::deque<unsigned> replies, std::size_t recipients, bool pipelining,
                       Before before = {}) {
        Message message = message_of();
        Extensions extensions;
        extensions.pipelining = pipelining;
        Transaction::Options options;
        options.before = before;
        Transaction transaction(message, recipients_of(recipients), extensions, options);
        while (!transaction.done()) {
            transaction.to_send();
            if (transaction.wants_content()) transaction.content_sent();
            REQUIRE_FALSE(replies.empty());
            Reply reply{static_cast<std::uint16_t>(replies.front()), {}, "said"};
            if (reply.code == 421) reply.status = {4, 5, 3};
            replies.pop_front();
            if (reply.code == 0)
                transaction.lost("connection lost");
            else
                transaction.on_reply(reply);
        }
        return transaction.meanings();
    };
    using enum Meaning;
    using List = std::vector<Meaning>;
    constexpr Before used{.reused = true, .took = true};
    for (bool pipelining : {false, true}) {
        CAPTURE(pipelining);
        CHECK(meanings({250, 250, 550, 452, 354, 250}, 3, pipelining) == List{go_on, failed, too_many});
        // The first three go again without the others.
        CHECK(meanings({250, 250, 550, 250, 421}, 5, pipelining) ==
              List{session, failed, session, too_many, too_many});
        CHECK(meanings({503}, 2, pipelining, used) == List{session, session});
        CHECK(meanings({250, 550, 250, 0}, 2, pipelining, used) == List{failed, session});
        CHECK(meanings({250, 550, 250, 354, 0}, 2, pipelining, used) == List{failed, broken});
    }
}

TEST_CASE("a reply in the middle of the content ends it", "[transaction]") {
    for (unsigned code : {552u, 452u, 421u, 250u}) {
        CAPTURE(code);
        Message message = message_of();
        Transaction transaction(message, recipients_of(2), Extensions(), {});
        for (unsigned reply : {250u, 250u, 550u, 354u}) {
            transaction.to_send();
            transaction.on_reply(Reply{static_cast<std::uint16_t>(reply), {}, "said"});
        }
        REQUIRE(transaction.wants_content());
        transaction.on_reply(Reply{static_cast<std::uint16_t>(code), {}, "said"});
        REQUIRE(transaction.done());
        CHECK_FALSE(transaction.wants_content());
        CHECK_FALSE(transaction.usable());
        auto outcomes = transaction.outcomes();
        CHECK(outcomes[0].result == (code == 552 ? Outcome::Result::failed : Outcome::Result::deferred));
        CHECK(outcomes[0].stage == Stage::content);
        CHECK(outcomes[1].result == Outcome::Result::failed);
    }
}

TEST_CASE("the same address twice is asked for once, and both have the outcome", "[transaction]") {
    Message message = message_of();
    message.envelope.forward_paths[2] = message.envelope.forward_paths[0];
    Transaction transaction(message, recipients_of(3), Extensions(), {});
    std::string sent;
    for (unsigned reply : {250u, 250u, 550u, 354u, 250u}) {
        sent += transaction.to_send();
        if (transaction.wants_content()) transaction.content_sent();
        transaction.on_reply(Reply{static_cast<std::uint16_t>(reply), {}, "said"});
    }
    CHECK(sent ==
          "MAIL FROM:<s@example.com>\r\nRCPT TO:<r0@example.net>\r\nRCPT TO:<r1@example.net>\r\nDATA\r\n");
    auto outcomes = transaction.outcomes();
    REQUIRE(outcomes.size() == 3);
    CHECK(outcomes[0].result == Outcome::Result::delivered);
    CHECK(outcomes[1].result == Outcome::Result::failed);
    CHECK(outcomes[2].result == Outcome::Result::delivered);
}

TEST_CASE("what is left open asks for RSET", "[transaction]") {
    struct Row {
        std::deque<unsigned> replies;
        bool pipelining, needs_reset;
    };
    const Row rows[] = {
        {{250, 250, 354, 250}, true, false},
        {{250, 250, 354, 250}, false, false},
        {{250, 550}, false, true},
        {{250, 550, 554}, true, true},
        {{250, 250, 451}, true, true},
        {{250, 250, 451}, false, true},
        {{250, 250, 354, 554}, false, true},
        {{250, 250, 354, 451}, true, true},
        {{550}, false, true},
    };
    for (const auto& row : rows) {
        CAPTURE(row.replies, row.pipelining);
        Played out = play(row.replies, 1, row.pipelining);
        CHECK(out.usable);
        CHECK(out.needs_reset == row.needs_reset);
    }
}
