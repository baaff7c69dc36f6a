// What this gateway shares with others for the same primaries: the cluster, wired to relay, to the directory
// and to what operators set.
#pragma once

#include <functional>
#include <string>

#include "agent/settings/overrides.h"
#include "agent/settings/settings.h"
#include "relay/relay.h"
#include "sync/cluster/cluster.h"
#include "sync/sync.h"

namespace postern::agent {

/// Who is shared with, and what; all of it outlives this.
struct SharedParts {
    relay::Relay& relay;
    sync::Sync& directory;
    sync::Observer& observer;
    const base::Clock& clock;
    base::Disk& disk;
    std::function<Overrides()> overrides;  // in force
    /// Takes over what was changed later at another gateway.
    std::function<void(const std::string& gateway, const Overrides&)> adopt;
};

/// Any thread, but start() and stop(), which are for one.
class Sharing {
public:
    /// Before relay and the directory start.
    Sharing(const Settings& settings, const SharedParts& parts);
    Sharing(const Sharing&) = delete;
    Sharing& operator=(const Sharing&) = delete;

    void start();  // behind relay, before the directory
    void stop();   // behind both

    void tell(base::Fact fact) { cluster_.tell(std::move(fact)); }
    sync::ClusterView view() const { return cluster_.view(); }

    // What operators do here, for the others.
    static base::Fact changed(const Overrides& overrides);
    static base::Fact poll();
    static base::Fact accept();

private:
    sync::ClusterSite site();
    void hear(const std::string& gateway, const base::Fact& fact);
    std::vector<base::Fact> all_news(bool histories);

    const SharedParts parts_;
    sync::Cluster cluster_;
};

/// "shared with mx2, mx3", or why they are not.
std::string in_words(const sync::ClusterView& view);

}  // namespace postern::agent
