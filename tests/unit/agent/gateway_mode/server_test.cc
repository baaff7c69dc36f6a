#include "agent/gateway_mode/server.h"

#include <catch2/catch.hpp>
#include <future>
#include <mutex>

#include "agent/machine/address_text.h"
#include "tests/unit/agent/http/raw_client.h"
#include "tests/unit/stepped_clock.h"

using namespace postern;
using namespace postern::agent;
using namespace postern::tests;

namespace {

GatewayModeTerms terms() {
    GatewayModeTerms terms;
    terms.user = "spool";
    terms.credentials = Credentials("spool", "secret");
    terms.clients = {*parse_network("127.0.0.0/30")};
    return terms;
}

struct Running {
    std::mutex mutex;
    std::vector<std::string> told;
    std::function<std::uint64_t()> messages = [] { return 3; };
    const SteppedClock clock;
    GatewayModeServer server{{"127.0.0.1", 0},
                             terms(),
                             [this] { return messages(); },
                             [this](const GatewayModeEvent& event) {
                                 const std::lock_guard lock(mutex);
                                 told.push_back(std::string(event.client) + ' ' +
                                                std::string(event.operation) + ' ' +
                                                std::string(describe(event.outcome)));
                             },
                             clock};

    std::string exchange(const std::string& octets, const std::string& from = "127.0.0.1") {
        return tests::exchange(server.port(), octets, from);
    }
    std::string last_told() {
        const std::lock_guard lock(mutex);
        return told.empty() ? "" : told.back();
    }
};

const std::string service = "/Services/svcServerAdmin.asmx", host = "Host: gw\r\n";
const std::string post = "POST " + service + " HTTP/1.1\r\n" + host;

std::string call() {
    const std::string body =
        R"(<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><GetSpoolMessageCount>)"
        "<AuthUserName>spool</AuthUserName><AuthPassword>secret</AuthPassword></GetSpoolMessageCount>"
        "</e:Body></e:Envelope>";
    return post + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

}  // namespace

TEST_CASE("gateway mode answers over its port, and tells of it") {
    Running running;
    running.server.start();
    CHECK_THAT(running.exchange(call()),
               Catch::StartsWith("HTTP/1.1 200 OK\r\n") && Catch::Contains("<messageCount>3</messageCount>"));
    CHECK(running.last_told() == "127.0.0.1 svcserveradmin.GetSpoolMessageCount served");
    const auto description =
        running.exchange("GET " + service + "?wsdl HTTP/1.1\r\nHost: gw1.example:9998\r\n\r\n");
    CHECK_THAT(description, Catch::Contains("location=\"http://gw1.example:9998/Services/"));
    CHECK_THAT(running.exchange("HEAD " + service + "?wsdl HTTP/1.1\r\nHost: gw\r\n\r\n"),
               Catch::StartsWith("HTTP/1.1 200 OK\r\n") && Catch::EndsWith("\r\n\r\n"));
}

TEST_CASE("what gateway mode does not take is refused before its body is read, with the reason, and told") {
    struct Case {
        std::string request;
        int status;
        std::string why;
    };
    const auto c = GENERATE(values<Case>({
        {"PUT / HTTP/1.1\r\n" + host + "Content-Length: 5\r\n\r\n", 405, "methods are GET, HEAD and POST"},
        {"GET /" + std::string(1025, 'a') + " HTTP/1.1\r\n" + host + "\r\n", 414, "the address is too long"},
        {post + "Range: bytes=0-\r\n\r\n", 416, "no ranges here"},
        {post + "Expect: tea\r\n\r\n", 417, "nothing but 100-continue can be expected here"},
        {post + "Content-Encoding: gzip\r\n\r\n", 415, "bodies are XML or JSON, and not compressed"},
        {post + "Content-Type: multipart/form-data; boundary=x\r\n\r\n", 415, "bodies are XML or JSON"},
        {post + "\r\n", 411, "the length of the body must be said, in one number"},
        {post + "Content-Length: -1\r\n\r\n", 411, "in one number"},
        {post + "Content-Length: 5\r\nContent-Length: 5\r\n\r\n", 411, "in one number"},
        {post + "Transfer-Encoding: chunked\r\n\r\n", 411, "in one number"},
        {post + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 411, "in one number"},
        {"GET / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n", 411, "in one number"},
        {post + "Content-Length: 65537\r\n\r\n", 413, "the body is larger than 64 KiB"},
        {post + "Content-Length: 99999999999999999999999\r\n\r\n", 413, "larger than 64 KiB"},
        {post + "Expect: 100-continue\r\nContent-Length: 65537\r\n\r\n", 413, "larger than 64 KiB"},
        {"GET / HTTP/1.1\r\n" + host + "Content-Length: 1\r\n\r\n", 413, "a body belongs to a POST here"},
        {"POST / HTTP/1.1\r\nContent-Length: 1\r\n\r\n", 400, "the Host header is missing"},
    }));
    CAPTURE(c.request);
    Running running;
    running.server.start();
    const auto answer = running.exchange(c.request);
    CHECK_THAT(answer,
               Catch::StartsWith("HTTP/1.1 " + std::to_string(c.status) + ' ') && Catch::Contains(c.why));
    CHECK((answer.find("Allow: GET, HEAD, POST\r\n") != std::string::npos) == (c.status == 405));
    CHECK_THAT(running.last_told(), Catch::EndsWith(" malformed"));
}

TEST_CASE("only primaries get in, and who they are can be changed") {
    Running running;
    running.server.start();
    CHECK(running.exchange(call(), "127.0.0.5").empty());
    CHECK(running.last_told() == "127.0.0.5 connect stranger");
    auto changed = terms();
    changed.clients = {*parse_network("127.0.0.5")};
    running.server.reload(std::move(changed));
    CHECK_THAT(running.exchange(call(), "127.0.0.5"), Catch::StartsWith("HTTP/1.1 200 "));
    CHECK(running.exchange(call()).empty());
}

TEST_CASE("a place that is taken is no place for gateway mode") {
    Running first;
    const relay::HostPort taken{"127.0.0.1", first.server.port()};
    CHECK_THROWS_WITH(GatewayModeServer(taken, terms(), {}, {}, first.clock),
                      "status.gateway_mode 127.0.0.1:" + std::to_string(taken.port) +
                          " cannot be bound: Address already in use");
}

TEST_CASE("a count that does not come keeps nobody else from his answer") {
    Running running;
    std::promise<void> asked, go;
    running.messages = [&, gone = go.get_future().share(), first = std::make_shared<std::once_flag>()] {
        bool mine = false;
        std::call_once(*first, [&] { mine = true; });
        if (mine) asked.set_value(), gone.wait();
        return std::uint64_t{mine ? 1u : 2u};
    };
    running.server.start();
    auto standing = std::async(std::launch::async, [&] { return running.exchange(call(), "127.0.0.2"); });
    asked.get_future().wait();
    CHECK_THAT(running.exchange(call()), Catch::Contains("<messageCount>2<"));
    CHECK_THAT(running.exchange(call(), "127.0.0.2"), Catch::Contains("<messageCount>2<"));
    go.set_value();
    CHECK_THAT(standing.get(), Catch::Contains("<messageCount>1<"));
}
