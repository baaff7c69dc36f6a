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
    CHECK(parse({"spool", "check", "--json"})->verb == Verb::spool_check);
    CHECK(parse({"spool", "list-damaged"})->endpoint->words == "spool list-damaged");
    CHECK(parse({"spool", "restore", "x.message"})->subjects == std::vector<std::string>{"x.message"});
    CHECK(parse({"spool"}).error() == EX_USAGE);
    CHECK(parse({"--config", "/x", "check", "--json"})->json);
    CHECK(parse({"status", "--json"})->endpoint->words == "status");
    CHECK(parse({"config", "--defaults"})->verb == Verb::config_defaults);
    CHECK(parse({"config", "--markdown"})->verb == Verb::config_markdown);
    CHECK(parse({"sync"})->endpoint->words == "sync");
    CHECK(parse({"sync"})->parameters.empty());
    CHECK(parse({"sync", "--accept"})->parameters == Parameters{{"accept", "true"}});
    CHECK(parse({"directory", "forget", "a@b.example"})->endpoint->words == "directory forget");
    CHECK(parse({"directory", "forget", "a@b.example"})->parameters ==
          Parameters{{"address", "a@b.example"}});
    CHECK(parse({"reload"})->endpoint->words == "reload");
    CHECK(parse({"directory"})->endpoint->words == "directory");
    CHECK(parse({"directory"})->subjects.empty());
    CHECK(parse({"directory", "show", "a@b.example", "--config", "/x"})->subjects ==
          std::vector<std::string>{"a@b.example"});
    const auto list =
        parse({"queue", "list", "--sender", "a.example", "--limit", "5", "--json", "--config", "/x"});
    REQUIRE(list);
    CHECK(list->endpoint->words == "queue list");
    CHECK(parameter(list->parameters, "sender") == "a.example");
    CHECK(parameter(list->parameters, "limit") == "5");
    CHECK(list->json);
    CHECK(list->config == "/x");
    CHECK(parse({"queue", "show", "01ABC"})->subjects == std::vector<std::string>{"01ABC"});
    CHECK(parse({"queue", "retry"})->endpoint->words == "queue retry");
    CHECK(parse({"queue", "delete", "01ABC"})->subjects == std::vector<std::string>{"01ABC"});
    CHECK(parse({"queue", "delete", "01ABC"})->endpoint->words == "queue delete");
    CHECK(parse({"queue", "delete", "--all"})->endpoint->words == "queue delete");
    CHECK(parse({"queue", "delete", "--all"})->parameters == Parameters{{"all", "true"}});
    const auto explain = parse({"explain", "--from", "a@b", "--to", "c@d", "--client", "127.0.0.1"});
    REQUIRE(explain);
    CHECK(explain->endpoint->words == "explain");
    CHECK(parameter(explain->parameters, "client") == "127.0.0.1");
}

TEST_CASE("the queue is sorted and counted") {
    const auto list = parse({"queue", "list", "--sort", "size", "--older", "1d12h"});
    REQUIRE(list);
    CHECK(parameter(list->parameters, "sort") == "size");
    CHECK(parameter(list->parameters, "older") == "1d12h");
    CHECK(parse({"queue", "list"})->parameters.empty());
    CHECK(parse({"queue", "list", "--sort", "colour"}).error() == EX_USAGE);
    CHECK(parse({"queue", "list", "--older", "soon"}).error() == EX_USAGE);
    const auto summary = parse({"queue", "summary", "--sender", "a.example", "--limit", "3"});
    REQUIRE(summary);
    CHECK(summary->endpoint->words == "queue summary");
    CHECK(parameter(summary->parameters, "limit") == "3");
    CHECK(parse({"queue", "delete", "--older", "5d"})->parameters == Parameters{{"older", "5d"}});
    CHECK(parse({"queue", "delete", "--older", "5d", "--all"}).error() == EX_USAGE);
}

TEST_CASE("the queue is changed by what is chosen") {
    CHECK(parse({"queue", "hold", "--sender", "a.example"})->endpoint->words == "queue hold");
    CHECK(parse({"queue", "release", "--all"})->endpoint->words == "queue release");
    const auto bounce = parse({"queue", "bounce", "--gateway", "archive", "--reason", "no such customer"});
    REQUIRE(bounce);
    CHECK(bounce->endpoint->words == "queue bounce");
    CHECK(parameter(bounce->parameters, "gateway") == "archive");
    CHECK(parameter(bounce->parameters, "reason") == "no such customer");
    const auto move = parse({"queue", "move", "01ABC", "--gateway", "archive"});
    REQUIRE(move);
    CHECK(move->endpoint->words == "queue move");
    CHECK(move->subjects == std::vector<std::string>{"01ABC"});
    CHECK(parameter(move->parameters, "gateway") == "archive");
    CHECK(parse({"queue", "move", "--route", "gateway:archive", "--rules"})->parameters ==
          Parameters{{"route", "gateway:archive"}, {"rules", "true"}});
    CHECK(parse({"queue", "retry", "--gateway", "archive"})->parameters ==
          Parameters{{"gateway", "archive"}});
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
    CHECK(parse({"gateway"})->endpoint->words == "gateway list");
    CHECK(parse({"gateway", "list", "--json"})->endpoint->words == "gateway list");
    CHECK(parse({"gateway", "enable", "archive"})->endpoint->words == "gateway enable");
    CHECK(parse({"gateway", "disable", "archive"})->subjects == std::vector<std::string>{"archive"});
    CHECK(parse({"route"})->endpoint->words == "route list");
    const auto set =
        parse({"route", "set", "--sender", "a@b.example", "--recipient", "c.example", "archive"});
    REQUIRE(set);
    CHECK(set->endpoint->words == "route set");
    CHECK(parameter(set->parameters, "gateway") == "archive");
    CHECK(parameter(set->parameters, "sender") == "a@b.example");
    CHECK(parameter(set->parameters, "recipient") == "c.example");
    CHECK(parse({"route", "unset", "--sender", "*"})->endpoint->words == "route unset");
    CHECK(parse({"egress", "--json"})->endpoint->words == "egress list");
    CHECK(parse({"egress", "suspend", "2001:db8::1"})->subjects == std::vector<std::string>{"2001:db8::1"});
    CHECK(parse({"egress", "resume", "192.0.2.20"})->endpoint->words == "egress resume");
    const auto forget = parse({"egress", "forget", "192.0.2.20", "--site", "mx.d.example"});
    REQUIRE(forget);
    CHECK(forget->endpoint->words == "egress forget");
    CHECK(parameter(forget->parameters, "site") == "mx.d.example");
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

TEST_CASE("what is given and empty is not taken for left out") {
    const auto words = GENERATE(
        values<std::vector<const char*>>({{"queue", "retry", "--sender", ""},
                                          {"queue", "retry", ""},
                                          {"queue", "retry", "01ABC", ""},
                                          {"queue", "bounce", "--older", "1d", "--sender="},
                                          {"queue", "bounce", "--sender=", "--older", "1d"},
                                          {"queue", "list", "--sender=", "--json"},
                                          {"queue", "delete", "--older", "1d", "--recipient", ""},
                                          {"queue", "show", ""},
                                          {"route", "set", "--sender", "a@b", "--recipient", "", "x"},
                                          {"route", "set", "--sender", "a@b", ""},
                                          {"gateway", "enable", ""},
                                          {"directory", "forget", ""}}));
    CHECK(parse(words).error() == EX_USAGE);
}
