#include "sync/detected_back_end.h"

#include <catch2/catch.hpp>

#include "tests/support/primary_double.h"
#include "tests/unit/sync/fixture.h"

using namespace postern::sync;
using namespace postern::tests;
using namespace std::chrono_literals;

namespace {

struct Pair {
    explicit Pair(bool rest, bool soap) : primary(example_world()) {
        has(rest, soap);
        settings.name = "main";
        settings.url = primary.url();
        settings.username = "gateway";
        settings.password_file = folder.write("password", "secret\n");
        settings.gap = 0ms;
        start();
    }
    void has(bool rest, bool soap) { primary.set_switches({{"rest", rest}, {"soap", soap}}); }
    void start() {
        client = std::make_unique<DetectedBackEnd>(settings, "postern-test",
                                                   postern::base::StateFolder{&system_disk, folder.path()},
                                                   machine, std::stop_token());
    }
    Json sign_ins() const { return primary.requests()["sign_ins"]; }

    Folder folder;
    PrimaryDouble primary;
    PrimarySettings settings;
    std::unique_ptr<DetectedBackEnd> client;
};

}  // namespace

TEST_CASE("the generation that answers is spoken, REST where both do", "[soap]") {
    SECTION("both") {
        Pair pair(true, true);
        CHECK(pair.client->chosen() == DetectedBackEnd::Api::none);
        REQUIRE(pair.client->domains());
        CHECK(pair.client->chosen() == DetectedBackEnd::Api::rest);
        CHECK(pair.sign_ins() == 1);
    }
    SECTION("REST") {
        Pair pair(true, false);
        REQUIRE(pair.client->domains());
        CHECK(pair.client->chosen() == DetectedBackEnd::Api::rest);
    }
    SECTION("SOAP") {
        Pair pair(false, true);
        REQUIRE(pair.client->domains());
        CHECK(pair.client->chosen() == DetectedBackEnd::Api::soap);
        DomainRecord known;
        known.spelling = "example.com";
        const auto reading = pair.client->read(known);
        REQUIRE(reading);
        CHECK(reading->users->size() == 4);
        CHECK(pair.client->requests() == pair.primary.requests()["count"]);
    }
    SECTION("neither") {
        Pair pair(false, false);
        const auto listed = pair.client->domains();
        REQUIRE_FALSE(listed);
        CHECK(listed.error().fault == Fault::unreadable);
        CHECK(listed.error().words.starts_with("neither generation"));
        CHECK(pair.client->chosen() == DetectedBackEnd::Api::none);
        pair.has(false, true);
        CHECK(pair.client->domains());
    }
}

TEST_CASE("the pause between two requests holds for whatever generation is spoken", "[soap]") {
    const auto [rest, soap] = GENERATE(std::pair(true, false), std::pair(false, true));
    INFO(rest << soap);
    Pair pair(rest, soap);
    const bool chosen = GENERATE(false, true);
    INFO(chosen);
    if (chosen) REQUIRE(pair.client->domains());
    pair.client->pause_between(50ms);
    const auto before = pair.client->requests();
    const auto began = machine.now();
    REQUIRE(pair.client->domains());
    REQUIRE(pair.client->domains());
    REQUIRE(pair.client->domains());
    CHECK(pair.client->requests() - before >= 3);
    CHECK(machine.now() - began >= 100ms);
}

TEST_CASE("web pages and redirects of an older primary are no REST", "[soap]") {
    Pair pair(true, true);
    const int status = GENERATE(200, 302, 404, 405);
    INFO(status);
    pair.primary.set_switches({{"html", {"auth/"}}, {"html_status", status}});
    REQUIRE(pair.client->domains());
    CHECK(pair.client->chosen() == DetectedBackEnd::Api::soap);
}

TEST_CASE("nothing is concluded from a primary that is busy or refuses the credentials", "[soap]") {
    Pair pair(true, true);
    SECTION("busy") {
        pair.primary.set_switches({{"starting", true}});
        CHECK(pair.client->domains().error().fault == Fault::busy);
        CHECK(pair.client->chosen() == DetectedBackEnd::Api::none);
    }
    SECTION("credentials") {
        pair.folder.write("password", "wrong");
        CHECK(pair.client->domains().error().fault == Fault::credentials);
        CHECK(pair.client->chosen() == DetectedBackEnd::Api::rest);
        CHECK(pair.primary.requests()["count"] == 1);
    }
}

TEST_CASE("the choice outlives a restart", "[soap]") {
    Pair pair(false, true);
    REQUIRE(pair.client->domains());
    pair.start();
    CHECK(pair.client->chosen() == DetectedBackEnd::Api::soap);
    pair.primary.forget_requests();
    pair.has(true, true);
    REQUIRE(pair.client->domains());
    CHECK(pair.sign_ins() == 0);
    SECTION("but not another url") {
        pair.settings.url += "/mail";
        pair.start();
        CHECK(pair.client->chosen() == DetectedBackEnd::Api::none);
    }
    SECTION("nor damage") {
        pair.folder.write("generation-main", "soap");
        pair.start();
        CHECK(pair.client->chosen() == DetectedBackEnd::Api::none);
    }
    SECTION("nor another primary") {
        pair.settings.name = "../other";
        pair.start();
        CHECK(pair.client->chosen() == DetectedBackEnd::Api::none);
        REQUIRE(pair.client->domains());
        CHECK(std::filesystem::exists(pair.folder.path() / "generation-..%2Fother"));
    }
}

TEST_CASE("the other generation is tried when the chosen one answers no more", "[soap]") {
    SECTION("SOAP goes") {
        Pair pair(false, true);
        REQUIRE(pair.client->domains());
        pair.has(true, false);
        REQUIRE(pair.client->domains());
        CHECK(pair.client->chosen() == DetectedBackEnd::Api::rest);
        pair.start();
        CHECK(pair.client->chosen() == DetectedBackEnd::Api::rest);
    }
    SECTION("REST goes") {
        Pair pair(true, false);
        REQUIRE(pair.client->domains());
        pair.has(false, true);
        REQUIRE(pair.client->domains());
        CHECK(pair.client->chosen() == DetectedBackEnd::Api::soap);
    }
    SECTION("an orderly refusal is an answer") {
        Pair pair(false, true);
        REQUIRE(pair.client->domains());
        pair.primary.set_switches({{"soap_refused", {{"GetAllDomains", "Out of order"}}}});
        const auto listed = pair.client->domains();
        REQUIRE_FALSE(listed);
        CHECK(listed.error().words == "\"Out of order\"");
        CHECK(pair.client->chosen() == DetectedBackEnd::Api::soap);
        const Json count = pair.primary.requests()["count"];
        CHECK_FALSE(pair.client->domains());  // and both are not tried again each time
        CHECK(pair.primary.requests()["count"] == count.get<int>() + 1);
    }
    SECTION("silence is none") {
        Pair pair(false, true);
        REQUIRE(pair.client->domains());
        pair.has(true, true);
        pair.primary.set_switches({{"starting", true}});
        CHECK_FALSE(pair.client->domains());
        CHECK(pair.client->chosen() == DetectedBackEnd::Api::soap);
        CHECK(pair.sign_ins() == 0);
    }
}
