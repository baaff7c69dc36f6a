#include "agent/settings/reference.h"

#include <catch2/catch.hpp>
#include <fstream>
#include <regex>
#include <sstream>

#include "agent/settings/keys.h"

using namespace postern::agent;

TEST_CASE("the shipped file is what the table of keys gives") {
    std::ifstream file(SHIPPED_CONFIG);
    std::stringstream text;
    text << file.rdbuf();
    INFO("make it with: postern config --defaults > config/postern.toml");
    CHECK((text.str() == reference_toml()));
}

TEST_CASE("the shipped file lacks a primary and nothing else") {
    const auto reading = parse_settings(reference_toml());
    REQUIRE(reading.faults.size() == 1);
    CHECK(reading.faults[0].key == "primary");
}

TEST_CASE("with its examples put in force the shipped file is sound, and names every key") {
    const auto all = std::regex_replace(reference_toml(), std::regex("(^|\n)#(?! )"), "$1");
    const auto reading = parse_settings(all);
    for (const auto& fault : reading.faults) FAIL_CHECK(fault.line("postern.toml"));
    for (const auto& section : sections())
        for (const auto& key : section.keys) {
            std::string path(section.name);
            if (section.repeated()) path += "[0]";
            if (!path.empty()) path += '.';
            path += key.name;
            CAPTURE(path);
            CHECK(reading.positions.contains(path));
        }
}

TEST_CASE("every key has its row in the tables") {
    const auto markdown = reference_markdown();
    for (const auto& section : sections())
        for (const auto& key : section.keys) {
            CAPTURE(section.name, key.name);
            CHECK(markdown.find("| `" + std::string(key.name) + "` |") != std::string::npos);
            CHECK_FALSE(key.help.empty());
            CHECK(key.help.find('|') == std::string::npos);
        }
}
