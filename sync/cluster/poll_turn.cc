#include "sync/cluster/poll_turn.h"

namespace postern::sync {

namespace {

// Less than the server's lease, and counted from before it was asked for: who has it ends before it is
// another's.
constexpr std::chrono::seconds lasts{12}, lease{15};

}  // namespace

std::string PollTurn::proposal(const ClusterSelf& self) const {
    return self.instance + '.' + std::to_string(begun_);
}

Turn PollTurn::heard(const Beat& beat, const ClusterSelf& self, base::Moment asked) {
    // Where all is new a turn may still be somebody's who was given it before.
    if (beat.generation == proposal(self)) {
        begun_anew_ = asked;
        ++begun_;
    }
    const bool goes_on = turn_.whose == Turn::Whose::ours && asked < until_;
    until_ = asked + lasts;
    turn_.name.clear();
    if (beat.holder.empty()) {
        turn_.whose = Turn::Whose::unknown;
    } else if (beat.holder == self.instance) {
        const bool too_soon = !goes_on && begun_anew_ && asked < *begun_anew_ + lease;
        turn_.whose = too_soon ? Turn::Whose::anothers : Turn::Whose::ours;
        if (!too_soon) turn_.name = self.name;
    } else {
        turn_.whose = Turn::Whose::anothers;
        for (const auto& one : beat.members)
            if (one.instance == beat.holder) turn_.name = one.member.name;
    }
    turn_.gateways = 0;
    for (const auto& one : beat.members)
        if (one.member.live) ++turn_.gateways;
    if (turn_.gateways == 0) turn_.gateways = 1;
    return turn_;
}

void PollTurn::connected(base::Moment now) { begun_anew_ = now; }

Turn PollTurn::at(base::Moment now) const {
    if (now < until_) return turn_;
    return {Turn::Whose::unknown, turn_.gateways, {}};
}

}  // namespace postern::sync
