// What relay and sync tell, turned into log lines and counts.
#pragma once

#include <mutex>

#include "agent/log/gateway_mode_event.h"
#include "agent/log/log.h"
#include "agent/log/metrics.h"
#include "agent/log/repeat_filter.h"
#include "relay/observer.h"
#include "sync/observer.h"

namespace postern::agent {

/// Thread-safe, called on relay's and sync's threads. One thing: a table of which line each event makes.
class Events final : public relay::Observer, public sync::Observer {
public:
    Events(Log& log, Metrics& metrics, const base::Clock& clock)
        : log_(log), metrics_(metrics), clock_(clock) {}

    void on(const relay::event::Accepted& event) override;
    void on(const relay::event::Refused& event) override;
    void on(const relay::event::BetweenPrimaries& event) override;
    void on(const relay::event::Delivered& event) override;
    void on(const relay::event::Deferred& event) override;
    void on(const relay::event::Bounced& event) override;
    void on(const relay::event::Removed& event) override;
    void on(const relay::event::Reported& event) override;
    void on(const relay::event::Held& event) override;
    void on(const relay::event::Throttled& event) override;
    void on(const relay::event::Unusual& event) override;
    void on(const relay::event::NotBack& event) override;
    void on(const relay::event::Listed& event) override;
    void on(const relay::event::Unlisted& event) override;
    void on(const relay::event::Rotated& event) override;
    void on(const relay::event::TlsReport& event) override;
    void on(const relay::event::Trouble& event) override;
    void on(const relay::event::SessionClosed& event) override;

    void on(const sync::event::Synced& event) override;
    void on(const sync::event::SyncFailed& event) override;
    void on(const sync::event::CredentialsRefused& event) override;
    void on(const sync::event::SuddenLoss& event) override;
    void on(const sync::event::DomainClaimed& event) override;
    void on(const sync::event::NamesUnusable& event) override;
    void on(const sync::event::NotAdopted& event) override;
    void on(const sync::event::CacheDamaged& event) override;
    void on(const sync::event::CacheUnwritable& event) override;
    void on(const sync::event::Cluster& event) override;
    void on(const sync::event::PollTurn& event) override;

    void on(const GatewayModeEvent& event);

private:
    Log& log_;
    Metrics& metrics_;
    const base::Clock& clock_;
    std::mutex repeats_mutex_;
    RepeatFilter repeats_;
};

}  // namespace postern::agent
