#include "relay/net/turns.h"

#include <catch2/catch.hpp>
#include <fstream>

#include "relay/net/anchors.h"
#include "relay/net/questions.h"
#include "tests/unit/relay/folder.h"
#include "tests/unit/shortage.h"

using namespace postern::relay::net;
using namespace postern::tests;

namespace {

std::string begun(Turns<int>& turns) {
    std::string out;
    while (auto next = turns.next()) out += next->first;
    return out;
}

}  // namespace

TEST_CASE("askers take turns", "[turns]") {
    Turns<int> turns(4, 50, 100);
    for (int at = 0; at < 10; ++at) turns.push("a", at);
    turns.push("b", 0);
    turns.push("c", 0);
    CHECK(begun(turns) == "abc");  // a second one of a's would leave less free than it holds
    turns.done("b");
    CHECK(begun(turns).empty());
    turns.done("a");
    CHECK(begun(turns) == "aa");
    turns.done("c");
    CHECK(begun(turns).empty());
    turns.done("a");
    CHECK(begun(turns) == "a");
}

TEST_CASE("nobody takes all places, in no number", "[turns]") {
    Turns<int> turns(100, 50, 10'000);
    for (int at = 0; at < 1000; ++at) turns.push("a", at);
    CHECK(begun(turns).size() == 50);
    for (int at = 0; at < 1000; ++at) turns.push("b", at);
    CHECK(begun(turns).size() == 25);
    turns.push("c", 0);
    CHECK(begun(turns) == "c");

    Turns<int> few(8, 50, 100);
    for (int at = 0; at < 30; ++at) few.push("a", at);
    CHECK(begun(few).size() == 4);
    few.push("b", 0);
    CHECK(begun(few) == "b");
}

TEST_CASE("the line has an end, for each asker before the others", "[turns]") {
    Turns<int> turns(1, 1, 10);
    int taken = 0;
    for (int at = 0; at < 20; ++at) taken += turns.push("a", at) ? 1 : 0;
    CHECK(taken == 5);
    CHECK(turns.push("b", 0));
    CHECK(turns.waiting() == 6);
    CHECK(begun(turns).size() == 1);
    turns.done("a");
    CHECK(begun(turns) == "b");
}

TEST_CASE("what was found is remembered for a day", "[questions]") {
    const std::chrono::steady_clock::time_point begin{};
    Remembered memory(2);
    DnsAnswer answer;
    answer.status = Lookup::found;
    memory.keep("a", answer, begin);
    memory.keep("b", answer, begin);
    memory.keep("a", answer, begin + std::chrono::hours(1));
    memory.keep("c", answer, begin);
    CHECK(memory.find("a", begin + std::chrono::hours(25)) != nullptr);
    CHECK(memory.find("a", begin + std::chrono::hours(26)) == nullptr);
    CHECK(memory.find("b", begin) == nullptr);
    CHECK(memory.find("c", begin) != nullptr);
    memory.forget("c");  // it was denied
    memory.forget("never known");
    CHECK(memory.find("c", begin) == nullptr);
    CHECK(memory.find("a", begin) != nullptr);
}

TEST_CASE("the zones that trust anchors are for", "[anchors]") {
    CHECK(anchored_zones("; DNSKEY of nobody\n.\t172800 IN DNSKEY 257 3 8 AwEAAa ;{id = 1}\n") ==
          std::set<std::string>{""});
    const auto zones =
        anchored_zones("Signed.Example. IN DS 1 13 2 ab\n  IN DS 2 13 2 cd\nother.\t3600\tDS 1 8 2 ef\n");
    CHECK(zones == std::set<std::string>{"signed.example", "other"});
    CHECK(anchored_zones("").empty());
    CHECK(is_anchored(zones, "signed.example"));
    CHECK(is_anchored(zones, "deep.signed.example"));
    CHECK_FALSE(is_anchored(zones, "example"));
    CHECK_FALSE(is_anchored({""}, "example"));
}

TEST_CASE("trust anchors that cannot be read are not taken for none", "[anchors]") {
    Folder folder;
    const auto file = folder.path() / "root.key";
    CHECK(anchored_zones_of("") == std::nullopt);
    CHECK(anchored_zones_of(file) == std::nullopt);
    std::ofstream(file) << ". IN DS 1 13 2 ab\n";
    CHECK(anchored_zones_of(file) == std::set<std::string>{""});
    CHECK_THROWS_WITH(anchored_zones_of(file / "below"), Catch::Contains("dns.trust_anchors"));
    CHECK_THROWS_WITH(anchored_zones_of(folder.path()), Catch::Contains("dns.trust_anchors"));
    if (sanitized) return;
    const NoDescriptors none;
    CHECK_THROWS_WITH(anchored_zones_of(file), Catch::Contains("Too many open files"));
}
