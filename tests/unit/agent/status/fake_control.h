// A gateway that answers what it is told to answer, and remembers what was asked of it.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/status/control.h"
#include "tests/unit/stepped_clock.h"

namespace postern::agent {

struct FakeControl : QueueControl, OutgoingControl, DirectoryControl, ProcessControl {
    using Filter = relay::QueueFilter;

    // What it answers.
    Identity who{"0.1.0", "gw1.example.net", {}};
    relay::State now;
    Metrics::Totals counted;
    sync::Report known;
    std::vector<std::string> why_not_ready, troubles, faults;
    relay::SetAsidePage aside;
    relay::Restored restored;
    OutgoingRoutes way;
    relay::Settings file;
    // What it was asked.
    Filter filter;
    std::size_t limit = 0, skip = 0;
    relay::QueueOrder order = relay::QueueOrder::oldest;
    std::string asked, told;
    tests::SteppedClock clock;

    FakeControl() {
        known.domains.resize(1);
        known.domains[0].name = "example.com";
        file.gateways.resize(1);
        file.gateways[0].name = "archive";
        file.egress.resize(1);
        file.egress[0].address = "192.0.2.20";
        way.gateways.resize(2);
        way.gateways[0].name = "archive";
        way.gateways[1].name = "idle";
        way.gateways[1].enabled = false;
        way.egress.resize(2);
        way.egress[0].address = "192.0.2.20";
    }

    Control control() { return {*this, *this, *this, *this, clock}; }

    relay::QueuePage list(const Filter& given, std::size_t most, std::size_t leave,
                          relay::QueueOrder in) override {
        asked += "list ";
        filter = given;
        limit = most;
        skip = leave;
        order = in;
        relay::MessageView message;
        message.id = "01ABC";
        message.from = "\xff";
        constexpr std::size_t all = 2;
        return {std::vector<relay::MessageView>(std::min(most, all), message), most < all};
    }
    relay::QueueSummary summary(const Filter& given, std::size_t most) override {
        filter = given;
        limit = most;
        relay::QueueSummary summary;
        summary.messages = 7;
        return summary;
    }
    std::optional<relay::MessageView> show(const std::string& id) override {
        relay::MessageView message;
        message.id = id;
        return id == "01ABC" ? std::optional(message) : std::nullopt;
    }
    relay::Applied retry(const Filter& given) override { return act("retry", given, 3); }
    relay::Applied remove(const Filter& given) override { return act("remove", given, 4); }
    relay::Applied hold(const Filter& given) override { return act("hold", given, 5); }
    relay::Applied release(const Filter& given) override { return act("release", given, 5); }
    relay::Applied bounce(const Filter& given, const std::string& reason) override {
        return act("bounce (" + reason + ')', given, 6);
    }
    relay::Applied move(const Filter& given, const std::string& gateway) override {
        return act("move (" + gateway + ')', given, 6);
    }

    relay::SetAsidePage set_aside() override { return aside; }
    relay::Restored restore(const std::string& name) override {
        asked += "restore " + name;
        return restored;
    }

    OutgoingRoutes routes() override { return way; }
    Changed set_route(const relay::RouteSettings& route) override {
        return keep(agent::set_route(way.overrides, file, route));
    }
    Changed unset_route(const relay::RouteSettings& route) override {
        return keep(agent::unset_route(way.overrides, file, route));
    }
    Changed enable_gateway(const std::string& name, bool enabled) override {
        return keep(agent::enable_gateway(way.overrides, file, name, enabled));
    }
    Changed suspend_egress(const std::string& address, bool suspended) override {
        return keep(agent::suspend_egress(way.overrides, file, address, suspended));
    }
    bool forget_egress(const std::string& address, const std::string& site) override {
        asked += "forget " + address + " at (" + site + ") ";
        return true;
    }

    sync::Report report() override { return known; }
    std::shared_ptr<const sync::Snapshot> snapshot() override {
        return std::make_shared<const sync::Snapshot>();
    }
    void poll() override { asked += "poll "; }
    void accept() override { asked += "accept "; }
    bool forget(const std::string& local_part, const std::string& domain) override {
        asked += "forget " + local_part + " in " + domain;
        return true;
    }
    relay::Explanation explain(const std::string& from, const std::string& to,
                               const std::string& client) override {
        asked += from + '|' + to + '|' + client;
        return {};
    }

    Identity identity() override { return who; }
    relay::State state() override { return now; }
    relay::UnusualView unusual() override { return {}; }
    relay::ScreeningView screening() override { return {}; }
    sync::ClusterView cluster() override { return {}; }
    std::optional<relay::Applied> release_sender(const std::string& whose) override {
        asked += "release " + whose;
        return whose == "nobody@a.example" ? std::nullopt : std::optional(relay::Applied{2, 0, 0});
    }
    std::optional<relay::Applied> drop_sender(const std::string& whose) override {
        asked += "drop " + whose;
        return relay::Applied{3, 0, 0};
    }
    bool expect(const std::string& whose, std::uint64_t recipients, std::chrono::seconds length) override {
        asked += "expect " + whose + ' ' + std::to_string(recipients) + ' ' + std::to_string(length.count());
        return true;
    }
    std::vector<relay::VolumeView> senders(const std::string& whose, std::size_t most) override {
        std::vector<relay::VolumeView> out;
        for (const auto& one : volume)
            if (out.size() < most && (whose.empty() || whose == one.who)) out.push_back(one);
        return out;
    }
    std::vector<relay::VolumeView> volume;
    std::vector<relay::TlsReportView> tls_reports(const std::string& domain, std::size_t) override {
        std::vector<relay::TlsReportView> out;
        for (const auto& one : counted_tls)
            if (domain.empty() || domain == one.domain) out.push_back(one);
        return out;
    }
    bool send_tls_report(const std::string& domain) override {
        asked += "tls report to " + domain;
        return domain != "nothing.example";
    }
    std::vector<relay::TlsReportView> counted_tls;
    std::vector<std::string> not_ready() override { return why_not_ready; }
    std::vector<std::string> degraded() override { return troubles; }
    std::string metrics() override { return "postern_ready 1\n"; }
    Metrics::Totals totals() override { return counted; }
    Reloaded reload() override {
        asked += "reload ";
        return {faults, {"listener"}};
    }
    void changed(const std::string& by, const std::string& what,
                 std::optional<std::size_t> messages) override {
        told = by + ": " + what + (messages ? " (" + std::to_string(*messages) + ')' : "");
    }

private:
    relay::Applied act(const std::string& what, const Filter& given, std::size_t messages) {
        asked += what + ' ';
        filter = given;
        return relay::Applied{messages};
    }
    Changed keep(Change changed) {
        if (!changed) return tl::make_unexpected(changed.error());
        way.overrides = *changed;
        return {};
    }
};

}  // namespace postern::agent
