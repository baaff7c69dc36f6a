#include "relay/net/dnssec.h"

#include <asio/use_future.hpp>
#include <catch2/catch.hpp>
#include <future>

#include "relay/net/dns_message.h"
#include "relay/net/dnssec_proof.h"
#include "relay/net/outside.h"
#include "relay/net/resolver.h"
#include "tests/unit/relay/name_server.h"
#include "tests/unit/relay/refusing_server.h"
#include "tests/unit/relay/silent_server.h"

using namespace postern::relay::net;
using namespace postern::tests;
using postern::relay::DnsSettings;
using Found = RootKeys::Found;

namespace {

std::vector<Zone> root(bool signing) {
    return {{".", {"dest.example MX 10 mx.dest.example.", "mx.dest.example A 192.0.2.1"}, signing, {}}};
}

const NameServer& passes() {
    static const NameServer server(root(true));
    return server;
}

const NameServer& strips() {
    static const NameServer server(root(false));
    return server;
}

/// Asks `server`, and trusts the keys of passes().
DnsSettings asking(const NameServer& server) {
    DnsSettings settings = server.settings();
    settings.trust_anchors = passes().settings().trust_anchors;
    return settings;
}

class World {
public:
    World(const DnsSettings& settings, bool proven) : resolver(io, clock, outside, settings) {
        resolver.watch_dnssec(proven, [this] { ++told; });
    }

    template <class Answer>
    Answer get(awaitable<Answer> question) {
        auto answer = asio::co_spawn(io, std::move(question), asio::use_future);
        until([&] { return answer.wait_for(std::chrono::seconds(0)) == std::future_status::ready; });
        return answer.get();
    }

    template <class Condition>
    void until(Condition condition) {
        io.restart();
        while (!condition()) io.run_one();
    }

    io_context io{1};
    postern::base::SystemClock clock;
    SystemOutside outside;
    Resolver resolver;
    int told = 0;
};

}  // namespace

TEST_CASE("validation that works is demanded from then on", "[dnssec]") {
    World world(asking(passes()), false);
    const auto mx = world.get(world.resolver.mx("dest.example"));
    CHECK(mx.secure);
    world.until([&] { return world.told > 0; });
    CHECK(world.resolver.dnssec().proven());
    CHECK(world.resolver.dnssec().trouble().empty());

    // The same servers, which strip all of a sudden.
    Dnssec dnssec = world.resolver.dnssec();
    dnssec.learn({Found::stripped, "no signatures"}, true);
    CHECK_FALSE(dnssec.waived());
}

TEST_CASE("a resolver without DNSSEC is asked all the same where validation never worked", "[dnssec]") {
    World world(asking(strips()), false);
    // Asked before it is known that it strips.
    const auto mx = world.get(world.resolver.mx("dest.example"));
    CHECK(mx.status == Lookup::found);
    CHECK_FALSE(mx.secure);
    CHECK(world.told == 1);
    CHECK(world.resolver.dnssec().waived());
    CHECK_FALSE(world.resolver.dnssec().proven());
    for (const char* words :
         {"no DNSSEC signatures come from", "DANE is off", "dns.servers", "trust_anchors"})
        CHECK_THAT(world.resolver.dnssec().trouble(), Catch::Contains(words));
    CHECK(world.get(world.resolver.mx("nowhere.example")).status == Lookup::no_name);
}

TEST_CASE("a resolver without DNSSEC is not believed where validation worked before", "[dnssec]") {
    World world(asking(strips()), true);
    for (int time = 0; time < 2; ++time) {
        const auto mx = world.get(world.resolver.mx("dest.example"));
        CHECK(mx.status == Lookup::transient);
        CHECK_THAT(mx.why, Catch::Contains("no DNSSEC signatures come any more from"));
    }
    CHECK_FALSE(world.resolver.dnssec().waived());
    CHECK_THAT(world.resolver.dnssec().trouble(), Catch::Contains("so mail waits"));

    // Until other servers are named.
    world.resolver.reload(asking(passes()));
    CHECK(world.get(world.resolver.mx("dest.example")).secure);
}

TEST_CASE("other settings make a proof void", "[dnssec]") {
    World world(asking(passes()), false);
    world.until([&] { return world.resolver.dnssec().proven(); });
    DnsSettings settings = asking(passes());
    settings.timeout = std::chrono::seconds(7);
    world.resolver.reload(settings);
    CHECK(world.resolver.dnssec().proven());
    world.resolver.reload(asking(strips()));
    CHECK_FALSE(world.resolver.dnssec().proven());
    CHECK(world.get(world.resolver.mx("dest.example")).status == Lookup::found);
}

TEST_CASE("signatures that do not validate are no lack of them", "[dnssec]") {
    const NameServer other(root(true));  // with a key of its own
    World world(asking(other), false);
    const auto mx = world.get(world.resolver.mx("dest.example"));
    CHECK(mx.status == Lookup::transient);
    CHECK_THAT(mx.why, Catch::Contains("no answer of the name servers can be validated"));
    CHECK_FALSE(world.resolver.dnssec().waived());
    CHECK_THAT(world.resolver.dnssec().trouble(), Catch::Contains("clock"));
}

TEST_CASE("a resolver that does not answer proves nothing about DNSSEC", "[dnssec]") {
    const SilentServer silent;
    DnsSettings settings;
    settings.servers = {silent.address()};
    settings.trust_anchors = passes().settings().trust_anchors;
    settings.timeout = std::chrono::seconds(1);
    World world(settings, false);
    CHECK(world.get(world.resolver.mx("dest.example")).why == "the name servers did not answer in time");
    CHECK_FALSE(world.resolver.dnssec().waived());
    CHECK(world.resolver.dnssec().trouble().empty());
}

TEST_CASE("a resolver that refuses the keys of the root is not silent", "[dnssec]") {
    for (const bool proven : {false, true})
        for (const std::uint8_t code : {std::uint8_t{2}, std::uint8_t{5}}) {
            CAPTURE(proven, code);
            const RefusingServer server([code = code](std::uint8_t type) {
                return type == RefusingServer::dnskey ? code : RefusingServer::no_error;
            });
            DnsSettings settings;
            settings.servers = {server.address()};
            settings.trust_anchors = passes().settings().trust_anchors;
            World world(settings, proven);
            const auto mx = world.get(world.resolver.mx("dest.example"));
            world.until([&] { return world.told > 0; });
            CHECK(world.resolver.dnssec().waived() != proven);
            CHECK((mx.status == Lookup::transient) == proven);
            for (const char* words : {"the DNSSEC keys of the root do not come", "answers other questions"})
                CHECK_THAT(world.resolver.dnssec().trouble(), Catch::Contains(words));
        }
}

TEST_CASE("what is found out about the root's keys", "[dnssec]") {
    DnsSettings settings;
    settings.servers = {"192.0.2.53"};
    Dnssec dnssec(settings, false);
    dnssec.learn({Found::unanswered, "SERVFAIL"}, false);
    CHECK(dnssec.trouble().empty());
    dnssec.learn({Found::unanswered, "SERVFAIL"}, true);
    CHECK_THAT(dnssec.trouble(),
               Catch::Contains("keys of the root cannot be had from the resolver 192.0.2.53 (SERVFAIL)"));
    CHECK_FALSE(dnssec.waived());
    dnssec.learn({Found::stripped, ""}, true);
    CHECK(dnssec.waived());
    dnssec.learn({Found::unanswered, "SERVFAIL"}, false);
    CHECK(dnssec.waived());  // silence is no news
    dnssec.learn({Found::valid, ""}, false);
    CHECK(dnssec.proven());
    CHECK(dnssec.trouble().empty());
    dnssec.learn({Found::stripped, ""}, true);
    CHECK_FALSE(dnssec.waived());
}

TEST_CASE("signatures in a message", "[dnssec]") {
    const std::string head("\0\0\x81\x80\0\1\0\2\0\0\0\0", 12), question("\0\0\x30\0\1", 5);
    const auto record = [](char type) {
        return std::string("\xc0\x0c\0", 3) + type + std::string("\0\1\0\0\0\x3c\0\2ab", 10);
    };
    CHECK(is_signed(head + question + record(48) + record(46)));
    CHECK_FALSE(is_signed(head + question + record(48) + record(48)));
    CHECK_FALSE(is_signed(head + question + record(48)));  // cut
    const std::string whole = head + question + record(48) + record(46);
    for (std::size_t length = 0; length < whole.size() - 12; ++length)
        CHECK_FALSE(is_signed(std::string_view(whole).substr(0, length)));
}

TEST_CASE("a proof is good for the settings it was written with", "[dnssec]") {
    DnsSettings settings;
    settings.servers = {"192.0.2.53", "192.0.2.54"};
    settings.stub = {{"corp.example", "192.0.2.1"}};
    settings.trust_anchors = "/usr/share/dns/root.key";
    const std::string text = write_proof(settings);
    CHECK(read_proof(text, settings) == Proof::given);
    CHECK(read_proof(std::nullopt, settings) == Proof::none);
    DnsSettings patient = settings;
    patient.timeout = std::chrono::seconds(60);
    CHECK(read_proof(text, patient) == Proof::given);
    for (int which = 0; which < 3; ++which) {
        DnsSettings other = settings;
        if (which == 0) other.servers.pop_back();
        if (which == 1) other.stub.front().second = "192.0.2.2";
        if (which == 2) other.trust_anchors = "/etc/root.key";
        CHECK(read_proof(text, other) == Proof::none);
    }
    CHECK(read_proof("", settings) == Proof::damaged);
    for (std::size_t at = 0; at < text.size(); ++at) {
        CHECK(read_proof(text.substr(0, at), settings) == Proof::damaged);
        std::string flipped = text;
        flipped[at] = static_cast<char>(flipped[at] ^ 1);
        CHECK(read_proof(flipped, settings) == Proof::damaged);
    }
}
