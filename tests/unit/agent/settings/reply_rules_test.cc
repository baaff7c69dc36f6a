#include "agent/settings/reply_rules.h"

#include <catch2/catch.hpp>
#include <chrono>

using namespace postern::agent;
using postern::relay::ReplyMeaning;
using namespace std::chrono_literals;

namespace {

std::vector<std::string> faults(std::string_view text) {
    const auto read = parse_reply_rules(text);
    std::vector<std::string> lines;
    if (!read)
        for (const auto& fault : read.error()) lines.push_back(fault.line("rules.toml"));
    return lines;
}

}  // namespace

TEST_CASE("the shipped rules are read", "[reply-rules]") {
    CHECK(shipped_reply_rules().size() > 150);
    CHECK(shipped_reply_rules_text().starts_with("# What receivers' refusals are about."));
    CHECK(parse_reply_rules(shipped_reply_rules_text())->size() == shipped_reply_rules().size());
}

TEST_CASE("a rule with all its keys", "[reply-rules]") {
    const auto rules = parse_reply_rules(R"(
[[rule]]
name = "a"
meaning = "listed-everywhere"
code = "55"
status = "5.7."
text = "blocked * here"
host = "*.example"
hold = "1h30m"

[[rule]]
name = "b"
meaning = "rate-limited"
code = "4"
)");
    REQUIRE(rules);
    REQUIRE(rules->size() == 2);
    const auto& rule = rules->front();
    CHECK(rule.name == "a");
    CHECK(rule.meaning == ReplyMeaning::listed_everywhere);
    CHECK(rule.code == "55");
    CHECK(rule.status == "5.7.");
    CHECK(rule.text == "blocked * here");
    CHECK(rule.host == "*.example");
    CHECK(rule.hold == 90min);
    CHECK(rules->back().meaning == ReplyMeaning::rate_limited);
    CHECK(rules->back().hold == 0s);
}

TEST_CASE("a file without rules is a file in which nothing is known", "[reply-rules]") {
    CHECK(parse_reply_rules("")->empty());
    CHECK(parse_reply_rules("# nothing\nrule = []\n")->empty());
}

TEST_CASE("every fault is said with its place", "[reply-rules]") {
    using Lines = std::vector<std::string>;
    CHECK(faults("[[rule]]\nname = \"a\"\nmeaning = \"lsited\"\ntext = \"x\"\n") ==
          Lines{"rules.toml:3:11: rule[0].meaning: \"lsited\" is not one of listed, listed-everywhere, "
                "rate-limited, greylisted, "
                "content, recipient, configuration, unknown"});
    CHECK(faults("[[rule]]\nname = \"a\"\nmeaning = \"listed\"\ntxt = \"x\"\ncode = \"5\"\n") ==
          Lines{"rules.toml:4:1: rule[0].txt: there is no such key; is \"text\" meant?"});
    CHECK(faults("[[rule]]\nname = \"a\"\nmeaning = \"listed\"\n") ==
          Lines{"rules.toml:1:1: rule[0]: says nothing of the reply: give at least one of code, status, text "
                "and host"});
    CHECK(faults("[[rule]]\nname = \"a\"\nmeaning = \"listed\"\ntext = \" * \"\n").size() == 1);
    CHECK(faults("[[rule]]\ntext = \"x\"\n").size() == 2);
    CHECK(faults("[[rule]]\nname = \"a\"\nmeaning = \"listed\"\ncode = 550\n").front() ==
          "rules.toml:4:8: rule[0].code: text in quotes is expected here");
    const std::string good = "[[rule]]\nname = \"a\"\nmeaning = \"listed\"\n";
    for (const char* wrong :
         {"code = \"2\"", "code = \"5500\"", "code = \"5x\"", "status = \"2.0.0\"", "status = \"5.7.1.2\"",
          "status = \"57\"", "status = \"5..\"", "text = \"x\"\nhold = \"soon\"",
          "text = \"x\"\nhold = \"100d\"", "text = \"x\"\nhold = \"0s\""}) {
        CAPTURE(wrong);
        CHECK(faults(good + wrong + "\n").size() == 1);
    }
    CHECK(faults("[[rule]]\nname = \"a\"\nmeaning = \"content\"\ntext = \"x\"\nhold = \"1h\"\n").front() ==
          "rules.toml:5:8: rule[0].hold: is only for listed and listed-everywhere");
    CHECK(faults("rules = 1\n") ==
          Lines{"rules.toml:1:1: rules: there is no such key or section; a rule begins with [[rule]]"});
    CHECK(faults("[rule]\nname = \"a\"\n").front().find("may appear several times") != std::string::npos);
    CHECK(faults("rule = [1]\n").size() == 1);
    CHECK(faults("[[rule]\n").front().starts_with("rules.toml:1:"));
    // In the order of the file.
    const auto two = faults(
        "[[rule]]\nname = \"a\"\nmeaning = \"x\"\ntext = \"x\"\n[[rule]]\nmeaning = \"y\"\ntext = \"y\"\n");
    REQUIRE(two.size() == 3);
    CHECK(two[0].starts_with("rules.toml:3:"));
    CHECK(two[1].starts_with("rules.toml:5:"));
    CHECK(two[2].starts_with("rules.toml:6:"));
}

TEST_CASE("a file of rules is bounded", "[reply-rules]") {
    std::string many;
    for (int i = 0; i < 1000; ++i) many += "[[rule]]\nname=\"a\"\nmeaning=\"listed\"\ntext=\"x\"\n";
    CHECK(parse_reply_rules(many)->size() == 1000);
    many += "[[rule]]\nname=\"a\"\nmeaning=\"listed\"\ntext=\"x\"\n";
    CHECK(faults(many).front().find("more than 1000") != std::string::npos);
    CHECK(faults('#' + std::string(1 << 20, 'x')).front().find("larger than 1 MiB") != std::string::npos);
    CHECK(
        faults("[[rule]]\nname=\"a\"\nmeaning=\"listed\"\ntext=\"" + std::string(501, 'x') + "\"\n").size() ==
        1);
}
