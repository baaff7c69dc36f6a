// Counters and histograms in the Prometheus text format.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "agent/log/gateway_mode_event.h"
#include "relay/observer.h"
#include "relay/relay.h"
#include "sync/cluster/view.h"
#include "sync/observer.h"
#include "sync/sync.h"

namespace postern::agent {

/// Thread-safe. Labels take values from small closed sets only, whatever the network sends.
class Metrics {
public:
    Metrics();
    ~Metrics();
    Metrics(const Metrics&) = delete;
    Metrics& operator=(const Metrics&) = delete;

    void count(const relay::event::Accepted& event);
    void count(const relay::event::Refused& event);
    void count(const relay::event::Delivered& event);
    void count(const relay::event::Deferred& event);
    void count(const relay::event::Bounced& event);
    void count(const relay::event::Removed& event);
    void count(const relay::event::Reported& event);
    void count(const relay::event::Throttled& event);
    void count(const relay::event::TlsReport& event);
    void count(const relay::event::Unusual& event);
    void count(const relay::event::NotBack& event);
    void count(const relay::event::Listed& event);
    void count(const relay::event::Rotated& event);
    void count(const relay::event::Trouble& event);
    void count(const relay::event::SessionClosed& event);
    void count(const sync::event::Synced& event);
    void count(const sync::event::SyncFailed& event);
    void count(const sync::event::CredentialsRefused& event);
    void count(const GatewayModeEvent& event);

    /// What has been counted, for the overview.
    struct Totals {
        std::uint64_t accepted = 0, refused = 0, delivered = 0, deferred = 0, bounced = 0;
    };
    Totals totals() const;

    /// Everything as text, with the gauges set from the arguments.
    std::string text(const relay::State& state, const std::vector<relay::EgressView>& egress,
                     const sync::Report& report, const sync::ClusterView& cluster, bool ready,
                     sync::Time now);

private:
    struct Families;
    std::unique_ptr<Families> families_;
};

}  // namespace postern::agent
