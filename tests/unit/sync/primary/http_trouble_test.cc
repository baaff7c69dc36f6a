#include <catch2/catch.hpp>

#include "sync/primary/http.h"
#include "sync/settings.h"
#include "sync/sync.h"
#include "tests/support/primary_double.h"
#include "tests/unit/sync/fixture.h"
#include "tests/unit/sync/primary/certificate.h"
#include "tests/unit/sync/primary/raw_server.h"

using namespace postern::sync;
using namespace postern::tests;
using namespace std::chrono_literals;

namespace {

tl::expected<HttpReply, StreamFailure> ask(const std::string& url, HttpSettings settings = {},
                                           std::stop_token stop = {}) {
    return HttpClient(*BaseUrl::parse(url), std::move(settings), machine, std::move(stop))
        .send({"GET", "api/v1/x", {}, {}});
}

}  // namespace

TEST_CASE("a header without end is not read to its end", "[http]") {
    std::atomic<std::size_t> sent{0};
    const RawServer server([&](const RawServer::Send& send) {
        const std::string field = "X-Filler: " + std::string(4000, 'x') + "\r\n";
        send("HTTP/1.1 200 OK\r\n");
        while (send(field)) sent += field.size();
    });
    const auto reply = ask("http://" + server.where());
    REQUIRE_FALSE(reply);
    CHECK(reply.error().fault == StreamFault::too_large);
    wait_for([&] { return sent > 0; });
    CHECK(sent < 64u << 20);  // what fits the buffers of two sockets
}

TEST_CASE("a stop ends a reply that drips", "[http]") {
    std::stop_source stop;
    const RawServer server([&](const RawServer::Send& send) {
        send("HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n");
        for (bool first = true; send("x"); first = false) {
            if (first) stop.request_stop();
            std::this_thread::sleep_for(1ms);
        }
    });
    const auto reply = ask("http://" + server.where(), {}, stop.get_token());
    REQUIRE_FALSE(reply);
    CHECK(reply.error().fault == StreamFault::cancelled);
}

TEST_CASE("the deadline ends a reply that drips", "[http]") {
    const RawServer server([&](const RawServer::Send& send) {
        while (send("HTTP/1.1 100 Continue\r\n\r\n")) std::this_thread::sleep_for(10ms);
    });
    HttpSettings settings;
    settings.total = 100ms;
    const auto reply = ask("http://" + server.where(), settings);
    REQUIRE_FALSE(reply);
    CHECK(reply.error().trouble == Trouble::reply_timeout);
}

TEST_CASE("a chunked reply with a trailer field is read", "[http]") {
    const RawServer server([](const RawServer::Send& send) {
        send(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
            "3;name=value\r\nabc\r\n2\r\nde\r\n0\r\nX-Sum: 1\r\n\r\n");
    });
    const auto reply = ask("http://" + server.where());
    REQUIRE(reply);
    CHECK(reply->body == "abcde");
}

TEST_CASE("many small chunks are not taken for a header without end", "[http]") {
    const RawServer server([](const RawServer::Send& send) {
        send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        std::string chunks;
        for (int i = 0; i < 50'000; ++i) chunks += "1\r\nx\r\n";
        send(chunks + "0\r\n\r\n");
    });
    const auto reply = ask("http://" + server.where());
    REQUIRE(reply);
    CHECK(reply->body.size() == 50'000);
}

TEST_CASE("a connection that was given up meanwhile is replaced", "[http]") {
    const RawServer server([](const RawServer::Send& send) {
        send("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx");  // and it closes, though it did not say so
    });
    HttpClient client(*BaseUrl::parse("http://" + server.where()), {}, machine, {});
    for (int i = 0; i < 3; ++i) CHECK(client.send({"GET", "x", {}, {}}).has_value());
    CHECK(server.connections() == 3);
}

TEST_CASE("troubles on the way to a primary are told apart", "[http]") {
    const Folder folder;
    const auto trouble = [](const std::string& url, HttpSettings settings = {}) {
        const auto reply = ask(url, std::move(settings));
        return reply ? std::string("none") : reply.error().words;
    };
    SECTION("a name that does not exist") {
        const auto reply = ask("http://nobody.invalid:9998");
        REQUIRE_FALSE(reply);
        CHECK((reply.error().trouble == Trouble::name_unknown ||
               reply.error().trouble == Trouble::name_unanswered));  // by what the machine has for a resolver
        CHECK(reply.error().words.find("nobody.invalid") != std::string::npos);
    }
    SECTION("something that is no web server") {
        const RawServer server([](const RawServer::Send& send) { send("220 mail.example ESMTP\r\n"); });
        CHECK(trouble("http://" + server.where()) ==
              "what answers at " + server.where() + " is no web server");
        CHECK(trouble("https://" + server.where()) ==
              "what answers at " + server.where() + " does not speak TLS");
    }
    SECTION("nothing at all") {
        const RawServer server([](const RawServer::Send&) {});
        CHECK(trouble("http://" + server.where()) ==
              server.where() + " ended the connection without a reply");
    }
    SECTION("https to a port for http, and the reverse") {
        const RawServer plain([](const RawServer::Send& send) {
            send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
        });
        CHECK(trouble("https://" + plain.where()) ==
              "what answers at " + plain.where() + " does not speak TLS");
        const RawServer alert([](const RawServer::Send& send) { send("\x15\x03\x01\x02\x02\x0a"); });
        CHECK(trouble("http://" + alert.where()) ==
              "what answers at " + alert.where() + " speaks TLS, not plain HTTP");
    }
    SECTION("certificates") {
        const auto certificate = folder.path() / "cert.pem", key = folder.path() / "key.pem";
        write_certificate(certificate, key, "x", "IP:127.0.0.1");
        const PrimaryDouble right(example_world(), 0, PrimaryDouble::Tls{certificate, key});
        CHECK(trouble(right.url()) == "the certificate of " + right.url().substr(8) + " is self-signed");
        write_certificate(certificate, key, "x", "IP:127.0.0.2");
        const PrimaryDouble wrong(example_world(), 0, PrimaryDouble::Tls{certificate, key});
        HttpSettings trusting;
        trusting.ca_file = certificate;
        CHECK(trouble(wrong.url(), trusting) ==
              "the certificate of " + wrong.url().substr(8) + " is for other names than 127.0.0.1");
        HttpSettings missing;
        missing.ca_file = folder.path() / "missing.pem";
        CHECK(ask(right.url(), missing).error().trouble == Trouble::ca_file);
    }
}

TEST_CASE("troubles with the account and the url are told apart", "[sync]") {
    const Folder folder;
    PrimaryDouble primary(example_world());
    PrimarySettings settings;
    settings.name = "main";
    settings.url = primary.url();
    settings.username = "gateway";
    settings.password_file = folder.write("password", "secret");
    const auto failure = [&] { return probe(settings, machine).error(); };
    REQUIRE(probe(settings, machine));

    SECTION("the account") {
        struct Row {
            Json switches;
            Trouble trouble;
        };
        for (const Row& row : {Row{{{"two_factor", "old"}}, Trouble::second_factor},
                               Row{{{"two_factor", "new"}}, Trouble::second_factor},
                               Row{{{"password_change", true}}, Trouble::password_change},
                               Row{{{"password_expired", true}}, Trouble::password_change},
                               Row{{{"not_admin", true}}, Trouble::not_administrator},
                               Row{{{"sign_in_refusal", "IP restriction against a system administrator"}},
                                   Trouble::address_restricted},
                               Row{{{"sign_in_refusal", "USER_DISABLED"}}, Trouble::account_disabled}}) {
            PrimaryDouble other(example_world());
            other.set_switches(row.switches);
            settings.url = other.url();
            CAPTURE(row.switches.dump());
            CHECK(failure().trouble == row.trouble);
        }
    }
    SECTION("the password file") {
        folder.write("password", "wrong");
        CHECK(failure().trouble == Trouble::credentials);
        for (const char* odd : {"\xef\xbb\xbfsecret\n", "password=secret\n", "Password: secret", "secret \n",
                                " secret", "secret\nmore\n"}) {
            folder.write("password", odd);
            CAPTURE(odd);
            CHECK(failure().trouble == Trouble::password_format);
        }
        settings.password_file = folder.path() / "missing";
        CHECK(failure().trouble == Trouble::password_file);
    }
    SECTION("a redirect names where it leads") {
        primary.set_switches(
            {{"canned",
              {{"auth",
                {{"status", 301}, {"headers", {{"Location", "https://mail.example/"}}}, {"body", "x"}}}}}});
        CHECK(failure().words == "the url leads elsewhere: HTTP status 301, Location https://mail.example/");
        CHECK(failure().trouble == Trouble::redirected);
    }
    SECTION("a compressed reply") {
        primary.set_switches(
            {{"canned", {{"auth", {{"headers", {{"Content-Encoding", "gzip"}}}, {"body", "x"}}}}}});
        CHECK(failure().trouble == Trouble::compressed);
    }
    SECTION("the path of the web interface") {
        settings.url += "/interface/root";
        primary.set_switches({{"rest", false}});
        CHECK(failure().trouble == Trouble::not_web_service);
    }
}
