#include "relay/delivery/line.h"

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

std::vector<Job> Line::drain() {
    return extract([](const Job&) { return true; });
}

}  // namespace postern::relay
