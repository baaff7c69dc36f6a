// What was learnt, in state_dir: read at the start, written down on a thread of its own.
#pragma once

#include <asio/thread_pool.hpp>
#include <filesystem>
#include <functional>
#include <string>

#include "relay/delivery/environment.h"

namespace postern::relay {

inline constexpr const char* egress_file = "egress.state";
inline constexpr const char* policies_file = "mta-sts.state";

/// Used by one thread.
class Learnt {
public:
    explicit Learnt(Environment& env) : env_(env) {}

    /// What was learnt before this start; "" when nothing was. Throws when it is there and cannot be read:
    /// all of it would be forgotten, and then replaced.
    std::string recall(const char* name) const;
    /// Has it written. A failure is handed to `failed`, in words, on the thread that writes.
    void write(const char* name, std::string text, std::function<void(std::string)> failed);
    /// What was handed over is written when this returns; nothing can be handed over any more.
    void finish() { writer_.join(); }

private:
    Environment& env_;
    asio::thread_pool writer_{1};
};

}  // namespace postern::relay
