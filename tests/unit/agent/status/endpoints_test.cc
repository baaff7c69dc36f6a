#include "agent/status/endpoints.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "tests/unit/agent/status/fake_control.h"

using namespace postern;
using namespace postern::agent;
using nlohmann::json;

namespace {

struct Fake : FakeControl {
    Answer get(const std::string& path, std::multimap<std::string, std::string> parameters = {}) {
        return respond(control(), {"GET", path, std::move(parameters), false});
    }
    Answer change(const std::string& method, const std::string& path,
                  std::multimap<std::string, std::string> parameters = {}) {
        return respond(control(), {method, path, std::move(parameters), true, "root"});
    }
};

}  // namespace

TEST_CASE("reading is open") {
    Fake fake;
    const auto* path =
        GENERATE("/", "/healthz", "/readyz", "/metrics", "/v1/status", "/v1/queue", "/v1/messages/01ABC",
                 "/v1/directory", "/v1/directory/example.com", "/v1/directory/a@example.com", "/v1/gateways",
                 "/v1/routes", "/v1/egress", "/v1/spool/damaged");
    CAPTURE(path);
    CHECK(fake.get(path).status == 200);
    CHECK_FALSE(fake.get(path).body.empty());
    CHECK(respond(fake.control(), {"HEAD", path, {}, false}).status == 200);
}

TEST_CASE("not ready is 503 with every reason") {
    Fake fake;
    fake.why_not_ready = {"the disk is full", "no directory"};
    CHECK(fake.get("/readyz").status == 503);
    CHECK(fake.get("/readyz").body == "the disk is full\nno directory\n");
    CHECK(fake.get("/healthz").status == 200);
}

TEST_CASE("degraded is ready, with words") {
    Fake fake;
    fake.troubles = {"every address is listed"};
    CHECK(fake.get("/readyz").status == 200);
    CHECK(fake.get("/readyz").body == "ready\ndegraded: every address is listed\n");
    CHECK(json::parse(fake.get("/v1/status").body)["degraded"][0] == "every address is listed");
}

TEST_CASE("changes need the token") {
    Fake fake;
    const auto [method, path] =
        GENERATE(table<const char*, const char*>({{"DELETE", "/v1/queue"},
                                                  {"POST", "/v1/queue/retry"},
                                                  {"POST", "/v1/queue/hold"},
                                                  {"POST", "/v1/queue/release"},
                                                  {"POST", "/v1/queue/bounce"},
                                                  {"POST", "/v1/queue/move"},
                                                  {"POST", "/v1/spool/damaged/x.message/restore"},
                                                  {"POST", "/v1/gateways/archive/disable"},
                                                  {"POST", "/v1/routes"},
                                                  {"DELETE", "/v1/routes"},
                                                  {"POST", "/v1/egress/192.0.2.20/suspend"},
                                                  {"POST", "/v1/sync"},
                                                  {"POST", "/v1/directory/forget"},
                                                  {"POST", "/v1/reload"}}));
    CHECK(respond(fake.control(), {method, path, {{"id", "x"}}, false}).status == 401);
    CHECK(fake.asked.empty());
}

TEST_CASE("what was held back is accepted, what was asked for forgotten") {
    Fake fake;
    CHECK(fake.change("POST", "/v1/sync", {{"accept", "true"}}).status == 200);
    CHECK(fake.asked == "accept ");
    CHECK(fake.change("POST", "/v1/sync", {{"accept", "yes"}}).status == 400);
    fake.asked.clear();
    const auto answer = fake.change("POST", "/v1/directory/forget", {{"address", "Ann@Example.COM"}});
    CHECK(json::parse(answer.body)["forgotten"] == true);
    CHECK(fake.asked == "forget Ann in example.com");
    const auto* wrong = GENERATE("ann", "@example.com", "ann@", "ann@a..b");
    CHECK(fake.change("POST", "/v1/directory/forget", {{"address", wrong}}).status == 400);
    CHECK(fake.change("POST", "/v1/directory/forget").status == 400);
}

TEST_CASE("unknown paths and methods are refused with words") {
    Fake fake;
    const auto* path = GENERATE("/v1", "/v1/queue/", "/v1/messages/", "//", "", "/v1/statusx", "/v2/status");
    CAPTURE(path);
    CHECK(fake.get(path).status == 404);
    CHECK(json::parse(fake.get(path).body).contains("error"));
    CHECK(fake.change("POST", "/v1/queue").status == 405);
    CHECK(fake.change("POST", "/v1/queue").allow == "GET, DELETE");
    CHECK(fake.get("/v1/sync").status == 405);
}

TEST_CASE("the queue is listed by filter, with a bound, saying whether there is more") {
    Fake fake;
    const auto answer = fake.get("/v1/queue", {{"sender", "a.example"}, {"route", "mx:x"}, {"limit", "1"}});
    REQUIRE(answer.status == 200);
    const auto body = json::parse(answer.body);
    CHECK(body["messages"].size() == 1);
    CHECK(body["more"] == true);
    CHECK(body["messages"][0]["from"] == "\xef\xbf\xbd");
    CHECK(fake.filter.sender == "a.example");
    CHECK(fake.filter.route == "mx:x");
    const auto* limit = GENERATE("0", "-1", "10001", "x", "1x", "99999999999999999999");
    CAPTURE(limit);
    CHECK(fake.get("/v1/queue", {{"limit", limit}}).status == 400);
}

TEST_CASE("what is not asked for stands at its first value") {
    Fake fake;
    CHECK(fake.get("/v1/queue").status == 200);
    CHECK(fake.limit == 100);
    CHECK(fake.skip == 0);
    CHECK(fake.order == relay::QueueOrder::oldest);
    CHECK(fake.get("/v1/queue", {{"sort", "size"}, {"offset", "7"}}).status == 200);
    CHECK(fake.limit == 100);
    CHECK(fake.skip == 7);
    CHECK(fake.order == relay::QueueOrder::size);
    CHECK(fake.get("/v1/queue/summary").status == 200);
    CHECK(fake.limit == 20);
}

TEST_CASE("a misspelt, doubled or empty parameter never reaches the queue") {
    Fake fake;
    CHECK(fake.change("DELETE", "/v1/queue", {{"sendr", "x"}}).status == 400);
    CHECK(fake.change("DELETE", "/v1/queue", {{"sender", "x"}, {"sender", "y"}}).status == 400);
    CHECK(fake.change("DELETE", "/v1/queue", {{"sender", ""}}).status == 400);
    CHECK(fake.change("DELETE", "/v1/queue", {{"sender", std::string(1001, 'x')}}).status == 400);
    CHECK(fake.change("DELETE", "/v1/queue").status == 400);
    CHECK(fake.change("DELETE", "/v1/queue", {{"all", "yes"}}).status == 400);
    CHECK(fake.change("DELETE", "/v1/queue", {{"all", "true"}, {"id", "x"}}).status == 400);
    CHECK(fake.change("POST", "/v1/queue/retry", {{"all", "true"}}).status == 400);
    CHECK(fake.asked.empty());
}

TEST_CASE("retry and delete act on what is chosen and say how many") {
    Fake fake;
    CHECK(json::parse(fake.change("POST", "/v1/queue/retry").body)["messages"] == 3);
    CHECK(json::parse(fake.change("DELETE", "/v1/queue", {{"recipient", "b.example"}}).body)["messages"] ==
          4);
    CHECK(fake.filter.recipient == "b.example");
    CHECK(fake.change("DELETE", "/v1/queue", {{"all", "true"}}).status == 200);
    CHECK(fake.filter.recipient.empty());
    CHECK(fake.asked == "retry remove remove ");
}

TEST_CASE("messages are held, released, bounced and moved by a deliberate choice only") {
    Fake fake;
    const std::string path = GENERATE("hold", "release", "bounce", "move");
    const std::multimap<std::string, std::string> target =
        path == "move" ? std::multimap<std::string, std::string>{{"gateway", "archive"}}
                       : std::multimap<std::string, std::string>{};
    const auto change = [&](std::multimap<std::string, std::string> parameters) {
        parameters.insert(target.begin(), target.end());
        return fake.change("POST", "/v1/queue/" + path, parameters).status;
    };
    CHECK(change({}) == 400);
    CHECK(change({{"all", "yes"}}) == 400);
    CHECK(change({{"all", "true"}, {"sender", "a.example"}}) == 400);
    CHECK(fake.asked.empty());
    CHECK(change({{"sender", "a.example"}, {"route", "mx:b.example"}}) == 200);
    CHECK(fake.filter.sender == "a.example");
    CHECK(fake.filter.route == "mx:b.example");
    CHECK(change({{"all", "true"}}) == 200);
    CHECK(fake.filter.sender.empty());
}

TEST_CASE("a gateway's name stands for its route") {
    Fake fake;
    CHECK(fake.change("POST", "/v1/queue/hold", {{"gateway", "archive"}}).status == 200);
    CHECK(fake.filter.route == "gateway:archive");
    CHECK(fake.change("POST", "/v1/queue/hold", {{"gateway", "archive"}, {"route", "mx:x"}}).status == 400);
    CHECK(fake.change("DELETE", "/v1/queue", {{"gateway", "archive"}}).status == 200);
    CHECK(fake.get("/v1/queue", {{"gateway", "archive"}}).status == 200);
}

TEST_CASE("a bounce says why, in one line") {
    Fake fake;
    CHECK(fake.change("POST", "/v1/queue/bounce", {{"id", "x"}, {"reason", "no such customer"}}).status ==
          200);
    CHECK(fake.asked == "bounce (no such customer) ");
    CHECK(fake.change("POST", "/v1/queue/bounce", {{"id", "x"}, {"reason", "a\r\nSubject: b"}}).status ==
          400);
    fake.asked.clear();
    CHECK(fake.change("POST", "/v1/queue/bounce", {{"id", "x"}}).status == 200);
    CHECK(fake.asked.size() > std::string("bounce () ").size());
}

TEST_CASE("messages are moved to a gateway that takes mail, or back to the rules") {
    Fake fake;
    const auto move = [&](std::multimap<std::string, std::string> parameters) {
        parameters.emplace("id", "x");
        return fake.change("POST", "/v1/queue/move", std::move(parameters)).status;
    };
    CHECK(move({}) == 400);
    CHECK(move({{"gateway", "archive"}, {"rules", "true"}}) == 400);
    CHECK(move({{"rules", "yes"}}) == 400);
    CHECK(move({{"gateway", "none"}}) == 404);
    CHECK(move({{"gateway", "idle"}}) == 409);
    CHECK(fake.asked.empty());
    CHECK(move({{"gateway", "archive"}}) == 200);
    CHECK(move({{"rules", "true"}}) == 200);
    CHECK(fake.asked == "move (archive) move () ");
    CHECK(fake.filter.route.empty());
}

TEST_CASE("gateways are switched by name") {
    Fake fake;
    CHECK(fake.change("POST", "/v1/gateways/archive/disable").status == 200);
    CHECK(json::parse(fake.get("/v1/gateways").body)["gateways"][0]["overridden"] == true);
    CHECK(fake.change("POST", "/v1/gateways/archive/enable").status == 200);
    CHECK(json::parse(fake.get("/v1/gateways").body)["gateways"][0]["overridden"] == false);
    const auto answer = fake.change("POST", "/v1/gateways/archiv/disable");
    CHECK(answer.status == 404);
    CHECK_THAT(json::parse(answer.body)["error"].get<std::string>(),
               Catch::Contains("is \"archive\" meant?"));
    const auto* path = GENERATE("/v1/gateways/archive", "/v1/gateways/archive/",
                                "/v1/gateways/archive/explode", "/v1/gateways//enable");
    CHECK(fake.change("POST", path).status == 404);
    CHECK(fake.change("POST", "/v1/gateways/archive/enable", {{"x", "y"}}).status == 400);
}

TEST_CASE("routes are set and unset; those of the file stay") {
    Fake fake;
    fake.file.routes = {{"boss@b.example", "", "archive", true}};
    fake.way.routes = fake.file.routes;
    CHECK(fake.change("POST", "/v1/routes", {{"sender", "A.Example"}, {"gateway", "archive"}}).status == 200);
    const auto routes = json::parse(fake.get("/v1/routes").body)["routes"];
    REQUIRE(routes.size() == 2);
    CHECK(routes[0]["origin"] == "file");
    CHECK(routes[1] == json({{"sender", "a.example"},
                             {"recipient", ""},
                             {"gateway", "archive"},
                             {"origin", "running"},
                             {"trouble", ""}}));
    CHECK(fake.change("POST", "/v1/routes", {{"gateway", "archive"}}).status == 400);
    CHECK(fake.change("POST", "/v1/routes", {{"sender", "a@"}, {"gateway", "archive"}}).status == 400);
    CHECK(fake.change("POST", "/v1/routes", {{"sender", "a.example"}}).status == 400);
    CHECK(fake.change("POST", "/v1/routes", {{"sender", "a.example"}, {"gateway", "none"}}).status == 404);
    CHECK(fake.change("DELETE", "/v1/routes", {{"sender", "boss@b.example"}}).status == 409);
    CHECK(fake.change("DELETE", "/v1/routes", {{"sender", "c.example"}}).status == 404);
    CHECK(fake.change("DELETE", "/v1/routes", {{"sender", "a.example"}}).status == 200);
    CHECK(fake.way.overrides.routes.empty());
}

TEST_CASE("egress addresses are suspended, resumed, and what was learnt against them is forgotten") {
    Fake fake;
    CHECK(fake.change("POST", "/v1/egress/192.0.2.20/suspend").status == 200);
    CHECK(fake.way.overrides.egress.at("192.0.2.20"));
    CHECK(fake.change("POST", "/v1/egress/192.0.2.20/resume").status == 200);
    CHECK(fake.way.overrides.egress.empty());
    CHECK(fake.change("POST", "/v1/egress/192.0.2.99/suspend").status == 404);
    CHECK(fake.change("POST", "/v1/egress/gw1/suspend").status == 400);
    CHECK(fake.change("POST", "/v1/egress/192.0.2.20/suspend", {{"site", "x"}}).status == 400);
    CHECK(fake.change("POST", "/v1/egress/192.0.2.20").status == 404);
    CHECK(fake.change("POST", "/v1/egress/192.0.2.99/forget").status == 404);
    const auto answer = fake.change("POST", "/v1/egress/192.0.2.20/forget", {{"site", "mx.d.example"}});
    CHECK(json::parse(answer.body)["forgotten"] == true);
    CHECK(fake.change("POST", "/v1/egress/system/forget").status == 200);
    CHECK(fake.asked == "forget 192.0.2.20 at (mx.d.example) forget  at () ");
}

TEST_CASE("a message that is not there is 404") {
    Fake fake;
    CHECK(fake.get("/v1/messages/99").status == 404);
}

TEST_CASE("the directory answers about domains and addresses") {
    Fake fake;
    const auto domain = json::parse(fake.get("/v1/directory/Example.COM").body);
    CHECK(domain["domain"] == "example.com");
    CHECK(domain["verdict"] == "unknown");
    CHECK(domain["on"].size() == 1);
    CHECK(json::parse(fake.get("/v1/directory/a@example.com").body)["address"] == "a@example.com");
    CHECK(fake.get("/v1/directory/@example.com").status == 400);
    CHECK(fake.get("/v1/directory/a@").status == 400);
}

TEST_CASE("explain needs a recipient, and no sender means the null reverse-path") {
    Fake fake;
    CHECK(fake.change("GET", "/v1/explain").status == 400);
    CHECK(fake.change("GET", "/v1/explain", {{"to", "b@y.example"}, {"client", "mail.example"}}).status ==
          400);
    CHECK(fake.change("GET", "/v1/explain", {{"to", "b@y.example"}, {"client", "127.0.0.1"}}).status == 200);
    CHECK(fake.get("/v1/explain", {{"to", "b@y.example"}}).status == 401);
    CHECK(fake.asked == "|b@y.example|127.0.0.1");
}

TEST_CASE("a reload of a faulty file gives every fault") {
    Fake fake;
    const auto good = fake.change("POST", "/v1/reload");
    CHECK(good.status == 200);
    CHECK(json::parse(good.body)["after_restart_only"] == json({"listener"}));
    CHECK(fake.told == "root: configuration file read again");
    fake.faults = {"postern.toml:1:1: x: y", "postern.toml:2:1: x: y"};
    const auto answer = fake.change("POST", "/v1/reload");
    CHECK(answer.status == 409);
    CHECK(json::parse(answer.body)["faults"].size() == 2);
}

TEST_CASE("what is changed is told with who did it and how much it was about") {
    Fake fake;
    const auto id = std::pair("id", "01ABC");
    CHECK(fake.change("POST", "/v1/queue/retry").status == 200);
    CHECK(fake.told == "root: queue retry: all (3)");
    CHECK(fake.change("POST", "/v1/queue/move", {id, {"gateway", "archive"}}).status == 200);
    CHECK(fake.told == "root: queue move: gateway=archive id=01ABC (6)");
    CHECK(fake.change("DELETE", "/v1/queue", {id}).status == 200);
    CHECK(fake.told == "root: queue delete: id=01ABC (4)");
    CHECK(fake.change("POST", "/v1/gateways/archive/disable").status == 200);
    CHECK(fake.told == "root: gateway archive disabled");
    fake.told.clear();
    CHECK(fake.change("POST", "/v1/gateways/nowhere/disable").status == 404);
    CHECK(fake.told.empty());
}

TEST_CASE("what is held can be listed and chosen, and a list goes on where another ended") {
    Fake fake;
    CHECK(fake.get("/v1/queue", {{"held", "true"}, {"offset", "20000"}, {"limit", "10"}}).status == 200);
    CHECK(fake.filter.held);
    CHECK(fake.skip == 20000);
    CHECK(fake.get("/v1/queue", {{"held", "yes"}}).status == 400);
    CHECK(fake.get("/v1/queue", {{"offset", "-1"}}).status == 400);
    CHECK(fake.change("POST", "/v1/queue/release", {{"held", "true"}}).status == 200);
    CHECK(fake.filter.held);
}

TEST_CASE("what waits is sorted, chosen by its age and counted") {
    Fake fake;
    using relay::QueueOrder;
    const auto [name, order] = GENERATE(table<const char*, QueueOrder>({{"oldest", QueueOrder::oldest},
                                                                        {"newest", QueueOrder::newest},
                                                                        {"next", QueueOrder::next},
                                                                        {"size", QueueOrder::size},
                                                                        {"attempts", QueueOrder::attempts}}));
    CHECK(fake.get("/v1/queue", {{"sort", name}}).status == 200);
    CHECK(fake.order == order);
    CHECK(fake.get("/v1/queue", {{"sort", "colour"}}).status == 400);

    CHECK(fake.get("/v1/queue", {{"older", "4h"}}).status == 200);
    CHECK(fake.filter.before == fake.clock.wall() - std::chrono::hours(4));
    CHECK(fake.get("/v1/queue", {{"older", "soon"}}).status == 400);
    CHECK(fake.change("DELETE", "/v1/queue", {{"older", "5d"}}).status == 200);
    CHECK(fake.change("DELETE", "/v1/queue", {{"older", "5d"}, {"all", "true"}}).status == 400);

    const auto answer = fake.get("/v1/queue/summary", {{"sender", "a.example"}, {"limit", "3"}});
    CHECK(json::parse(answer.body)["messages"] == 7);
    CHECK(json::parse(answer.body)["ages"].size() == relay::QueueSummary::ages.size() + 1);
    CHECK(fake.filter.sender == "a.example");
    CHECK(fake.limit == 3);
    CHECK(fake.get("/v1/queue/summary", {{"limit", "0"}}).status == 400);
}

TEST_CASE("what was set aside is listed, and taken again once") {
    Fake fake;
    const auto& list = *std::find_if(endpoints().begin(), endpoints().end(),
                                     [](const Endpoint& each) { return each.words == "spool list-damaged"; });
    const auto shown = [&] { return list.present(json::parse(fake.get("/v1/spool/damaged").body), {}, {}); };
    CHECK(shown() == "nothing was set aside\n");
    relay::SetAsideView mail, octets;
    mail.file = "x.message";
    mail.size = 2048;
    mail.what = "a message, whole";
    mail.from = "a@example.com";
    mail.to = {"b@dest.example", "c@dest.example"};
    mail.restorable = true;
    octets.file = "segment-1-octet-8";
    octets.what = "octets\x1b";
    fake.aside = {{mail, octets}, true};
    CHECK_THAT(shown(),
               Catch::Contains("x.message") && Catch::Contains("2.0 KiB") &&
                   Catch::Contains("a message, whole, from <a@example.com> to <b@dest.example> and 1 more") &&
                   Catch::Contains("there are more\n") && !Catch::Contains("\x1b"));

    const std::string path = "/v1/spool/damaged/x.message/restore";
    using Result = relay::Restored::Result;
    for (const auto& [result, status] :
         {std::pair(Result::absent, 404), std::pair(Result::useless, 422), std::pair(Result::put_off, 503)}) {
        fake.restored.result = result;
        fake.restored.why = "so it is";
        const auto answer = fake.change("POST", path);
        CHECK(answer.status == status);
        CHECK(json::parse(answer.body)["error"] == "so it is");
        CHECK(fake.told.empty());
    }
    fake.asked.clear();
    fake.restored = {};
    fake.restored.id = "01ABC";
    const auto answer = json::parse(fake.change("POST", path).body);
    CHECK(answer["id"] == "01ABC");
    CHECK(answer["whole"] == true);
    CHECK(fake.asked == "restore x.message");
    CHECK(fake.told == "root: spool restore: x.message as 01ABC (1)");
}
