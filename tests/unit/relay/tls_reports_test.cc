#include "relay/tls_reports/tls_reports.h"

#include <catch2/catch.hpp>

#include "relay/net/outside.h"
#include "tests/unit/relay/folder.h"
#include "tests/unit/relay/https_server.h"
#include "tests/unit/relay/kept_spool.h"
#include "tests/unit/relay/name_server.h"
#include "tests/unit/stepped_clock.h"
#include "tests/unit/sync/primary/certificate.h"

using namespace postern;
using namespace postern::relay;
using namespace postern::tests;
using namespace std::chrono_literals;

namespace {

const Time noon = std::chrono::sys_days(std::chrono::year(2026) / 11 / 27) + 12h;

struct Told {
    std::string domain, to, why;
    bool sent = false;
    std::uint64_t successful = 0, failed = 0;
};

struct Watcher : Observer {
    void on(const event::TlsReport& event) override {
        told.push_back({std::string(event.domain), std::string(event.to), std::string(event.why), event.sent,
                        event.successful, event.failed});
    }
    void on(const event::Trouble& event) override { troubles += std::string(event.text) + '\n'; }
    std::vector<Told> told;
    std::string troubles;
};

std::vector<Zone> zones(std::uint16_t port) {
    return {{"dest.example", {"_smtp._tls TXT \"v=TLSRPTv1; rua=mailto:tls@dest.example\""}, false, {}},
            {"web.example",
             {"_smtp._tls TXT \"v=TLSRPTv1; rua=https://reports.web.example:" + std::to_string(port) + "/r\"",
              "reports A 127.0.0.1"},
             false,
             {}},
            {"silent.example", {"@ MX 10 mx"}, false, {}}};
}

class World {
public:
    explicit World(int status = 200) {
        write_certificate(certificate(), folder_.path() / "key", "reports.web.example",
                          "DNS:reports.web.example");
        server_ = std::make_unique<HttpsServer>(
            "127.0.0.1", certificate(), folder_.path() / "key", [status](HttpsServer::Client& client) {
                client.write("HTTP/1.1 " + std::to_string(status) + " x\r\nContent-Length: 0\r\n\r\n");
            });
        names_ = std::make_unique<NameServer>(zones(server_->port()));
        auto settings = std::make_shared<Settings>();
        settings->hostname = "gw1.company.example";
        settings->state_dir = folder_.path();
        settings->dns = names_->settings();
        settings->tls.ca_file = certificate();
        settings->tls_reports.send = true;
        settings->tls_reports.from = "tls@company.example";
        settings_ = settings;
        resolver_ = std::make_unique<net::Resolver>(io, clock, outside_, settings_->dns);
        begin();
    }

    void begin() {
        const auto executor = io.get_executor();
        reports = std::make_unique<TlsReports>(
            io, net::Machine{clock, disk_, outside_, {executor, executor, executor, executor, executor}, 1},
            kept.spool, watcher, *settings_);
        reports->send_with([this] {
            return TlsReports::Means{resolver_->for_asker("test"), net::client_context(settings_->tls),
                                     std::make_shared<OwnAddresses>(), settings_};
        });
    }
    void session(const std::string& domain, bool good = true) {
        HostPolicy policy;
        TlsSession session;
        session.host = "mx1." + domain;
        session.offered = session.encrypted = good;
        reports->count(domain, policy, session);
    }
    /// Until nothing goes on; what really takes its time is given some.
    void settle() {
        for (int n = 0; n < 300; ++n) {
            io.restart();
            io.run_for(10ms);
            if (n % 10 == 9 && idle()) return;
        }
    }
    void pass(std::chrono::seconds time) {
        clock.step(time);
        reports->tick();
        settle();
    }
    std::string state(const std::string& domain) const {
        std::string out;
        for (const auto& one : reports->views(domain, 10)) out += std::string(one.state) + ' ';
        return out;
    }
    std::filesystem::path certificate() const { return folder_.path() / "certificate"; }
    HttpsServer& server() { return *server_; }

    SteppedClock clock{noon};
    net::io_context io{1};
    Watcher watcher;

private:
    bool idle() const {
        for (const auto& one : reports->views("", 100))
            if (one.state == "under way") return false;
        return true;
    }

    Folder folder_;
    base::SystemDisk disk_;
    net::SystemOutside outside_;
    std::unique_ptr<HttpsServer> server_;
    std::unique_ptr<NameServer> names_;
    SettingsPtr settings_;
    std::unique_ptr<net::Resolver> resolver_;

public:
    KeptSpool kept{folder_.path(), clock, disk_};
    std::unique_ptr<TlsReports> reports;
};

}  // namespace

TEST_CASE("a day's report goes when its hour has come, by mail and over HTTPS", "[tls_reports]") {
    World world;
    world.session("dest.example");
    world.session("dest.example", false);
    world.session("web.example");
    world.session("silent.example");
    world.pass(11h);
    CHECK(world.kept.spool.count() == 0);
    CHECK(world.watcher.told.empty());
    world.pass(5h);
    CHECK(world.watcher.troubles.empty());
    REQUIRE(world.watcher.told.size() == 2);
    std::sort(world.watcher.told.begin(), world.watcher.told.end(),
              [](const Told& a, const Told& b) { return a.domain < b.domain; });
    CHECK(world.watcher.told[0].domain == "dest.example");
    CHECK(world.watcher.told[0].sent);
    CHECK(world.watcher.told[0].to == "mailto:tls@dest.example");
    CHECK(world.watcher.told[0].successful == 1);
    CHECK(world.watcher.told[0].failed == 1);
    CHECK(world.watcher.told[1].sent);
    CHECK(world.watcher.told[1].why.empty());
    REQUIRE(world.kept.spool.count() == 1);
    const auto mail = world.kept.spool.load(world.kept.spool.messages({}, 1).front());
    CHECK(mail->stored->message.envelope.forward_paths.front().text() == "tls@dest.example");
    const auto requests = world.server().requests();
    REQUIRE(requests.size() == 1);
    CHECK(requests[0].starts_with("POST /r HTTP/1.1\r\nHost: reports.web.example:"));
    CHECK(requests[0].find("Content-Type: application/tlsrpt+gzip\r\n") != std::string::npos);
    CHECK(world.reports->views("", 10).empty());
    world.pass(24h);
    CHECK(world.watcher.told.size() == 2);
}

TEST_CASE("what nobody takes is tried again for a day, then told", "[tls_reports]") {
    World world(503);
    world.session("web.example");
    world.pass(16h);
    CHECK(world.watcher.told.empty());
    CHECK(world.state("web.example") == "waits ");
    REQUIRE(world.reports->views("", 1).front().trouble.find("answers 503") != std::string::npos);
    const auto tries = world.server().requests().size();
    world.pass(11min);
    CHECK(world.server().requests().size() == tries + 1);
    for (int n = 0; n < 30; ++n) world.pass(1h);
    REQUIRE(world.watcher.told.size() == 1);
    CHECK_FALSE(world.watcher.told[0].sent);
    CHECK(world.server().requests().size() < 12);
    CHECK(world.reports->views("", 10).empty());
}

TEST_CASE("what was counted is sent although there was a restart, and once", "[tls_reports]") {
    World world;
    world.session("dest.example");
    world.pass(2min);  // written beside the loop
    world.begin();     // as after a kill
    REQUIRE(world.reports->views("", 10).size() == 1);
    world.session("dest.example");
    world.reports->stop();
    world.settle();
    world.begin();
    CHECK(world.reports->views("", 10).front().successful == 2);
    CHECK(world.reports->send_now("dest.example"));
    world.settle();
    CHECK(world.state("dest.example") == "sent ");
    CHECK(world.kept.spool.count() == 1);
    world.reports->stop();
    world.settle();
    world.begin();
    world.pass(20h);
    CHECK(world.kept.spool.count() == 1);
    CHECK_FALSE(world.reports->send_now("dest.example"));
}

TEST_CASE("a domain that asks for no report gets none", "[tls_reports]") {
    World world;
    world.session("silent.example");
    CHECK(world.reports->send_now("silent.example"));
    world.settle();
    CHECK(world.state("silent.example") == "not wanted ");
    CHECK(world.watcher.told.empty());
    CHECK(world.kept.spool.count() == 0);
}

TEST_CASE("where reports are not wanted nothing is counted", "[tls_reports]") {
    World world;
    world.reports->reload(Settings());
    world.session("dest.example");
    CHECK(world.reports->views("", 10).empty());
    CHECK_FALSE(world.reports->send_now("dest.example"));
}
