// What sessions hold in memory of what their clients send.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <utility>

namespace postern::relay {

/// Each session holds a little by itself; more comes out of what all share. Any thread; shared by its users,
/// since at the end of the process sessions may outlive the reception.
class SessionMemory {
public:
    static constexpr std::size_t own = 64 << 10;      // of each session, and as often as it needs it
    static constexpr std::size_t shared = 128 << 20;  // by all of them, beyond that

    /// What one holder has; it goes back with it. One thread at a time.
    class Share {
    public:
        explicit Share(std::shared_ptr<SessionMemory> memory) : memory_(std::move(memory)) {}
        ~Share() { give_back(); }
        Share(const Share&) = delete;
        Share& operator=(const Share&) = delete;

        /// Whether so many octets may be held in all. False changes nothing.
        bool grow_to(std::size_t octets) {
            if (octets <= own || octets <= taken_) return true;
            const std::size_t more = octets - taken_;
            std::size_t left = memory_->left_;
            do {
                if (more > left) return false;
            } while (!memory_->left_.compare_exchange_weak(left, left - more));
            taken_ = octets;
            return true;
        }
        void give_back() { memory_->left_ += std::exchange(taken_, 0); }

    private:
        std::shared_ptr<SessionMemory> memory_;
        std::size_t taken_ = 0;
    };

private:
    std::atomic<std::size_t> left_ = shared;
};

}  // namespace postern::relay
