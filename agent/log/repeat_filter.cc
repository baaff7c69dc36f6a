#include "agent/log/repeat_filter.h"

#include <utility>

namespace postern::agent {

std::optional<std::uint64_t> RepeatFilter::pass(std::string_view kind, Time now) {
    auto found = kinds_.find(kind);
    if (found == kinds_.end() && kinds_.size() >= most_kinds)
        std::erase_if(kinds_, [now](const auto& entry) { return now - entry.second.passed >= interval; });
    if (found == kinds_.end()) {
        const bool room = kinds_.size() < most_kinds;
        found = kinds_.try_emplace(room ? std::string(kind) : std::string(), Record{now - interval, 0}).first;
    }
    Record& record = found->second;
    record.since += 1;
    if (now - record.passed < interval) return std::nullopt;
    record.passed = now;
    return std::exchange(record.since, 0);
}

}  // namespace postern::agent
