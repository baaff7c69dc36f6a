// What the model of the spool goes by: a clock in which upkeep hurries, and what is known of each message.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <random>
#include <set>
#include <stop_token>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "relay/queue/record.h"
#include "relay/queue/spool.h"
#include "sync/base/clock.h"
#include "tests/unit/relay/mortal_disk.h"

namespace postern::tests {

using relay::MessageId;
using relay::Progress;

/// So that what upkeep does in a second is done in a few milliseconds.
class RushingClock final : public base::Clock {
public:
    static constexpr int speed = 200;

    base::Moment now() const override { return begun_ + (system_.now() - begun_) * speed; }
    base::Time wall() const override { return system_.wall(); }
    base::Time steady() const override { return system_.steady(); }
    bool wait_until(std::condition_variable_any& woken, std::unique_lock<std::mutex>& lock,
                    const std::stop_token& stop, base::Moment until,
                    const std::function<bool()>& done) const override {
        const auto real = until == base::Moment::max() ? until : begun_ + (until - begun_) / speed;
        return system_.wait_until(woken, lock, stop, real, done);
    }

private:
    base::SystemClock system_;
    base::Moment begun_ = system_.now();
};

inline MortalDisk::Troubles some_trouble(std::mt19937& random) {
    const auto pick = [&](unsigned below) { return static_cast<unsigned>(random() % below); };
    MortalDisk::Troubles out;
    switch (pick(5)) {
        case 0: out.passing = 1 + pick(200); break;
        case 1: out.full = 1000; break;
        case 2: out.full = 1 + pick(1000); break;
        case 3:
            out.passing = pick(50);
            out.full = pick(300);
            break;
        default: out.broken = 1 + pick(pick(2) == 0 ? 300 : 10); break;
    }
    return out;
}

/// A line of 1 to `most` letters.
inline std::string some_text(std::mt19937& random, std::size_t most) {
    std::string out(1 + random() % most, 'x');
    for (char& one : out) one = static_cast<char>('a' + random() % 26);
    return out + "\r\n";
}

struct Version {
    std::uint64_t number = 0;  // of the change; 0: as it was found, or accepted
    Progress progress;
    bool done = false;
    MessageId bounce{};
};

struct Known {
    std::string content;
    bool accepted = false;          // told so, or must be there with the change that brought it
    bool refused = false;           // told so, and not there
    std::vector<Version> versions;  // the first one is there for certain
    std::set<std::uint16_t> noted, surely_noted;
    // Of all its lives: where some could not be read, what is found may be older than it must.
    std::vector<Version> ever;
    std::set<std::uint16_t> ever_noted;

    /// Whether this version is what was found, with what was noted since.
    bool same(const Version& version, const Progress& found, bool vague) const {
        if (found.size() != version.progress.size()) return false;
        for (std::size_t at = 0; at < found.size(); ++at) {
            const auto& was = version.progress[at];
            const auto recipient = static_cast<std::uint16_t>(at);
            if (found[at].reason != was.reason || found[at].route != was.route || found[at].next != was.next)
                return false;
            if (found[at].status != was.status &&
                !((vague ? ever_noted : noted).contains(recipient) && was.pending() &&
                  found[at].status == relay::RecipientStatus::delivered))
                return false;
            if (!vague && surely_noted.contains(recipient) && found[at].pending()) return false;
        }
        return true;
    }
    /// The last one that this may be; null: none.
    const Version* found(const Progress& progress, bool vague) const {
        const Version* out = nullptr;
        for (const auto& version : vague ? ever : versions)
            if ((vague || !version.done) && same(version, progress, vague)) out = &version;
        return out;
    }

    bool ever_done() const {
        return std::any_of(ever.begin(), ever.end(), [](const Version& one) { return one.done; });
    }
    bool done() const { return versions.back().done; }
};

/// Up to this change all must be there, and what was noted too.
inline void settle(std::map<MessageId, Known>& known, std::uint64_t number, bool notes) {
    for (auto& [id, one] : known) {
        auto& all = one.versions;
        if (all.empty()) continue;
        std::size_t first = 0;
        for (std::size_t at = 0; at < all.size(); ++at)
            if (all[at].number <= number) {
                first = at;
                if (const auto bounce = known.find(all[at].bounce); bounce != known.end())
                    bounce->second.accepted = true;
            }
        all.erase(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(first));
        if (!notes) one.surely_noted.clear();
    }
}

/// It costs time, never mail. False when there is none.
inline bool lose_checkpoint(MemoryDisk& disk, const std::filesystem::path& folder) {
    return !disk.remove(folder / "checkpoint") && !disk.sync_folder(folder);
}

/// Two threads that read what is there, as long as this lives.
class Readers {
public:
    /// `content` is null where it is damaged, `loaded` empty where the message is.
    using Found = std::function<void(MessageId id, const relay::Loaded& loaded, const std::string* content,
                                     const std::string& why)>;
    Readers(const relay::Spool& spool, Found found) : spool_(spool), found_(std::move(found)) {
        for (unsigned reader = 0; reader < 2; ++reader)
            threads_.emplace_back([this, reader](const std::stop_token& stop) { run(stop, reader); });
    }

private:
    void run(const std::stop_token& stop, unsigned seed) {
        std::mt19937 random(seed);
        while (!stop.stop_requested()) {
            for (const MessageId id : spool_.messages(MessageId{}, 50 + random() % 500)) {
                if (stop.stop_requested()) return;
                if (random() % 4 == 0) read(id);
            }
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
    }
    void read(MessageId id) {
        try {
            const auto loaded = spool_.load(id);
            if (!loaded) return;
            if (!loaded->stored) return found_(id, *loaded, nullptr, "its record");
            const auto content = spool_.load_content(loaded->stored->message);
            if (content) return found_(id, *loaded, content->get(), {});
            if (content.error().damaged()) found_(id, *loaded, nullptr, content.error().why);
        } catch (const std::system_error&) {
            // The disk's word, not the message's.
        }
    }

    const relay::Spool& spool_;
    const Found found_;
    std::vector<std::jthread> threads_;  // end first
};

/// Whether its sender was told nothing of it.
inline bool untold(const std::map<relay::MessageId, Known>& known, relay::MessageId id) {
    const auto found = known.find(id);
    return found != known.end() && !found->second.accepted && !found->second.refused;
}

/// A life in a word: troubled (*), broken (!), unread (?).
inline std::string how_it_was(const std::string& how, const MortalDisk& process) {
    std::string out = ' ' + how;
    if (process.troubled()) out += '*';
    if (process.broken()) out += '!';
    if (process.unread()) out += '?';
    return out;
}

}  // namespace postern::tests
