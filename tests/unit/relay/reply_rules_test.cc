#include "relay/egress/reply_rules.h"

#include <catch2/catch.hpp>
#include <chrono>

using namespace postern::relay;
using namespace std::chrono_literals;

TEST_CASE("patterns with stars", "[reply-rules]") {
    struct Row {
        const char* pattern;
        const char* text;
        bool within, whole;
    };
    const Row rows[] = {
        {"", "", true, true},
        {"", "a", true, false},
        {"a", "", false, false},
        {"*", "", true, true},
        {"*", "anything", true, true},
        {"blocked", "blocked", true, true},
        {"blocked", "you are BLOCKED here", true, false},
        {"BLOCKED", "you are blocked here", true, false},
        {"*blocked*", "you are blocked here", true, true},
        {"your ip*blocked", "Your IP 192.0.2.1 is blocked", true, true},
        {"your ip*blocked", "blocked is your IP", false, false},
        {"a*b*c", "a-b-c", true, true},
        {"a*b*c", "abc", true, true},
        {"a*b*c", "xabcx", true, false},
        {"a*b*c", "acb", false, false},
        {"a*a", "a", false, false},
        {"a*a", "aa", true, true},
        {"ab*ab", "abab", true, true},
        {"ab*ab", "aba", false, false},
        {"a**b", "ab", true, true},
        {"two words", "two\r\nwords", true, true},
        {"two  words", "two \t words", true, true},
        {"two words", "twowords", false, false},
        {"*.yahoodns.net", "mta5.am0.yahoodns.net", true, true},
        {"*.yahoodns.net", "yahoodns.net", false, false},
        {"*.yahoodns.net", "mta5.yahoodns.net.example", true, false},
        {"mx*.example", "mx1.example.example", true, true},
        {"\xc3\x84", "\xc3\xa4", false, false},  // beyond ASCII case matters
    };
    for (const auto& row : rows) {
        CAPTURE(row.pattern, row.text);
        CHECK(matches_glob(row.pattern, row.text, false) == row.within);
        CHECK(matches_glob(row.pattern, row.text, true) == row.whole);
    }
}

TEST_CASE("a hostile text costs no more than its length", "[reply-rules]") {
    std::string pattern, text(200'000, 'a');
    for (int i = 0; i < 100; ++i) pattern += "*a";
    CHECK(matches_glob(pattern + "*", text, true));
    CHECK_FALSE(matches_glob(pattern + "*b", text, true));
}

TEST_CASE("the first rule that matches in all it names decides", "[reply-rules]") {
    std::vector<ReplyRule> rules(4);
    rules[0] = {"one", ReplyMeaning::content, "55", "5.7.", "blocked", "", 0s};
    rules[1] = {"two", ReplyMeaning::listed, "", "", "blocked", "*.big.example", 2h};
    rules[2] = {"three", ReplyMeaning::recipient, "", "5.1.", "", "", 0s};
    rules[3] = {"four", ReplyMeaning::rate_limited, "4", "", "", "", 0s};

    CHECK(judge_reply(rules, {550, {5, 7, 1}, "it is\nBlocked"}, "mx.big.example").rule == "one");
    const auto two = judge_reply(rules, {550, {}, "it is blocked"}, "MX.Big.Example");
    CHECK(two.rule == "two");
    CHECK(two.meaning == ReplyMeaning::listed);
    CHECK(two.hold == 2h);
    CHECK(judge_reply(rules, {554, {5, 1, 1}, "it is blocked"}, "mx.small.example").rule == "three");
    CHECK(judge_reply(rules, {421, {}, ""}, "mx.big.example").rule == "four");
    const auto none = judge_reply(rules, {500, {}, "what?"}, "mx.big.example");
    CHECK(none.rule.empty());
    CHECK(none.meaning == ReplyMeaning::unknown);
    CHECK(judge_reply({}, {550, {}, "blocked"}, "").rule.empty());
}

TEST_CASE("a code or status is matched from its beginning", "[reply-rules]") {
    const std::vector<ReplyRule> rules{{"code", ReplyMeaning::content, "50", "", "", "", 0s},
                                       {"status", ReplyMeaning::content, "", "5.7.5", "", "", 0s}};
    CHECK(judge_reply(rules, {501, {}, ""}, "").rule == "code");
    CHECK(judge_reply(rules, {550, {}, ""}, "").rule.empty());
    CHECK(judge_reply(rules, {550, {5, 7, 511}, ""}, "").rule == "status");
    CHECK(judge_reply(rules, {550, {4, 5, 7}, ""}, "").rule.empty());
    CHECK(judge_reply(rules, {0, {}, "connection lost"}, "").rule.empty());
}
