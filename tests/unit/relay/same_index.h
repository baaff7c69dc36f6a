// Whether two indexes say the same.
#pragma once

#include <algorithm>

#include "relay/queue/index.h"

namespace postern::tests {

inline bool same_index(const relay::Index& one, const relay::Index& other) {
    if (one.size() != other.size() || one.live() != other.live() || one.routes() != other.routes() ||
        one.noted() != other.noted() || one.fresh({}, one.size()) != other.fresh({}, one.size()))
        return false;
    for (const relay::MessageId id : one.messages({}, one.size())) {
        const auto a = one.find(id), b = other.find(id);
        if (!b || a->message != b->message || a->progress != b->progress || a->fresh != b->fresh)
            return false;
        auto lines = one.lines(id), others = other.lines(id);
        std::sort(lines.begin(), lines.end());
        std::sort(others.begin(), others.end());
        const auto *have = one.delivered(id), *has = other.delivered(id);
        if (lines != others || (have == nullptr) != (has == nullptr) || (have != nullptr && *have != *has))
            return false;
        for (const auto& line : lines)
            if (!other.waits(line, id)) return false;
    }
    return true;
}

}  // namespace postern::tests
