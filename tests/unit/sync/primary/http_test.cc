#include "sync/primary/http.h"

#include <catch2/catch.hpp>
#include <thread>

#include "sync/base/secret.h"
#include "sync/base/time_text.h"
#include "tests/support/primary_double.h"
#include "tests/unit/sync/fixture.h"
#include "tests/unit/sync/primary/certificate.h"

using namespace postern::sync;
using namespace postern::tests;
using namespace std::chrono_literals;

namespace {

HttpClient client(const std::string& url, HttpSettings settings = {}, std::stop_token stop = {}) {
    return HttpClient(*BaseUrl::parse(url), std::move(settings), machine, std::move(stop));
}

const HttpRequest version{"GET", "api/v1/settings/sysadmin/get-version", {}, {}};

}  // namespace

TEST_CASE("base URLs", "[http]") {
    const auto plain = BaseUrl::parse("http://mail.example.com:9998/");
    REQUIRE(plain);
    CHECK_FALSE(plain->tls);
    CHECK(plain->host == "mail.example.com");
    CHECK(plain->port == 9998);
    CHECK(plain->prefix.empty());
    const auto prefixed = BaseUrl::parse("https://[2001:db8::a]/mail//");
    REQUIRE(prefixed);
    CHECK(prefixed->tls);
    CHECK(prefixed->host == "2001:db8::a");
    CHECK(prefixed->port == 443);
    CHECK(prefixed->prefix == "/mail");
    for (const char* bad : {"", "mail.example.com", "ftp://a", "http://", "http://:80", "https://a:0",
                            "https://a:65536", "https://a:8x", "https://a:", "https://u:p@a", "https://a/?q",
                            "https://a b", "https://[::1", "https://a\r\nX: y"}) {
        CAPTURE(bad);
        CHECK_FALSE(BaseUrl::parse(bad));
    }
}

TEST_CASE("Retry-After in both forms", "[http]") {
    const auto now = *postern::base::parse_http_date("Sat, 21 Nov 2026 12:00:00 GMT");
    CHECK(parse_retry_after("120", now) == 120s);
    CHECK(parse_retry_after("0", now) == 0s);
    CHECK(parse_retry_after("Sat, 21 Nov 2026 12:00:30 GMT", now) == 30s);
    CHECK(parse_retry_after("Sat, 21 Nov 2026 11:00:00 GMT", now) == 0s);
    for (const char* bad : {"", "-1", "soon", "1 2", "99999999999"}) CHECK_FALSE(parse_retry_after(bad, now));
}

TEST_CASE("a reply comes whole, with status and date", "[http]") {
    PrimaryDouble primary(example_world());
    HttpClient http = client(primary.url());
    const auto reply = http.send(version);
    REQUIRE(reply);
    CHECK(reply->status == 401);
    CHECK(reply->body.find("Token has expired") != std::string::npos);
    CHECK(reply->date.has_value());
    primary.set_switches({{"starting", true}, {"retry_after", 7}});
    const auto busy = http.send(version);
    REQUIRE(busy);
    CHECK(busy->status == 503);
    CHECK(busy->retry_after == 7s);
    CHECK(http.sent() == 2);
}

TEST_CASE("too large, cut, redirected, slow", "[http]") {
    PrimaryDouble primary(example_world());
    HttpSettings settings;
    SECTION("a body over the cap") {
        primary.set_switches({{"canned", {{"settings", {{"body", std::string(2000, 'x')}}}}}});
        settings.body = 1999;
        const auto reply = client(primary.url(), settings).send(version);
        REQUIRE_FALSE(reply);
        CHECK(reply.error().fault == StreamFault::too_large);
        settings.body = 2000;
        CHECK(client(primary.url(), settings).send(version)->body.size() == 2000);
    }
    SECTION("a connection that ends half-way") {
        primary.set_switches({{"truncate", {"settings"}}});
        const auto reply = client(primary.url(), settings).send(version);
        REQUIRE_FALSE(reply);
        CHECK(reply.error().fault == StreamFault::transport);
    }
    SECTION("a redirect is not followed") {
        primary.set_switches({{"canned",
                               {{"settings",
                                 {{"status", 302},
                                  {"headers", {{"Location", primary.url() + "/elsewhere"}}},
                                  {"body", "x"}}}}}});
        CHECK(client(primary.url(), settings).send(version)->status == 302);
        CHECK(primary.requests()["count"] == 1);
    }
    SECTION("compressed bytes stay as they are") {
        primary.set_switches(
            {{"canned",
              {{"settings", {{"headers", {{"Content-Encoding", "gzip"}}}, {"body", "not gzip"}}}}}});
        CHECK(client(primary.url(), settings).send(version)->body == "not gzip");
    }
    SECTION("the deadline for the whole request") {
        primary.set_switches({{"delay_ms", 3'600'000}});
        settings.total = 50ms;
        const auto reply = client(primary.url(), settings).send(version);
        REQUIRE_FALSE(reply);
        CHECK(reply.error().trouble == Trouble::reply_timeout);
    }
}

TEST_CASE("a stop from another thread ends a request and all later ones", "[http]") {
    PrimaryDouble primary(example_world());
    primary.set_switches({{"delay_ms", 3'600'000}});
    std::stop_source stop;
    HttpClient http = client(primary.url(), {}, stop.get_token());
    std::jthread stopper([&] {
        wait_for([&] { return primary.requests()["count"] == 1; });
        stop.request_stop();
    });
    const auto reply = http.send(version);
    REQUIRE_FALSE(reply);
    CHECK(reply.error().fault == StreamFault::cancelled);
    CHECK(http.send(version).error().fault == StreamFault::cancelled);
    CHECK(http.sent() == 1);
}

TEST_CASE("a stop ends the rest between two requests", "[http]") {
    PrimaryDouble primary(example_world());
    std::stop_source stop;
    HttpSettings settings;
    settings.gap = 24h;
    HttpClient http = client(primary.url(), settings, stop.get_token());
    REQUIRE(http.send(version));
    std::jthread stopper([&] { stop.request_stop(); });
    CHECK(http.send(version).error().fault == StreamFault::cancelled);
}

TEST_CASE("the rest between two requests can be changed", "[http]") {
    PrimaryDouble primary(example_world());
    std::stop_source stop;
    HttpClient http = client(primary.url(), {}, stop.get_token());
    http.pause_between(24h);
    REQUIRE(http.send(version));
    std::jthread stopper([&] { stop.request_stop(); });
    CHECK(http.send(version).error().fault == StreamFault::cancelled);
}

TEST_CASE("nobody there", "[http]") {
    std::string url;
    {
        const PrimaryDouble primary(example_world());
        url = primary.url();
    }
    const auto reply = client(url).send(version);
    REQUIRE_FALSE(reply);
    CHECK(reply.error().trouble == Trouble::refused);
    CHECK(reply.error().words == "cannot connect to " + url.substr(7) + ": Connection refused");
}

TEST_CASE("certificates are checked", "[http]") {
    const Folder folder;
    struct Row {
        const char *common_name, *alternative_name;
        bool good;
    };
    for (const Row& row :
         {Row{"gateway test", "IP:127.0.0.1", true}, Row{"127.0.0.1", "DNS:mail.example.com", false},
          Row{"127.0.0.1", "IP:127.0.0.2", false}}) {
        CAPTURE(row.common_name, row.alternative_name);
        write_certificate(folder.path() / "cert.pem", folder.path() / "key.pem", row.common_name,
                          row.alternative_name);
        PrimaryDouble primary(example_world(), 0,
                              PrimaryDouble::Tls{folder.path() / "cert.pem", folder.path() / "key.pem"});
        HttpSettings settings;
        settings.ca_file = folder.path() / "cert.pem";
        CHECK(client(primary.url(), settings).send(version).has_value() == row.good);
        settings.ca_file.clear();  // the system's store does not know it
        CHECK_FALSE(client(primary.url(), settings).send(version));
        settings.ca_file = folder.path() / "missing.pem";
        CHECK_FALSE(client(primary.url(), settings).send(version));
        settings.ca_file.clear();
        settings.verify_tls = false;
        CHECK(client(primary.url(), settings).send(version));
    }
}

TEST_CASE("a common name does not stand in for an alternative name", "[http]") {
    const Folder folder;
    write_certificate(folder.path() / "cert.pem", folder.path() / "key.pem", "localhost",
                      "DNS:mail.example.com");
    PrimaryDouble primary(example_world(), 0,
                          PrimaryDouble::Tls{folder.path() / "cert.pem", folder.path() / "key.pem"});
    HttpSettings settings;
    settings.ca_file = folder.path() / "cert.pem";
    const std::string url = "https://localhost:" + std::to_string(primary.port());
    CHECK_FALSE(client(url, settings).send(version));
    write_certificate(folder.path() / "cert.pem", folder.path() / "key.pem", "x", "DNS:localhost");
    PrimaryDouble right(example_world(), 0,
                        PrimaryDouble::Tls{folder.path() / "cert.pem", folder.path() / "key.pem"});
    CHECK(client("https://localhost:" + std::to_string(right.port()), settings).send(version));
}

TEST_CASE("passwords from files", "[secret]") {
    const Folder folder;
    CHECK(postern::base::Secret::read(folder.write("a", "secret\n"))->text() == "secret");
    CHECK(postern::base::Secret::read(folder.write("b", " se cret \r\n"))->text() == " se cret ");
    CHECK(postern::base::Secret::read(folder.write("c", "two\n\n"))->text() == "two\n");
    CHECK_FALSE(postern::base::Secret::read(folder.write("d", "\n")));
    CHECK_FALSE(postern::base::Secret::read(folder.write("e", std::string(4097, 'x'))));
    CHECK_FALSE(postern::base::Secret::read(folder.path() / "missing"));
    CHECK_FALSE(postern::base::Secret::read(folder.path()));
}
