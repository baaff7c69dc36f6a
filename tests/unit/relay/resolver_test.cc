#include "relay/net/resolver.h"
#include "relay/net/outside.h"

#include <asio/use_future.hpp>
#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

#include "relay/security/dane.h"
#include "tests/unit/relay/name_server.h"
#include "tests/unit/relay/refusing_server.h"
#include "tests/unit/relay/silent_server.h"
#include "tests/unit/shortage.h"

using namespace postern::relay::net;
using namespace postern::tests;
using postern::relay::DnsSettings;

namespace {

const std::string digest = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

std::vector<std::string> many(const std::string& record, int count) {
    std::vector<std::string> records;
    for (int i = 1; i <= count; ++i) records.push_back(record + std::to_string(i));
    return records;
}

std::vector<Zone> zones() {
    Zone proven{"signed.example", {}, true, {}};
    proven.records = {"@ MX 20 MX2",
                      "@ MX 10 mx1",
                      "mx1 A 192.0.2.1",
                      "mx1 AAAA 2001:db8::1",
                      "mx2 A 192.0.2.2",
                      "_25._tcp.mx1 TLSA 3 1 1 " + digest,
                      "_25._tcp.mx1 TLSA 2 0 1 " + digest,
                      "null MX 0 .",
                      "alias CNAME mx1",
                      "deep CNAME alias",
                      "outside CNAME mx.unsigned.example.",
                      "loop1 CNAME loop2",
                      "loop2 CNAME loop1",
                      "self CNAME self",
                      "strings TXT \"v=STSv1; \" \"id=1;\"",
                      "strings TXT \"\"",
                      "xn--bcher-kva A 192.0.2.3",
                      "xn--bcher-kva MX 10 mx1",
                      "_25._tcp.outside TLSA 3 1 1 " + digest,
                      "_25._tcp.deep TLSA 2 1 1 " + digest,
                      "_25._tcp.noted TLSA 2 1 1 " + digest,
                      "noted CNAME mx2",
                      "dangling CNAME nowhere"};
    for (const auto& record : many("crowd A 10.0.0.", 60)) proven.records.push_back(record);
    for (const auto& record : many("crowd MX 5 mx", 60)) proven.records.push_back(record);
    Zone open{"unsigned.example",
              {"@ MX 10 mx", "mx A 192.0.2.9", "alias CNAME mx", "_25._tcp.mx TLSA 3 1 1 " + digest},
              false,
              {}};
    Zone tampered{"tampered.example",
                  {"@ MX 10 mx", "mx A 192.0.2.66", "half A 192.0.2.7", "half AAAA 2001:db8::66"},
                  true,
                  {"192.0.2.66", "192.0.2.67"}};
    Zone half{
        "half.example", {"mx A 192.0.2.7", "mx AAAA 2001:db8::66"}, true, {"2001:db8::66", "2001:db8::67"}};
    Zone reverse{
        "8.8.8.in-addr.arpa", {"1 PTR GW1.example.net.", "2 PTR a.example.", "2 PTR b.example."}, false, {}};
    Zone reverse6{"8.b.d.0.1.0.0.3.ip6.arpa",
                  {"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0 PTR six.example."},
                  false,
                  {}};
    return {proven, open, tampered, half, reverse, reverse6};
}

const NameServer& name_server() {
    static const NameServer server(zones());
    return server;
}

class World {
public:
    explicit World(const DnsSettings& settings = name_server().settings())
        : resolver(io, clock, outside, settings) {}

    template <class Answer>
    Answer get(awaitable<Answer> question) {
        auto answer = asio::co_spawn(io, std::move(question), asio::use_future);
        io.restart();
        io.run();
        return answer.get();
    }

    io_context io{1};
    postern::base::SystemClock clock;
    SystemOutside outside;
    Resolver resolver;
};

}  // namespace

TEST_CASE("mail exchangers come in order, with their proof", "[resolver]") {
    World world;
    const auto mx = world.get(world.resolver.mx("Signed.Example"));
    CHECK(mx.status == Lookup::found);
    CHECK(mx.secure);
    REQUIRE(mx.exchangers.size() == 2);
    CHECK(mx.exchangers[0].host == "mx1.signed.example");
    CHECK(mx.exchangers[1].host == "mx2.signed.example");
    CHECK(mx.exchangers[1].preference == 20);

    const auto open = world.get(world.resolver.mx("unsigned.example"));
    CHECK(open.status == Lookup::found);
    CHECK_FALSE(open.secure);

    const auto null = world.get(world.resolver.mx("null.signed.example"));
    REQUIRE(null.exchangers.size() == 1);
    CHECK(null.exchangers[0].host == ".");

    const auto crowd = world.get(world.resolver.mx("crowd.signed.example"));
    CHECK(crowd.exchangers.size() == 50);
}

TEST_CASE("absence is told apart, and proven", "[resolver]") {
    World world;
    const auto none = world.get(world.resolver.mx("mx1.signed.example"));
    CHECK(none.status == Lookup::no_data);
    CHECK(none.secure);
    CHECK_FALSE(none.why.empty());
    const auto unknown = world.get(world.resolver.mx("nowhere.signed.example"));
    CHECK(unknown.status == Lookup::no_name);
    CHECK(unknown.secure);
    const auto open = world.get(world.resolver.mx("nowhere.unsigned.example"));
    CHECK(open.status == Lookup::no_name);
    CHECK_FALSE(open.secure);
    CHECK(world.get(world.resolver.addresses("dangling.signed.example")).status == Lookup::no_name);
}

TEST_CASE("addresses of both kinds, IPv6 first", "[resolver]") {
    World world;
    const auto both = world.get(world.resolver.addresses("mx1.signed.example"));
    CHECK(both.status == Lookup::found);
    CHECK(both.secure);
    CHECK(both.canonical == "mx1.signed.example");
    REQUIRE(both.addresses.size() == 2);
    CHECK(both.addresses[0].to_string() == "2001:db8::1");
    CHECK(both.addresses[1].to_string() == "192.0.2.1");

    const auto one = world.get(world.resolver.addresses("mx2.signed.example"));
    CHECK(one.addresses.size() == 1);
    CHECK(one.secure);

    CHECK_FALSE(world.get(world.resolver.addresses("mx.unsigned.example")).secure);
    CHECK(world.get(world.resolver.addresses("crowd.signed.example")).addresses.size() == 20);

    const auto nothing = world.get(world.resolver.addresses("null.signed.example"));
    CHECK(nothing.status == Lookup::no_data);
    CHECK(nothing.secure);
    CHECK(nothing.canonical == "null.signed.example");

    const auto literal = world.get(world.resolver.addresses("2001:db8::9"));
    REQUIRE(literal.addresses.size() == 1);
    CHECK_FALSE(literal.secure);
}

TEST_CASE("aliases are followed to their end, and their proof breaks where they leave it", "[resolver]") {
    World world;
    for (const char* name : {"alias.signed.example", "deep.signed.example"}) {
        const auto alias = world.get(world.resolver.addresses(name));
        CHECK(alias.status == Lookup::found);
        CHECK(alias.secure);
        CHECK(alias.canonical == "mx1.signed.example");
    }
    const auto outside = world.get(world.resolver.addresses("outside.signed.example"));
    CHECK(outside.status == Lookup::found);
    CHECK_FALSE(outside.secure);
    CHECK(outside.canonical == "mx.unsigned.example");
    CHECK(outside.alias_secure);
    CHECK_FALSE(world.get(world.resolver.addresses("alias.unsigned.example")).alias_secure);
    CHECK_FALSE(world.get(world.resolver.addresses("mx.unsigned.example")).alias_secure);
    CHECK_FALSE(world.get(world.resolver.addresses("mx1.signed.example")).alias_secure);
}

TEST_CASE("aliases that lead nowhere end", "[resolver]") {
    World world;
    for (const char* name : {"loop1.signed.example", "self.signed.example"}) {
        const auto loop = world.get(world.resolver.addresses(name));
        CHECK(loop.status == Lookup::transient);
        CHECK(loop.addresses.empty());
        CHECK_FALSE(loop.secure);
        CHECK_FALSE(loop.why.empty());
    }
}

TEST_CASE("TLSA records, and the proof that there are none", "[resolver]") {
    World world;
    const auto tlsa = world.get(world.resolver.tlsa("mx1.signed.example", 25));
    CHECK(tlsa.status == Lookup::found);
    CHECK(tlsa.secure);
    REQUIRE(tlsa.records.size() == 2);
    CHECK(tlsa.records[0].usage + tlsa.records[1].usage == 5);
    CHECK(tlsa.records[0].data.size() == 32);
    CHECK(tlsa.records[0].data[1] == '\x23');

    const auto other_port = world.get(world.resolver.tlsa("mx1.signed.example", 587));
    CHECK(other_port.status == Lookup::no_name);
    CHECK(other_port.secure);
    CHECK(world.get(world.resolver.tlsa("mx2.signed.example", 25)).secure);
    const auto open = world.get(world.resolver.tlsa("mx.unsigned.example", 25));
    CHECK(open.status == Lookup::found);
    CHECK_FALSE(open.secure);
}

TEST_CASE("TLSA records of aliases", "[resolver][dane]") {
    World world;
    auto usages = [&world](const std::string& host) {
        const auto addresses = world.get(world.resolver.addresses(host));
        const auto tlsa = world.get(postern::relay::find_tlsa(world.resolver, host, 25, addresses));
        int sum = 0;
        for (const auto& record : tlsa.records) sum = sum * 10 + record.usage;
        return tlsa.secure ? sum : -1;
    };
    CHECK(usages("outside.signed.example") == 3);  // its own, proof ends with the alias
    CHECK((usages("deep.signed.example") == 32 || usages("deep.signed.example") == 23));  // those of mx1
    CHECK(usages("noted.signed.example") == 2);  // its own, mx2 has none
    CHECK(usages("mx2.signed.example") == 0);    // proven absence
    CHECK(usages("mx.unsigned.example") == -1);
    CHECK(usages("alias.unsigned.example") == -1);
}

TEST_CASE("what was tampered with is not seen, and is tried later", "[resolver]") {
    World world;
    const auto bogus = world.get(world.resolver.addresses("mx.tampered.example"));
    CHECK(bogus.status == Lookup::transient);
    CHECK(bogus.addresses.empty());
    CHECK_FALSE(bogus.secure);
    CHECK(bogus.why.find("DNSSEC validation failed") == 0);
    CHECK(world.get(world.resolver.mx("tampered.example")).secure);
}

TEST_CASE("one kind of address that is bogus takes nothing from the other", "[resolver]") {
    World world;
    const auto half = world.get(world.resolver.addresses("mx.half.example"));
    CHECK(half.status == Lookup::found);
    REQUIRE(half.addresses.size() == 1);
    CHECK(half.addresses[0].to_string() == "192.0.2.7");
    CHECK(half.secure);
}

TEST_CASE("without trust anchors nothing is proven, and nothing is bogus", "[resolver]") {
    DnsSettings settings = name_server().settings();
    settings.trust_anchors.clear();
    World world(settings);
    CHECK_FALSE(world.get(world.resolver.mx("signed.example")).secure);
    CHECK(world.get(world.resolver.addresses("mx.tampered.example")).status == Lookup::found);
}

TEST_CASE("texts are joined", "[resolver]") {
    World world;
    auto text = world.get(world.resolver.text("strings.signed.example"));
    CHECK(text.status == Lookup::found);
    std::sort(text.texts.begin(), text.texts.end());
    CHECK(text.texts == std::vector<std::string>{"", "v=STSv1; id=1;"});
    CHECK(world.get(world.resolver.text("mx1.signed.example")).status == Lookup::no_data);
}

TEST_CASE("names of addresses", "[resolver]") {
    World world;
    auto names = [&world](const char* address) {
        auto answer = world.get(world.resolver.names(asio::ip::make_address(address)));
        std::sort(answer.names.begin(), answer.names.end());
        return answer.names;
    };
    CHECK(names("8.8.8.1") == std::vector<std::string>{"gw1.example.net"});
    CHECK(names("::ffff:8.8.8.1") == std::vector<std::string>{"gw1.example.net"});
    CHECK(names("8.8.8.2") == std::vector<std::string>{"a.example", "b.example"});
    CHECK(names("3001:db8::1") == std::vector<std::string>{"six.example"});
    CHECK(world.get(world.resolver.names(asio::ip::make_address("8.8.8.3"))).status == Lookup::no_name);
}

TEST_CASE("international names are asked for in A-labels", "[resolver]") {
    World world;
    for (const char* name : {"b\xc3\xbc"
                             "cher.signed.example",
                             "B\xc3\x9c"
                             "CHER.Signed.Example"}) {
        const auto found = world.get(world.resolver.addresses(name));
        CHECK(found.status == Lookup::found);
        CHECK(found.canonical == "xn--bcher-kva.signed.example");
        CHECK(world.get(world.resolver.mx(name)).status == Lookup::found);
    }
}

TEST_CASE("what cannot be a name is no name", "[resolver]") {
    World world;
    const std::string long_label(64, 'a');
    std::string long_name;
    for (int i = 0; i < 60; ++i) long_name += "abcde.";
    for (const std::string& name :
         {long_label + ".example", long_name + "example", std::string("a..example"),
          std::string("\xc3\x28.example"), std::string("\xf0\x9f\x92.example"),
          "\xc3\xbc" + std::string(2000, 'a') + ".example", "\xc3\xbc" + std::string("\0.example", 9)}) {
        CAPTURE(name);
        const auto mx = world.get(world.resolver.mx(name));
        CHECK(mx.status == Lookup::no_name);
        CHECK_FALSE(mx.why.empty());
        CHECK(world.get(world.resolver.addresses(name)).status == Lookup::no_name);
        CHECK(world.get(world.resolver.tlsa(name, 25)).status == Lookup::no_name);
    }
}

TEST_CASE("a name server that says nothing is not waited for", "[resolver]") {
    const SilentServer silent;
    DnsSettings settings;
    settings.timeout = std::chrono::seconds(1);
    settings.stub = {{"silent.example", silent.address()}};
    World world(settings);
    const auto mx = world.get(world.resolver.mx("silent.example"));
    CHECK(mx.status == Lookup::transient);
    CHECK(mx.why == "the name servers did not answer in time");
}

TEST_CASE("what fails at once after a silence is asked again", "[resolver]") {
    using Clock = std::chrono::steady_clock;
    std::atomic<bool> away{true};
    std::atomic<Clock::duration> failing_since{};
    // As the library does by itself at times, while it looks whether a server is back.
    const RefusingServer server([&](std::uint8_t) -> std::optional<std::uint8_t> {
        if (away) return std::nullopt;
        const auto now = Clock::now().time_since_epoch();
        Clock::duration since{};
        if (failing_since.compare_exchange_strong(since, now)) since = now;
        return now - since < std::chrono::milliseconds(300) ? RefusingServer::server_failure
                                                            : RefusingServer::no_error;
    });
    DnsSettings settings;
    settings.timeout = std::chrono::seconds(2);
    settings.servers = {server.address()};
    World world(settings);
    CHECK(world.get(world.resolver.mx("one.example")).why == "the name servers did not answer in time");
    away = false;
    CHECK(world.get(world.resolver.mx("two.example")).status == Lookup::no_data);
    SECTION("and what fails while they answer is not") {
        failing_since = Clock::duration{};
        CHECK(world.get(world.resolver.mx("three.example")).status == Lookup::transient);
    }
}

TEST_CASE("a resolver that goes takes its questions with it", "[resolver]") {
    DnsSettings settings = name_server().settings();
    io_context io(1);
    const postern::base::SystemClock clock;
    SystemOutside outside;
    bool ended = false, answered = false;
    struct AtEnd {
        explicit AtEnd(bool& flag_) : flag(flag_) {}
        ~AtEnd() { flag = true; }
        AtEnd(const AtEnd&) = delete;
        AtEnd& operator=(const AtEnd&) = delete;
        bool& flag;
    };
    auto resolver = std::make_unique<Resolver>(io, clock, outside, settings);
    auto ask = [&]() -> awaitable<void> {
        const AtEnd at_end(ended);
        co_await resolver->addresses("mx1.signed.example");
        answered = true;
    };
    asio::co_spawn(io, ask, [](std::exception_ptr) {});
    io.poll_one();
    resolver.reset();
    io.restart();
    io.run();
    CHECK(ended);
    CHECK_FALSE(answered);
}

TEST_CASE("zones that the library answers itself are asked where the settings say", "[resolver]") {
    const NameServer server({{"corp.test", {"mx A 192.0.2.1", "@ MX 10 mx"}, false, {}},
                             {"home.arpa", {"@ MX 10 mx", "mx A 192.0.2.2"}, false, {}},
                             {"10.in-addr.arpa", {"3.2.1 PTR mx.corp.test."}, false, {}},
                             {"1.168.192.in-addr.arpa", {"7 PTR mx.corp.test."}, false, {}}});
    DnsSettings settings = server.settings();
    settings.trust_anchors = "/usr/share/dns/root.key";
    World world(settings);
    CHECK(world.get(world.resolver.mx("corp.test")).status == Lookup::found);
    CHECK(world.get(world.resolver.addresses("mx.corp.test")).status == Lookup::found);
    CHECK(world.get(world.resolver.mx("home.arpa")).status == Lookup::found);
    for (const char* address : {"10.1.2.3", "192.168.1.7"})
        CHECK(world.get(world.resolver.names(asio::ip::make_address(address))).names ==
              std::vector<std::string>{"mx.corp.test"});
}

TEST_CASE("private reverse zones are asked of the servers that are named", "[resolver]") {
    const NameServer server({{"16.172.in-addr.arpa", {"3.2 PTR inside.example."}, false, {}}});
    DnsSettings settings;
    settings.servers = {server.settings().stub.front().second};
    World world(settings);
    CHECK(world.get(world.resolver.names(asio::ip::make_address("172.16.2.3"))).names ==
          std::vector<std::string>{"inside.example"});
}

TEST_CASE("other servers answer what is asked after a reload, and what was under way", "[resolver]") {
    const SilentServer silent;
    DnsSettings settings;
    settings.servers = {silent.address()};
    World world(settings);
    auto answer = asio::co_spawn(world.io, world.resolver.mx("unsigned.example"), asio::use_future);
    world.io.run_for(std::chrono::milliseconds(100));
    world.resolver.reload(name_server().settings());
    world.io.restart();
    world.io.run();
    CHECK(answer.get().status == Lookup::found);
    DnsSettings bad;
    bad.servers = {"nonsense"};
    CHECK_THROWS(world.resolver.reload(bad));
    CHECK(world.get(world.resolver.mx("signed.example")).secure);
}

TEST_CASE("a lack of descriptors is no answer", "[resolver]") {
    if (sanitized) return;
    DnsSettings settings = name_server().settings();
    settings.timeout = std::chrono::seconds(1);
    World world(settings);
    CHECK(world.get(world.resolver.mx("signed.example")).status == Lookup::found);
    {
        const NoDescriptors none;
        const auto mx = world.get(world.resolver.mx("unsigned.example"));
        const auto absent = world.get(world.resolver.mx("nowhere.signed.example"));
        const auto tlsa = world.get(world.resolver.tlsa("mx2.signed.example", 25));
        const auto addresses = world.get(world.resolver.addresses("mx.unsigned.example"));
        for (const auto& [status, why] :
             {std::pair(mx.status, mx.why), std::pair(absent.status, absent.why),
              std::pair(tlsa.status, tlsa.why), std::pair(addresses.status, addresses.why)}) {
            CHECK(status == Lookup::transient);
            CHECK_THAT(why, Catch::Contains("Too many open files"));
        }
        CHECK_FALSE(tlsa.secure);
    }
    // The library keeps a failure for some seconds.
    while (world.get(world.resolver.mx("unsigned.example")).status != Lookup::found)
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
    while (!world.get(world.resolver.tlsa("mx2.signed.example", 25)).secure)
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
}

TEST_CASE("what could not be asked is asked as soon as there are descriptors", "[resolver]") {
    if (sanitized) return;
    World world;
    CHECK(world.get(world.resolver.mx("signed.example")).status == Lookup::found);
    auto none = std::make_optional<NoDescriptors>();
    auto mx = asio::co_spawn(world.io, world.resolver.mx("unsigned.example"), asio::use_future);
    auto tlsa = asio::co_spawn(world.io, world.resolver.tlsa("mx2.signed.example", 25), asio::use_future);
    world.io.restart();
    world.io.run_for(std::chrono::milliseconds(1500));
    CHECK(mx.wait_for(std::chrono::seconds(0)) == std::future_status::timeout);
    none.reset();
    world.io.run();
    CHECK(mx.get().status == Lookup::found);
    // What the library took for a failure of the name servers meanwhile is forgotten.
    CHECK(tlsa.get().secure);
    CHECK(world.get(world.resolver.addresses("mx.unsigned.example")).status == Lookup::found);
}

TEST_CASE("settings that cannot be used are named", "[resolver]") {
    io_context io(1);
    const postern::base::SystemClock clock;
    SystemOutside outside;
    DnsSettings settings;
    settings.stub = {{"a.example", "nonsense"}};
    CHECK_THROWS_WITH(Resolver(io, clock, outside, settings),
                      Catch::Contains("dns.stub") && Catch::Contains("nonsense"));
    settings.stub.clear();
    settings.servers = {"not an address"};
    CHECK_THROWS_WITH(Resolver(io, clock, outside, settings), Catch::Contains("dns.servers"));
}
