// Whose turn it is, where many want more than there is place for at once.
#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>

namespace postern::relay::net {

/// Askers take turns, one thing each. None holds more than `each` at once, nor more than is left free; the
/// same of places in the line. So however few or many push, somebody new finds a place.
template <class Thing>
class Turns {
public:
    Turns(std::size_t most, std::size_t each, std::size_t line) : most_(most), each_(each), line_(line) {}

    /// False: there is no place in the line for one more of this asker's.
    bool push(const std::string& asker, Thing thing) {
        Asker& one = askers_[asker];
        if (one.waiting.size() >= line_ - waiting_) {
            forget(asker);
            return false;
        }
        one.waiting.push_back(std::move(thing));
        ++waiting_;
        line_up(asker, one);
        return true;
    }

    /// What may begin now, with its asker, until done() is told of it; nullopt: all others have to wait.
    std::optional<std::pair<std::string, Thing>> next() {
        while (held_ < most_ && !turn_.empty()) {
            std::string asker = std::move(turn_.front());
            turn_.pop_front();
            Asker& one = askers_[asker];
            one.in_turn = false;
            // It comes back into turn when one of its own is done.
            if (one.held >= std::min(each_, most_ - held_)) continue;
            Thing thing = std::move(one.waiting.front());
            one.waiting.pop_front();
            --waiting_;
            ++one.held;
            ++held_;
            line_up(asker, one);
            return std::pair(std::move(asker), std::move(thing));
        }
        return std::nullopt;
    }

    void done(const std::string& asker) {
        auto found = askers_.find(asker);
        if (found == askers_.end() || found->second.held == 0) return;
        --found->second.held;
        --held_;
        line_up(asker, found->second);
        forget(asker);
    }

    std::size_t held() const { return held_; }
    std::size_t waiting() const { return waiting_; }

private:
    struct Asker {
        std::deque<Thing> waiting;
        std::size_t held = 0;
        bool in_turn = false;
    };

    void line_up(const std::string& asker, Asker& one) {
        if (one.waiting.empty() || std::exchange(one.in_turn, true)) return;
        turn_.push_back(asker);
    }

    void forget(const std::string& asker) {
        auto found = askers_.find(asker);
        if (found->second.held == 0 && found->second.waiting.empty() && !found->second.in_turn)
            askers_.erase(found);
    }

    std::size_t most_, each_, line_;
    std::size_t held_ = 0, waiting_ = 0;
    std::map<std::string, Asker> askers_;
    std::deque<std::string> turn_;
};

}  // namespace postern::relay::net
