// What was learnt, in state_dir: read at the start, written down beside the loop.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "relay/delivery/environment.h"
#include "relay/net/asio.h"

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
    net::awaitable<void> finish();  // until what was handed over is written

private:
    Environment& env_;
};

}  // namespace postern::relay
