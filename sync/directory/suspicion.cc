#include "sync/directory/suspicion.h"

namespace postern::sync {

namespace {

constexpr std::size_t small_loss = 10;  // entries
constexpr std::size_t share = 5;        // one of so many
constexpr unsigned believed_when_seen = 3;

}  // namespace

bool sudden_loss(const Difference& difference) {
    if (difference.before == 0) return false;
    if (difference.gone == difference.before) return true;
    return difference.gone > small_loss && difference.gone > difference.before / share;
}

bool believe(std::optional<Suspicion>& suspicion, const Difference& difference,
             std::chrono::system_clock::time_point now, const Hold& hold) {
    if (!sudden_loss(difference)) {
        suspicion.reset();
        return true;
    }
    const auto lost_since = [&] {
        return suspicion->now > difference.after ? suspicion->now - difference.after : std::size_t{0};
    };
    if (!suspicion || sudden_loss({suspicion->now, difference.after, lost_since()})) {
        suspicion = Suspicion{now, difference.before, difference.after, 1, false, hold.now};
        return false;
    }
    suspicion->before = difference.before;
    suspicion->now = difference.after;
    ++suspicion->seen;
    const bool stands =
        suspicion->seen >= believed_when_seen && hold.now - suspicion->held_from >= hold.lasts;
    if (!suspicion->confirmed && !stands) return false;
    suspicion.reset();
    return true;
}

}  // namespace postern::sync
