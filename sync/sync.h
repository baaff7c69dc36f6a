// The directory of all primaries, kept fresh by one thread: the facade for the agent.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "sync/base/clock.h"
#include "sync/base/disk.h"
#include "sync/directory/snapshot.h"
#include "sync/observer.h"
#include "sync/report.h"
#include "sync/settings.h"
#include "sync/trouble.h"
#include "sync/turn.h"

namespace postern::sync {

/// All members may be called from any thread.
class Sync final {
public:
    using Publish = std::function<void(std::shared_ptr<const Snapshot>)>;

    /// Reads the cache in `state_dir`, so that snapshot() decides before the first round; `publish` is called
    /// on a thread of ours after each change, one at a time, not for what the cache gave. Throws
    /// std::system_error when `state_dir` cannot be used, std::invalid_argument for a url that is none.
    Sync(const std::vector<PrimarySettings>& settings, const std::filesystem::path& state_dir,
         Observer& observer, const base::Clock& clock, base::Disk& disk, Publish publish);
    ~Sync();  // stops
    Sync(const Sync&) = delete;
    Sync& operator=(const Sync&) = delete;

    void start();
    /// Interrupts a request under way, saves what has been learned and joins. Not to be started again.
    void stop();
    /// In force when it returns: waits for the thread's step under way, unless it was not started or is
    /// stopped. A primary whose settings are the same keeps its session.
    /// Throws std::invalid_argument as the constructor does, and changes nothing then.
    void reload(std::vector<PrimarySettings> settings);
    /// Starts a round for every primary, refused credentials and back-off notwithstanding; a primary that
    /// asked to be left alone (Retry-After) is left alone, and a round under way goes on.
    void poll_now();

    /// As poll_now(); answers that were held back because too much is gone are believed when they come again.
    void accept_suspicions();

    // Several gateways in front of the same primaries: one polls, and hands on to the others what it has
    // read.

    /// Whose turn it is to poll from now on; at first ours. While it is another's nothing is polled, on
    /// request neither (ask() goes on), and a round under way is given up: of what was asked already nothing
    /// comes. Once it is ours again a round is due as if all that was taken over had been read here. While it
    /// is unknown each gateway polls, all together as fast as one.
    void take_turn(Turn turn);
    using HandOn = std::function<void(std::string_view primary, std::string octets)>;
    /// Before start(). `hand_on` is called on a thread of ours while the turn is ours, after each round of a
    /// primary that went well: with all that is known of it, for the others' adopt().
    void hand_on_with(HandOn hand_on);
    /// While the turn is ours: all that is known is handed on once more.
    void hand_on_again();
    /// Takes over what another gateway has handed on, if it is newer than what was read here: published and
    /// saved as after a round of our own. What cannot be taken over is told to the observer and changes
    /// nothing.
    void adopt(std::string octets);

    /// Asks the primary about an address that snapshot() does not call good, once for all who wait for it.
    /// `done` is called exactly once, on any thread, at most two seconds later: true after the answer has
    /// been published; false without one. At once true when a recent answer is known, or the question has no
    /// answer but the directory's; at once false when the primary does not answer or has been asked enough.
    /// `domain` as an A-label.
    void ask(std::string local_part, std::string domain, const std::function<void(bool answered)>& done);
    /// There is mail of this address: its domain is among the first of the next round, and where addresses
    /// are only asked about, it is asked about again when that is long ago. Any thread; cheap.
    void notice(std::string_view local_part, std::string_view domain);
    /// Drops what was asked for about one address, so that it is asked for again; false when nothing was.
    bool forget(std::string_view local_part, std::string_view domain);

    std::shared_ptr<const Snapshot> snapshot() const;
    Report report() const;

private:
    class Thread;
    std::unique_ptr<Thread> thread_;
};

struct ProbeFailure {
    std::string words;
    Trouble trouble = Trouble::other;
};

struct Probed {
    std::size_t domains = 0;
    bool lists = true;  // false: they are named by the settings, and addresses are asked about
    std::vector<std::string> takes_all{};  // of those, the first few: domains that accept every address
};

/// For `postern check --online`: signs in once, under a name of its own so that a running gateway keeps its
/// session, and counts the domains, or asks about an address that nobody has; otherwise what went wrong, in
/// words. Blocking, some minutes at worst. Throws as Sync does.
tl::expected<Probed, ProbeFailure> probe(const PrimarySettings& settings, const base::Clock& clock,
                                         std::stop_token stop = {});

}  // namespace postern::sync
