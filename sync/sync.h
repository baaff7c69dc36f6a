// The directory of all primaries, kept fresh by one thread: the facade for the agent.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "sync/directory.h"
#include "sync/observer.h"
#include "sync/settings.h"
#include "sync/snapshot.h"

namespace postern::sync {

struct PrimaryReport {
    std::string name, url;
    bool reachable = false;  // the last request got an answer that could be read
    bool polling = false;    // a round is under way
    Time last_round{};       // end of the last one, whatever came of it; epoch: none yet
    Time last_success{};     // the last one in which the domains were read
    std::string error;       // of the last round, in words; "" when it went well
    Time refused_since{};    // credentials rejected since then; epoch: they are not
    Time next_round{};
    std::uint64_t requests = 0;  // sent since the start
};

struct Report {
    std::vector<PrimaryReport> primaries;
    std::vector<DomainView> domains;
};

/// All members may be called from any thread.
class Sync final {
public:
    using Publish = std::function<void(std::shared_ptr<const Snapshot>)>;

    /// Reads the cache in `state_dir`, so that snapshot() decides before the first round; `publish` is called
    /// on the directory thread after each change, not for what the cache gave. Throws std::system_error when
    /// `state_dir` cannot be used, std::invalid_argument for a url that is none.
    Sync(std::vector<PrimarySettings> settings, const std::filesystem::path& state_dir, Observer& observer,
         Publish publish);
    ~Sync();  // stops
    Sync(const Sync&) = delete;
    Sync& operator=(const Sync&) = delete;

    void start();
    /// Interrupts a request under way, saves what has been learned and joins. Not to be started again.
    void stop();
    /// Takes effect at the thread's next step; a primary whose settings are the same keeps its session.
    /// Throws std::invalid_argument as the constructor does, and changes nothing then.
    void reload(std::vector<PrimarySettings> settings);
    /// Starts a round for every primary, refused credentials and back-off notwithstanding; a primary that
    /// asked to be left alone (Retry-After) is left alone.
    void poll_now();

    std::shared_ptr<const Snapshot> snapshot() const;
    Report report() const;

private:
    class Thread;
    std::unique_ptr<Thread> thread_;
};

}  // namespace postern::sync
