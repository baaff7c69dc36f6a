// How gateways that share what they know find each other.
#pragma once

#include <string>

#include "sync/cluster/redis.h"

namespace postern::sync {

struct ClusterSettings {
    RedisSettings redis;             // url "": this gateway is alone
    std::string name;                // of this gateway among the others
    std::string prefix = "postern";  // of all keys there

    bool on() const { return !redis.url.empty(); }
    bool operator==(const ClusterSettings&) const = default;
};

}  // namespace postern::sync
