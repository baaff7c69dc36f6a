#include "sync/directory/suspicion.h"

namespace postern::sync {

namespace {

constexpr std::size_t small_loss = 10;  // entries
constexpr std::size_t share = 5;        // one of so many
constexpr unsigned believed_when_seen = 3;

}  // namespace

bool sudden_loss(const Change& change) {
    if (change.before == 0) return false;
    if (change.gone == change.before) return true;
    return change.gone > small_loss && change.gone > change.before / share;
}

bool believe(std::optional<Suspicion>& suspicion, const Change& change,
             std::chrono::system_clock::time_point now, const Hold& hold) {
    if (!sudden_loss(change)) {
        suspicion.reset();
        return true;
    }
    const auto lost_since = [&] {
        return suspicion->now > change.after ? suspicion->now - change.after : std::size_t{0};
    };
    if (!suspicion || sudden_loss({suspicion->now, change.after, lost_since()})) {
        suspicion = Suspicion{now, change.before, change.after, 1, false, hold.now};
        return false;
    }
    suspicion->before = change.before;
    suspicion->now = change.after;
    ++suspicion->seen;
    const bool stands =
        suspicion->seen >= believed_when_seen && hold.now - suspicion->held_from >= hold.lasts;
    if (!suspicion->confirmed && !stands) return false;
    suspicion.reset();
    return true;
}

}  // namespace postern::sync
