#include "agent/command/command_line.h"

#include <sysexits.h>

#include <catch2/catch.hpp>
#include <vector>

using namespace postern::agent;

namespace {

tl::expected<Command, int> parse(std::vector<const char*> words) {
    words.insert(words.begin(), "postern");
    return parse_command_line(static_cast<int>(words.size()), words.data());
}

}  // namespace

TEST_CASE("every command is understood, with its options behind it or before") {
    CHECK(parse({"run"})->verb == Verb::run);
    CHECK(parse({"run"})->config == "/etc/postern/postern.toml");
    CHECK(parse({"check", "--config", "/x"})->config == "/x");
    CHECK(parse({"--config", "/x", "check", "--json"})->json);
    CHECK(parse({"status", "--json"})->verb == Verb::status);
    CHECK(parse({"config", "--defaults"})->verb == Verb::config_defaults);
    CHECK(parse({"config", "--markdown"})->verb == Verb::config_markdown);
    CHECK(parse({"sync"})->verb == Verb::sync);
    CHECK_FALSE(parse({"sync"})->accept);
    CHECK(parse({"sync", "--accept"})->accept);
    CHECK(parse({"directory", "forget", "a@b.example"})->verb == Verb::forget);
    CHECK(parse({"directory", "forget", "a@b.example"})->subject == "a@b.example");
    CHECK(parse({"reload"})->verb == Verb::reload);
    CHECK(parse({"directory"})->verb == Verb::directory);
    CHECK(parse({"directory"})->subject.empty());
    CHECK(parse({"directory", "show", "a@b.example", "--config", "/x"})->subject == "a@b.example");
    const auto list =
        parse({"queue", "list", "--sender", "a.example", "--limit", "5", "--json", "--config", "/x"});
    REQUIRE(list);
    CHECK(list->verb == Verb::queue_list);
    CHECK(list->filter.sender == "a.example");
    CHECK(list->limit == 5);
    CHECK(list->json);
    CHECK(list->config == "/x");
    CHECK(parse({"queue", "show", "01ABC"})->ids == std::vector<std::string>{"01ABC"});
    CHECK(parse({"queue", "retry"})->verb == Verb::queue_retry);
    CHECK(parse({"queue", "delete", "01ABC"})->ids == std::vector<std::string>{"01ABC"});
    CHECK(parse({"queue", "delete", "01ABC"})->verb == Verb::queue_delete);
    CHECK(parse({"queue", "delete", "--all"})->verb == Verb::queue_delete);
    CHECK(parse({"queue", "delete", "--all"})->all);
    const auto explain = parse({"explain", "--from", "a@b", "--to", "c@d", "--client", "127.0.0.1"});
    REQUIRE(explain);
    CHECK(explain->verb == Verb::explain);
    CHECK(explain->client == "127.0.0.1");
}

TEST_CASE("the queue is sorted and counted") {
    const auto list = parse({"queue", "list", "--sort", "size", "--older", "1d12h"});
    REQUIRE(list);
    CHECK(list->sort == "size");
    CHECK(list->older == "1d12h");
    CHECK(parse({"queue", "list"})->sort == "oldest");
    CHECK(parse({"queue", "list", "--sort", "colour"}).error() == EX_USAGE);
    CHECK(parse({"queue", "list", "--older", "soon"}).error() == EX_USAGE);
    const auto summary = parse({"queue", "summary", "--sender", "a.example", "--limit", "3"});
    REQUIRE(summary);
    CHECK(summary->verb == Verb::queue_summary);
    CHECK(summary->rows == 3);
    CHECK(parse({"queue", "delete", "--older", "5d"})->older == "5d");
    CHECK(parse({"queue", "delete", "--older", "5d", "--all"}).error() == EX_USAGE);
}

TEST_CASE("the queue is changed by what is chosen") {
    CHECK(parse({"queue", "hold", "--sender", "a.example"})->verb == Verb::queue_hold);
    CHECK(parse({"queue", "release", "--all"})->verb == Verb::queue_release);
    const auto bounce = parse({"queue", "bounce", "--gateway", "archive", "--reason", "no such customer"});
    REQUIRE(bounce);
    CHECK(bounce->verb == Verb::queue_bounce);
    CHECK(bounce->gateway == "archive");
    CHECK(bounce->reason == "no such customer");
    const auto move = parse({"queue", "move", "01ABC", "--gateway", "archive"});
    REQUIRE(move);
    CHECK(move->verb == Verb::queue_move);
    CHECK(move->ids == std::vector<std::string>{"01ABC"});
    CHECK(move->gateway == "archive");
    CHECK(parse({"queue", "move", "--route", "gateway:archive", "--rules"})->rules);
    CHECK(parse({"queue", "retry", "--gateway", "archive"})->gateway == "archive");
    const auto words =
        GENERATE(values<std::vector<const char*>>({{"queue", "hold"},
                                                   {"queue", "release"},
                                                   {"queue", "bounce", "--reason", "x"},
                                                   {"queue", "hold", "--all", "--gateway", "x"},
                                                   {"queue", "hold", "--route", "x", "--gateway", "x"},
                                                   {"queue", "move", "01ABC"},
                                                   {"queue", "move", "--gateway", "x"},
                                                   {"queue", "move", "--all", "--gateway", "x", "--rules"}}));
    CHECK(parse(words).error() == EX_USAGE);
}

TEST_CASE("gateways, routes and egress addresses are listed and changed") {
    CHECK(parse({"gateway"})->verb == Verb::gateways);
    CHECK(parse({"gateway", "list", "--json"})->verb == Verb::gateways);
    CHECK(parse({"gateway", "enable", "archive"})->verb == Verb::gateway_enable);
    CHECK(parse({"gateway", "disable", "archive"})->subject == "archive");
    CHECK(parse({"route"})->verb == Verb::routes);
    const auto set =
        parse({"route", "set", "--sender", "a@b.example", "--recipient", "c.example", "archive"});
    REQUIRE(set);
    CHECK(set->verb == Verb::route_set);
    CHECK(set->gateway == "archive");
    CHECK(set->filter.sender == "a@b.example");
    CHECK(set->filter.recipient == "c.example");
    CHECK(parse({"route", "unset", "--sender", "*"})->verb == Verb::route_unset);
    CHECK(parse({"egress", "--json"})->verb == Verb::egress);
    CHECK(parse({"egress", "suspend", "2001:db8::1"})->subject == "2001:db8::1");
    CHECK(parse({"egress", "resume", "192.0.2.20"})->verb == Verb::egress_resume);
    const auto forget = parse({"egress", "forget", "192.0.2.20", "--site", "mx.d.example"});
    REQUIRE(forget);
    CHECK(forget->verb == Verb::egress_forget);
    CHECK(forget->site == "mx.d.example");
    CHECK(parse({"check", "--online", "--from", "a@b", "--to", "c@d"})->online);
    CHECK(parse({"config", "--reply-rules"})->verb == Verb::config_rules);
    const auto words =
        GENERATE(values<std::vector<const char*>>({{"gateway", "enable"},
                                                   {"gateway", "nonsense"},
                                                   {"route", "set", "archive"},
                                                   {"route", "set", "--sender", "a"},
                                                   {"route", "unset"},
                                                   {"egress", "suspend"},
                                                   {"check", "--from", "a@b"},
                                                   {"config", "--defaults", "--reply-rules"}}));
    CHECK(parse(words).error() == EX_USAGE);
}

TEST_CASE("a wrong command line is a usage error, and deletes nothing") {
    CHECK(parse({}).error() == EX_USAGE);
    CHECK(parse({"nonsense"}).error() == EX_USAGE);
    CHECK(parse({"queue"}).error() == EX_USAGE);
    CHECK(parse({"queue", "show"}).error() == EX_USAGE);
    CHECK(parse({"queue", "delete"}).error() == EX_USAGE);
    CHECK(parse({"queue", "delete", "--all", "--sender", "x"}).error() == EX_USAGE);
    CHECK(parse({"queue", "list", "--limit", "0"}).error() == EX_USAGE);
    CHECK(parse({"config"}).error() == EX_USAGE);
    CHECK(parse({"explain", "--from", "a@b"}).error() == EX_USAGE);
    CHECK(parse({"--version"}).error() == EX_OK);
    CHECK(parse({"--help"}).error() == EX_OK);
}
