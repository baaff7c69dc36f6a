// What the status endpoint may ask of the running gateway and do to it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "agent/metrics.h"
#include "relay/relay.h"
#include "sync/sync.h"

namespace postern::agent {

/// What stays the same while the process lives.
struct Identity {
    std::string version, hostname;
    std::chrono::system_clock::time_point started;
};

/// Thrown by operations that the gateway cannot do any more.
struct Stopping : std::runtime_error {
    Stopping() : std::runtime_error("the gateway is stopping") {}
};

/// All functions may be called from several threads at once.
struct Operations {
    Identity identity;
    std::function<relay::State()> state;
    std::function<std::vector<std::string>()> not_ready;  // reasons; empty: ready
    std::function<std::string()> metrics;
    std::function<Metrics::Totals()> totals;
    std::function<std::vector<relay::MessageView>(const relay::QueueFilter&, std::size_t)> list;
    std::function<std::optional<relay::MessageView>(const std::string&)> show;
    std::function<std::size_t(const relay::QueueFilter&)> retry, remove;
    std::function<relay::Explanation(const std::string&, const std::string&, const std::string&)> explain;
    std::function<sync::Report()> directory;
    std::function<std::shared_ptr<const sync::Snapshot>()> snapshot;
    std::function<void()> poll, accept;  // accept: with what was held back
    std::function<bool(const std::string& local_part, const std::string& domain)> forget;
    std::function<std::vector<std::string>()> reload;  // faults; empty: the file is in force
};

}  // namespace postern::agent
