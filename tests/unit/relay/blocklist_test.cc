#include "relay/egress/blocklist.h"
#include "relay/net/outside.h"

#include <asio/use_future.hpp>
#include <catch2/catch.hpp>

#include "tests/unit/relay/name_server.h"

using namespace postern::relay;
using postern::tests::NameServer;
using postern::tests::Zone;

namespace {

const std::string six = "::ffff:7f00:";

/// Lists its test addresses as it should, and 192.0.2.1 and 2001:db8::1.
Zone good(const std::string& name) {
    const auto below = [](const std::string& address) {
        const auto name_in = blocklist_name(address, "");
        return name_in.substr(0, name_in.size() - 1);
    };
    return {name,
            {"2.0.0.127 A 127.0.0.2", below(six + "2") + " A 127.0.0.2", "1.2.0.192 A 127.0.0.4",
             "1.2.0.192 A 127.0.0.9", "1.2.0.192 TXT \"https://lists.example/192.0.2.1\"",
             below("2001:db8::1") + " A 127.0.0.3"},
            false,
            {}};
}

BlocklistAnswer ask(const std::vector<std::string>& zones, const std::string& address) {
    static const NameServer server(
        {good("good.example"),
         {"refusing.example", {"* A 127.255.255.254"}, false, {}},
         {"everything.example", {"* A 127.0.0.2"}, false, {}},
         {"sold.example", {"* A 192.0.2.200"}, false, {}},
         {"emptied.example", {"www A 192.0.2.201"}, false, {}},
         {"six.example", {"2.0.0.127 A 127.0.0.2", "1.2.0.192 AAAA ::1"}, false, {}},
         {"four.example", {"2.0.0.127 A 127.0.0.2"}, false, {}}});
    auto settings = server.settings();
    settings.stub.emplace_back("dead.example", settings.stub.front().second);
    settings.timeout = std::chrono::seconds(3);
    net::io_context io{1};
    const postern::base::SystemClock clock;
    net::SystemOutside outside;
    net::Resolver resolver(io, clock, outside, settings);
    auto answer = asio::co_spawn(io, ask_blocklists(resolver, zones, address), asio::use_future);
    io.run();
    return answer.get();
}

using Zones = std::set<std::string>;

Zones faulty(const BlocklistAnswer& answer) {
    Zones zones;
    for (const auto& [zone, why] : answer.faults) {
        CHECK_FALSE(why.empty());
        zones.insert(zone);
    }
    return zones;
}

}  // namespace

TEST_CASE("the name an address is looked up by", "[blocklist]") {
    CHECK(blocklist_name("192.0.2.99", "zen.example") == "99.2.0.192.zen.example");
    CHECK(blocklist_name("127.0.0.2", "zen.example") == "2.0.0.127.zen.example");
    CHECK(blocklist_name("2001:db8::1", "z") ==
          "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.z");
    CHECK(blocklist_name("::ffff:7f00:2", "z") ==
          "2.0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.z");
    for (const char* wrong : {"", "gw.example", "192.0.2", "192.0.2.1/24", "[::1]"})
        CHECK(blocklist_name(wrong, "z").empty());
}

TEST_CASE("what an answer of a blocklist means", "[blocklist]") {
    const auto code = [](const char* address) { return blocklist_code(asio::ip::make_address(address)); };
    for (const char* listed :
         {"127.0.0.2", "127.0.0.4", "127.0.0.11", "127.0.1.2", "127.1.0.0", "127.254.255.255"})
        CHECK(code(listed) == BlocklistCode::listed);
    for (const char* refused : {"127.255.255.252", "127.255.255.254", "127.255.255.255", "127.255.255.0"})
        CHECK(code(refused) == BlocklistCode::refused);
    for (const char* broken : {"127.0.0.1", "127.0.0.0", "127.255.0.1", "0.0.0.0", "192.0.2.1",
                               "126.255.255.255", "128.0.0.2", "::1", "::ffff:127.0.0.2"})
        CHECK(code(broken) == BlocklistCode::broken);
}

TEST_CASE("a zone that keeps its promises is believed", "[blocklist]") {
    auto answer = ask({"good.example"}, "192.0.2.1");
    CHECK(answer.checked == Zones{"good.example"});
    CHECK(answer.faults.empty());
    REQUIRE(answer.listed.contains("good.example"));
    const auto& said = answer.listed["good.example"];
    CHECK(said.find("127.0.0.4") != std::string::npos);
    CHECK(said.find("127.0.0.9") != std::string::npos);
    CHECK(said.find("https://lists.example/192.0.2.1") != std::string::npos);

    answer = ask({"good.example"}, "2001:db8::1");
    CHECK(answer.listed["good.example"] == "127.0.0.3");
    for (const char* free : {"192.0.2.2", "2001:db8::2"}) {
        answer = ask({"good.example"}, free);
        CHECK(answer.checked == Zones{"good.example"});
        CHECK(answer.listed.empty());
    }
}

TEST_CASE("a zone that refuses us, lists everything, has been sold or is gone lists nobody", "[blocklist]") {
    const std::vector<std::string> zones{"refusing.example", "everything.example", "sold.example",
                                         "emptied.example",  "dead.example",       "good.example"};
    auto answer = ask(zones, "192.0.2.1");
    CHECK(answer.checked == Zones{"good.example"});
    CHECK(answer.listed.size() == 1);
    CHECK(faulty(answer) ==
          Zones{"refusing.example", "everything.example", "sold.example", "emptied.example", "dead.example"});
    CHECK(answer.faults["refusing.example"].find("refuses our questions (127.255.255.254)") !=
          std::string::npos);
    CHECK(answer.faults["everything.example"].find("everything") != std::string::npos);
}

TEST_CASE("an answer without the kind of address that counts is none", "[blocklist]") {
    const auto answer = ask({"six.example"}, "192.0.2.1");
    CHECK(answer.checked.empty());
    CHECK(faulty(answer) == Zones{"six.example"});
    CHECK(ask({"six.example"}, "192.0.2.2").checked == Zones{"six.example"});
}

TEST_CASE("a zone that knows no IPv6 says nothing of it", "[blocklist]") {
    CHECK(ask({"four.example"}, "192.0.2.7").checked == Zones{"four.example"});
    CHECK(faulty(ask({"four.example"}, "2001:db8::7")) == Zones{"four.example"});
    CHECK(faulty(ask({"four.example"}, "no address")) == Zones{"four.example"});
}
