#include "relay/security/transport.h"

#include <catch2/catch.hpp>

using namespace postern::relay;
using net::Lookup;

namespace {

const net::TlsaRecord record{3, 1, 1, std::string(32, 'a')}, unusable{1, 1, 1, std::string(32, 'a')};

struct World {
    HostPolicy configured{ClientTls::opportunistic, "delivery.tls", {}, {}, false, {}, {}};
    Exchanger exchanger{"mx1.example.net", "example.com", true};
    StsKnown sts;
    net::AddressAnswer addresses;
    std::optional<net::TlsaAnswer> tlsa;

    World() {
        addresses.status = Lookup::found;
        addresses.secure = true;
        addresses.canonical = exchanger.host;
    }
    void publish(StsPolicy::Mode mode, const std::string& pattern) {
        sts = StsKnown{StsPolicy{mode, {pattern}, std::chrono::seconds(86400)}, false, "fetched"};
    }
    void publish(const net::TlsaRecord& tlsa_record) {
        tlsa.emplace();
        tlsa->status = Lookup::found;
        tlsa->secure = true;
        tlsa->records = {tlsa_record};
    }
    HostPolicy policy() const { return exchanger_policy(configured, exchanger, sts, addresses, tlsa); }
};

}  // namespace

TEST_CASE("what is configured for a domain, and what it leaves open", "[transport]") {
    Settings settings;
    settings.delivery.tls = ClientTls::opportunistic;
    settings.destinations = {{"limits.example", std::nullopt, 5, 0},
                             {"strict.example", ClientTls::verify, 0, 0},
                             {"dane.example", ClientTls::dane, 0, 0}};
    const auto strict = configured_policy(settings, "strict.example");
    CHECK(strict.text() == "verify (destination strict.example)");
    CHECK(configured_policy(settings, "limits.example").text() == "opportunistic (delivery.tls)");
    CHECK(configured_policy(settings, "sub.strict.example").tls == ClientTls::opportunistic);

    const auto open = configured_policy(settings, "x.example"),
               dane = configured_policy(settings, "dane.example");
    CHECK(wants_sts(open, settings.delivery));
    CHECK(wants_dane(open, settings.delivery));
    CHECK_FALSE(wants_sts(strict, settings.delivery));
    CHECK_FALSE(wants_dane(strict, settings.delivery));
    CHECK_FALSE(wants_sts(dane, settings.delivery));
    CHECK(wants_dane(dane, settings.delivery));
    settings.delivery.dane = settings.delivery.mta_sts = false;
    CHECK_FALSE(wants_sts(open, settings.delivery));
    CHECK_FALSE(wants_dane(open, settings.delivery));
    CHECK(wants_dane(dane, settings.delivery));
}

TEST_CASE("nothing published: what is configured holds", "[transport]") {
    World world;
    CHECK(world.policy() == world.configured);
    for (ClientTls tls : {ClientTls::verify, ClientTls::implicit}) {
        world.configured.tls = tls;
        CHECK(world.policy().names == std::vector<std::string>{"mx1.example.net"});
    }
}

TEST_CASE("MTA-STS enforced", "[transport]") {
    World world;
    world.publish(StsPolicy::Mode::enforce, "*.example.net");
    const HostPolicy listed = world.policy();
    CHECK(listed.text() == "verify (MTA-STS of example.com)");
    CHECK(listed.names == std::vector<std::string>{"mx1.example.net"});
    CHECK(listed.barred.empty());
    CHECK_FALSE(listed.testing);
    world.publish(StsPolicy::Mode::enforce, "other.example.net");
    CHECK(world.policy().barred == "mx1.example.net is not in the MTA-STS policy of example.com");
}

TEST_CASE("MTA-STS testing changes nothing but what is told", "[transport]") {
    World world;
    for (const char* pattern : {"*.example.net", "other.example.net"}) {
        world.publish(StsPolicy::Mode::testing, pattern);
        const HostPolicy policy = world.policy();
        CHECK(policy.tls == ClientTls::opportunistic);
        CHECK(policy.testing);
        CHECK(policy.would_bar.empty() ==
              sts_allows({StsPolicy::Mode::testing, {pattern}, {}}, "mx1.example.net"));
        CHECK(policy.barred.empty());
        CHECK(policy.origin.find("MTA-STS of example.com, testing") == 0);
    }
    CHECK(world.policy().would_bar.find("is not in the MTA-STS of example.com") != std::string::npos);
    world.publish(StsPolicy::Mode::none, "other.example.net");
    CHECK(world.policy() == world.configured);
}

TEST_CASE("a policy that is not known bars the hosts", "[transport]") {
    World world;
    world.sts = StsKnown{std::nullopt, true, "its TXT record cannot be looked up"};
    CHECK(world.policy().barred ==
          "the MTA-STS policy of example.com is not known: its TXT record cannot be looked up");
    SECTION("but those that DANE vouches for, where proof leads to them") {
        world.publish(record);
        CHECK(world.policy().barred.empty());
        CHECK(world.policy().tls == ClientTls::dane);
        world.exchanger.mx_secure = false;
        CHECK_FALSE(world.policy().barred.empty());
    }
    SECTION("records that cannot be used vouch for nothing") {
        world.publish(unusable);
        CHECK_FALSE(world.policy().barred.empty());
    }
    SECTION("an explicit setting stands above it") {
        world.configured.tls = ClientTls::required;
        CHECK(world.policy().barred.empty());
    }
}

TEST_CASE("MTA-STS does not touch an explicit setting", "[transport]") {
    World world;
    world.publish(StsPolicy::Mode::enforce, "other.example.net");
    world.publish(record);
    for (ClientTls tls : {ClientTls::off, ClientTls::required, ClientTls::verify, ClientTls::implicit}) {
        world.configured.tls = tls;
        CHECK(world.policy().tls == tls);
        CHECK(world.policy().barred.empty());
    }
}

TEST_CASE("DANE stands above MTA-STS", "[transport]") {
    World world;
    world.publish(record);
    SECTION("listed or not, when the MX records are proven") {
        for (const char* pattern : {"*.example.net", "other.example.net"}) {
            world.publish(StsPolicy::Mode::enforce, pattern);
            CHECK(world.policy().tls == ClientTls::dane);
            CHECK(world.policy().barred.empty());
        }
    }
    SECTION("a forged MX record does not get round an enforced policy") {
        world.exchanger.mx_secure = false;
        world.publish(StsPolicy::Mode::enforce, "other.example.net");
        CHECK(world.policy().barred == "mx1.example.net is not in the MTA-STS policy of example.com");
        world.publish(StsPolicy::Mode::enforce, "*.example.net");
        CHECK(world.policy().barred.empty());
        CHECK(world.policy().tls == ClientTls::dane);
    }
    SECTION("a failing DANE look-up is not mended by MTA-STS") {
        world.publish(StsPolicy::Mode::enforce, "*.example.net");
        world.tlsa->status = Lookup::transient;
        CHECK_FALSE(world.policy().barred.empty());
    }
    SECTION("records that cannot be used leave an enforced policy as it is") {
        world.publish(unusable);
        CHECK(world.policy().tls == ClientTls::required);
        world.publish(StsPolicy::Mode::testing, "*.example.net");
        CHECK(world.policy().tls == ClientTls::required);
        CHECK_FALSE(world.policy().testing);
        world.publish(StsPolicy::Mode::enforce, "*.example.net");
        CHECK(world.policy().text() == "verify (MTA-STS of example.com)");
    }
}

TEST_CASE("TLS policy dane wants proof of everything", "[transport]") {
    World world;
    world.configured = HostPolicy{ClientTls::dane, "destination example.com", {}, {}, false, {}, {}};
    world.publish(record);
    REQUIRE(world.policy().barred.empty());
    CHECK(world.policy().text() == "dane (destination example.com)");
    CHECK(world.policy().tlsa.size() == 1);
    auto barred = [&world](const char* word) {
        const HostPolicy policy = world.policy();
        CHECK(policy.tls == ClientTls::dane);
        CHECK(policy.barred.find("TLS policy dane, but ") == 0);
        CHECK(policy.barred.find(word) != std::string::npos);
    };
    SECTION("no TLSA records") {
        world.tlsa->status = Lookup::no_name;
        world.tlsa->records.clear();
        barred("has no TLSA records");
        world.tlsa.reset();
        barred("has no TLSA records");
    }
    SECTION("unproven ones") {
        world.tlsa->secure = false;
        barred("the TLSA records of mx1.example.net are not proven");
    }
    SECTION("unproven addresses") {
        world.addresses.secure = false;
        barred("the addresses of mx1.example.net are not proven");
    }
    SECTION("unproven MX records") {
        world.exchanger.mx_secure = false;
        barred("the MX records of example.com are not proven");
    }
    SECTION("none that can be used") {
        world.publish(unusable);
        barred("none of the TLSA records of mx1.example.net can be used");
    }
    SECTION("a failed look-up says so itself") {
        world.tlsa->status = Lookup::transient;
        world.tlsa->why = "SERVFAIL";
        CHECK(world.policy().barred.find("SERVFAIL") != std::string::npos);
    }
    SECTION("a configured host has no MX records to prove") {
        world.exchanger = Exchanger{"mx1.example.net", "", true};
        CHECK(world.policy().barred.empty());
        CHECK(world.policy().names == std::vector<std::string>{"mx1.example.net"});
    }
}

TEST_CASE("what is wrong with what a domain publishes is told", "[transport]") {
    World plain, unlisted, tested, unproven, useless, both;
    plain.publish(StsPolicy::Mode::enforce, "*.example.net");
    CHECK(plain.policy().fault == PolicyFault::none);
    REQUIRE(plain.policy().sts);
    CHECK(plain.policy().sts->patterns.front() == "*.example.net");

    unlisted.publish(StsPolicy::Mode::enforce, "*.example.org");
    CHECK(unlisted.policy().fault == PolicyFault::sts_not_listed);
    tested.publish(StsPolicy::Mode::testing, "*.example.org");
    CHECK(tested.policy().fault == PolicyFault::sts_not_listed);
    CHECK(tested.policy().barred.empty());

    for (const auto& [fault, told] : {std::pair(StsFault::not_fetched, PolicyFault::sts_not_fetched),
                                      {StsFault::invalid, PolicyFault::sts_invalid},
                                      {StsFault::not_trusted, PolicyFault::sts_not_trusted}}) {
        World world;
        world.sts.fault = fault;
        CHECK(world.policy().fault == told);
        CHECK(world.policy().barred.empty());
    }

    unproven.configured.tls = ClientTls::dane;
    unproven.publish(record);
    unproven.exchanger.mx_secure = false;
    CHECK(unproven.policy().fault == PolicyFault::dane_required);
    useless.publish(unusable);
    CHECK(useless.policy().fault == PolicyFault::tlsa_unusable);
    useless.tlsa->status = Lookup::transient;
    CHECK(useless.policy().fault == PolicyFault::tlsa_not_found);

    // DANE vouches for the host.
    both.publish(StsPolicy::Mode::enforce, "*.example.org");
    both.publish(record);
    CHECK(both.policy().fault == PolicyFault::none);
    both.exchanger.mx_secure = false;
    CHECK(both.policy().fault == PolicyFault::sts_not_listed);
}
