#include "sync/back_ends.h"

#include <catch2/catch.hpp>
#include <set>
#include <stdexcept>

#include "tests/unit/sync/fixture.h"

using namespace postern::sync;
using postern::tests::machine;

TEST_CASE("each kind of primary has a name, and shows a url that is right for it", "[back_ends]") {
    std::set<std::string_view> names;
    for (const BackEnd& kind : back_ends()) {
        CAPTURE(kind.api);
        CHECK(names.insert(kind.api).second);
        CHECK(find_back_end(kind.api) == &kind);
        const auto quote = kind.url.find('"');
        const std::string_view example = kind.url.substr(quote + 1, kind.url.size() - quote - 2);
        CHECK(BaseUrl::parse(example, kind.schemes));
        CHECK_FALSE(BaseUrl::parse("gopher://mail.example.com", kind.schemes));
        PrimarySettings settings;
        settings.api = kind.api;
        settings.url = example;
        CHECK(kind.make(settings, "client", {}, machine, {})->requests() == 0);
        settings.url = "gopher://mail.example.com";
        CHECK_THROWS_AS(kind.make(settings, "client", {}, machine, {}), std::invalid_argument);
    }
    CHECK(PrimarySettings().api == back_ends()[0].api);
    CHECK(find_back_end("pigeon") == nullptr);
}

TEST_CASE("a mail server's url has a port of its own, and no path", "[back_ends]") {
    const auto schemes = find_back_end("smtp")->schemes;
    CHECK(BaseUrl::parse("smtp://mx.example", schemes)->port == 25);
    CHECK(BaseUrl::parse("smtps://mx.example", schemes)->port == 465);
    CHECK(BaseUrl::parse("smtps://mx.example", schemes)->tls);
    CHECK(BaseUrl::parse("smtp://[::1]:2525", schemes)->host == "::1");
    CHECK_FALSE(BaseUrl::parse("smtp://mx.example/mail", schemes));
    CHECK_FALSE(BaseUrl::parse("https://mx.example", schemes));
    CHECK_FALSE(BaseUrl::parse("smtp://mx.example"));
}
