#include <catch2/catch.hpp>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "agent/status/endpoints.h"
#include "tests/unit/agent/status/fake_control.h"

using namespace postern::agent;

namespace {

std::string readme() {
    std::ifstream file(README_FILE);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

/// The lines of a table that begins with `head`.
std::string table_of(const std::string& text, const std::string& head) {
    const auto begin = text.find(head);
    return begin == std::string::npos ? "" : text.substr(begin, text.find("\n\n", begin) - begin);
}

/// As it stands in a cell of a table.
std::string in_cell(std::string text) {
    for (std::size_t at = 0; (at = text.find('|', at)) != std::string::npos; at += 2) text.insert(at, "\\");
    return text;
}

std::string markdown() {
    std::string text = "| request | gives or does | command |\n|---|---|---|\n";
    for (const auto& each : endpoints()) {
        const auto request = in_cell(std::string(each.method) + ' ' + std::string(each.path));
        const auto command = each.words.empty() ? "" : "`postern " + std::string(each.words) + '`';
        text += "| `" + request + "` | " + in_cell(std::string(each.help)) + " | " + command + " |\n";
    }
    return text;
}

}  // namespace

TEST_CASE("README's table of requests is that of the endpoints") {
    std::istringstream there(table_of(readme(), "| request | gives or does | command |")), here(markdown());
    for (std::string told, row; std::getline(here, row);) {
        std::getline(there, told);
        CHECK(told == row);
    }
    CHECK(there.eof());
}

TEST_CASE("README's table of commands has every command") {
    const auto table = table_of(readme(), "| command | does |");
    REQUIRE_FALSE(table.empty());
    /// In a row that begins with the first word: "`queue show ID`", "`release`".
    const auto told = [&](const std::string& first, const std::string& last) {
        std::istringstream rows(table);
        for (std::string row; std::getline(rows, row);)
            for (const auto& word : {"`postern " + first + ' ' + last, '`' + first + ' ' + last, '`' + last})
                for (const char* end : {"`", " "})
                    if (row.starts_with("| `postern " + first) && row.find(word + end) != std::string::npos)
                        return true;
        return false;
    };
    for (const auto& each : endpoints()) {
        if (each.words.empty()) continue;
        CAPTURE(each.words);
        const auto space = each.words.find(' ');
        const std::string first(each.words.substr(0, space));
        const bool alone = space == std::string_view::npos ||
                           std::any_of(command_groups().begin(), command_groups().end(),
                                       [&](const CommandGroup& group) { return group.alone == each.words; });
        CHECK(told(first, alone ? "postern " + first : std::string(each.words.substr(space + 1))));
    }
}

TEST_CASE("each row of the table is whole, and none is twice") {
    std::set<std::string> requests, words;
    for (const auto& each : endpoints()) {
        CAPTURE(each.method, each.path, each.words);
        CHECK(requests.emplace(std::string(each.method) + ' ' + std::string(each.path)).second);
        CHECK_FALSE(each.help.empty());
        REQUIRE(each.handle != nullptr);
        CHECK((each.method == "GET" || each.access == Access::operators));
        CHECK(each.words.empty() == !each.present);
        if (!each.words.empty()) CHECK(words.emplace(each.words).second);
        std::set<std::string_view> names;
        for (const auto& parameter : each.parameters) {
            CAPTURE(parameter.name);
            CHECK(names.insert(parameter.name).second);
            CHECK_FALSE(parameter.value.empty());
            CHECK_FALSE(parameter.help.empty());
            if (parameter.in_path()) CHECK(each.path.find(parameter.name) != std::string_view::npos);
            if (!parameter.initial.empty()) CHECK(parameter.fault(std::string(parameter.initial)).empty());
        }
    }
}

TEST_CASE("commands share their first word with those of their group only") {
    for (const auto& group : command_groups()) {
        CAPTURE(group.name);
        CHECK(std::any_of(endpoints().begin(), endpoints().end(), [&](const Endpoint& each) {
            return each.words.starts_with(std::string(group.name) + ' ');
        }));
        if (group.alone.empty()) continue;
        CHECK(std::any_of(endpoints().begin(), endpoints().end(),
                          [&](const Endpoint& each) { return each.words == group.alone; }));
    }
    for (const auto& each : endpoints())
        if (const auto space = each.words.find(' '); space != std::string_view::npos)
            CHECK(std::any_of(
                command_groups().begin(), command_groups().end(),
                [&](const CommandGroup& group) { return group.name == each.words.substr(0, space); }));
}

TEST_CASE("GET / tells of every page and action, and what needs the token") {
    FakeControl gateway;
    const auto text = respond(gateway.control(), {"GET", "/", {}}).body;
    for (const auto& each : endpoints()) {
        CAPTURE(each.path);
        CHECK_THAT(text, Catch::Contains(std::string(each.path) + ' ') &&
                             Catch::Contains(std::string(each.help) + '\n'));
    }
    CHECK_THAT(text, Catch::Contains("POST, DELETE and /v1/explain need the token"));
    CHECK_THAT(text, Catch::Contains("?CHOICE gateway=NAME sort=oldest|newest|next|size|attempts"));
}

TEST_CASE("what stands in a path for the word in capitals is its subject") {
    const auto path = [](std::string_view words) -> const Endpoint& {
        return *std::find_if(endpoints().begin(), endpoints().end(),
                             [&](const Endpoint& each) { return each.words == words; });
    };
    CHECK(path("gateway enable").match("/v1/gateways/a/b/enable") == "a/b");
    CHECK(path("gateway enable").path_of("a/b") == "/v1/gateways/a/b/enable");
    CHECK_FALSE(path("gateway enable").match("/v1/gateways//enable"));
    CHECK_FALSE(path("gateway enable").match("/v1/gateways/enable"));
    CHECK(path("directory show").match("/v1/directory/x/y@a.example") == "x/y@a.example");
    CHECK_FALSE(path("directory show").match("/v1/directory/"));
    CHECK(path("directory").match("/v1/directory") == "");
    CHECK(path("directory").path_of("") == "/v1/directory");
}

TEST_CASE("a value is held to its kind") {
    using Kind = Parameter::Kind;
    const Parameter number{.name = "n", .value = "1-9", .kind = Kind::number, .smallest = 1, .largest = 9};
    CHECK(number.fault("1").empty());
    CHECK(number.fault("9").empty());
    for (const char* wrong : {"0", "10", "x", "1x", "-1", "+1", " 1", "99999999999999999999"})
        CHECK(number.fault(wrong) == "not a number from 1 to 9");
    const Parameter word{.name = "w", .value = "one|two", .kind = Kind::word};
    CHECK(word.fault("two").empty());
    for (const char* wrong : {"three", "one|two", "tw"}) CHECK(word.fault(wrong) == "not one of one, two");
    CHECK(word.fault("") == "is empty");
    const Parameter flag{.name = "f", .value = "true", .kind = Kind::flag};
    CHECK(flag.fault("true").empty());
    CHECK(flag.fault("yes") == "can only be true");
    const Parameter duration{.name = "d", .value = "DURATION", .kind = Kind::duration};
    CHECK(duration.fault("1d12h").empty());
    CHECK_FALSE(duration.fault("soon").empty());
    CHECK(duration.fault("36500d").empty());
    for (const char* beyond : {"36500d1ms", "200000d", "9999999d"})
        CHECK(duration.fault(beyond) == "more than 36500d");
}
