// Several gateways that share what they know, through a server that keeps nothing they need: one thread,
// which tells it what happened here and asks what happened elsewhere. Nothing of the mail waits for it, but
// for as long as whoever asks allows.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "sync/base/clock.h"
#include "sync/base/cluster.h"
#include "sync/base/kept_file.h"
#include "sync/cluster/settings.h"
#include "sync/cluster/view.h"
#include "sync/observer.h"
#include "sync/turn.h"

namespace postern::sync {

/// What the rest of a gateway shares. All of it is called on the cluster's thread and does not throw; hear()
/// on one of its own, where it may wait for a disk.
struct ClusterSite {
    std::function<void(const base::Company&)> reach;  // who there is, whenever that changes
    std::function<void(const Turn&)> turn;            // who polls the primaries, likewise

    /// At most so many; `urgent`: only those that are waited for.
    std::function<std::vector<base::CountQuestion>(bool urgent, std::size_t most)> questions;
    std::function<void(const base::CountAnswer&)> counted;
    /// What the others were not told yet, about so many octets; and what holds, for one that begins.
    std::function<std::vector<base::Fact>(std::size_t octets)> news;
    std::function<std::vector<base::Fact>(bool histories)> all_news;
    std::function<void(const std::string& gateway, const base::Fact&)> hear;
    /// A primary's directory, as another gateway handed it on.
    std::function<void(std::string octets)> adopt;
    /// What has been read is handed on once more, all of it.
    std::function<void()> hand_on_again;
    /// The server has lost what it was told: counts are told again.
    std::function<void()> lost;
};

/// Any thread, but for start() and stop(), which are for one.
class Cluster final {
public:
    /// `kept`: where it is remembered what was heard last. Throws std::invalid_argument for a url that is
    /// none.
    Cluster(ClusterSettings settings, base::StateFolder kept, std::string version, ClusterSite site,
            Observer& observer, const base::Clock& clock);
    ~Cluster();  // stops
    Cluster(const Cluster&) = delete;
    Cluster& operator=(const Cluster&) = delete;

    void start();
    /// What is not told yet is, if that takes no longer than a second; the turn is given back.
    void stop();

    /// Has questions asked that are waited for; `done` is called once, soon, whatever comes of it.
    void ask(std::function<void()> done);
    /// With the next exchange. Of very many, while the server is away, the oldest are not told.
    void tell(base::Fact fact);
    /// What was read of a primary, for the others, as long as it is our turn.
    void hand_on(std::string_view primary, std::string octets);

    ClusterView view() const;

private:
    class Thread;
    std::unique_ptr<Thread> thread_;
};

}  // namespace postern::sync
