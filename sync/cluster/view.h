// What is known of the gateways that share what they know, for status pages and commands.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "sync/base/clock.h"
#include "sync/turn.h"

namespace postern::sync {

/// A gateway that was heard of within a day.
struct ClusterMember {
    std::string name, version;
    std::chrono::milliseconds heard{0};  // ago
    bool live = false;                   // within seconds
};

/// A primary's directory as one of them has published it.
struct ClusterDirectory {
    std::string primary, version;
    std::uint64_t fence = 0, octets = 0;  // fence: grows with each gateway whose turn it becomes
};

struct ClusterView {
    bool on = false;
    std::string name, where;  // this gateway's; the server's, without credentials
    enum class Standing : std::uint8_t { away, slow, reached };
    Standing standing = Standing::away;
    base::Time since{};  // that it is so; of the wall
    std::string why;     // of one that is not reached: in words
    std::string twin;    // another gateway has the same name, in words; "" when none has
    Turn turn;
    std::uint64_t fence = 0;  // of the turn
    std::vector<ClusterMember> members;
    std::vector<ClusterDirectory> directories;
    unsigned gateways = 1;                        // that limits are shared among
    std::chrono::microseconds took{0};            // the last exchange
    std::chrono::milliseconds ahead{0};           // the server's clock is, of ours
    std::uint64_t told = 0, heard = 0, lost = 0;  // facts; those that never will be told
    std::uint64_t questions = 0;                  // about counts
};

}  // namespace postern::sync
