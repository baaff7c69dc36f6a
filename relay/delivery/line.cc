#include "relay/delivery/line.h"

#include <algorithm>

#include "sync/base/ensure.h"

namespace postern::relay {

void Line::push(Job job) {
    ++size_;
    if (job.not_first) return not_first_.push_back(std::move(job));
    auto& own = by_route_[job.route];
    if (own.empty()) turns_.push_back(job.route);
    own.push_back(std::move(job));
}

Job Line::pop() {
    ENSURE(size_ > 0, "a job is taken from a line that has one");
    --size_;
    auto take = [](std::deque<Job>& from) {
        Job job = std::move(from.front());
        from.pop_front();
        return job;
    };
    bool others = !front_.empty() || !turns_.empty();
    if (!not_first_.empty() && (!others || ++turn_ % share == 0)) return take(not_first_);
    if (!front_.empty()) return take(front_);
    auto own = by_route_.find(turns_.front());
    Job job = take(own->second);
    RouteKey route = std::move(turns_.front());
    turns_.pop_front();
    if (own->second.empty())
        by_route_.erase(own);
    else
        turns_.push_back(std::move(route));
    return job;
}

std::vector<const Job*> Line::first_of_each(std::size_t most) const {
    std::vector<const Job*> out;
    const auto add = [&](const Job& job) {
        const bool known =
            std::any_of(out.begin(), out.end(), [&](const Job* one) { return one->route == job.route; });
        if (!known) out.push_back(&job);
    };
    for (const Job& job : front_)
        if (out.size() < most) add(job);
    for (const RouteKey& route : turns_)
        if (out.size() < most) add(by_route_.find(route)->second.front());
    // Of a mailing the others are most likely for the same.
    if (!not_first_.empty() && out.size() < most) add(not_first_.front());
    return out;
}

std::vector<Job> Line::drain() {
    return extract([](const Job&) { return true; });
}

}  // namespace postern::relay
