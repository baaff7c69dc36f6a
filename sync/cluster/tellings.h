// What is to be told to other gateways, and what was heard of them before.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "sync/base/cluster.h"
#include "sync/cluster/scripts.h"

namespace postern::sync {

/// In the order in which it came, in pieces of a bounded size; of very much the oldest goes. A value.
class Tellings {
public:
    static constexpr std::size_t octets = 64u << 10, most = 1000;

    /// For all others, or the one of that name.
    void put(std::vector<base::Fact> facts, const std::string& to);
    /// It is told; gives how many facts that were.
    std::size_t told(std::uint64_t number);

    std::size_t size() const { return waiting_.size(); }
    const Telling& operator[](std::size_t at) const { return waiting_[at]; }
    std::uint64_t lost() const { return lost_; }  // facts that never will be told

private:
    std::deque<Telling> waiting_;
    std::uint64_t number_ = 0, lost_ = 0;
};

/// What was told twice, since nobody knew whether it had been told, is heard once. A value.
class HeardBefore {
public:
    /// Whether this is the first time.
    bool first(const Heard& heard);

private:
    std::map<std::string, std::pair<std::string, std::uint64_t>> last_;  // by name: instance and number
};

}  // namespace postern::sync
