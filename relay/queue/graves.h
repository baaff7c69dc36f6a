// Which `done` records are still needed. One may go when no record of its message can be found any more, else
// that would come back to life.
#pragma once

#include <cstdint>
#include <functional>
#include <map>

#include "relay/queue/journal_record.h"

namespace postern::relay {

/// By segment. One thread.
class GraveLedger {
public:
    /// A done record lies in `segment`.
    void add(std::uint32_t segment, const Graves& graves, std::uint32_t count = 1) {
        by_segment_[segment][graves] += count;
    }
    /// One of them lies elsewhere now.
    void remove(std::uint32_t segment, const Graves& graves) {
        const auto all = by_segment_.find(segment);
        if (all == by_segment_.end()) return;
        const auto found = all->second.find(graves);
        if (found != all->second.end() && --found->second == 0) all->second.erase(found);
    }
    void forget(std::uint32_t segment) { by_segment_.erase(segment); }

    /// Whether a done record that lies in `segment` must outlive it; `there` says which segments there are.
    static bool needed(std::uint32_t segment, const Graves& graves,
                       const std::map<std::uint32_t, Segment>& there) {
        for (auto at = there.lower_bound(graves.first); at != there.end() && at->first <= graves.last; ++at)
            if (at->first != segment) return true;
        return false;
    }
    /// How many of those in `segment` must.
    std::uint64_t needed(std::uint32_t segment, const std::map<std::uint32_t, Segment>& there) const {
        const auto found = by_segment_.find(segment);
        std::uint64_t out = 0;
        if (found != by_segment_.end())
            for (const auto& [graves, count] : found->second)
                if (needed(segment, graves, there)) out += count;
        return out;
    }
    const std::map<std::uint32_t, std::map<Graves, std::uint32_t>>& by_segment() const { return by_segment_; }

private:
    std::map<std::uint32_t, std::map<Graves, std::uint32_t>> by_segment_;
};

}  // namespace postern::relay
