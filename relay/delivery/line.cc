#include "relay/delivery/line.h"

#include <utility>

namespace postern::relay {

Job Line::pop() {
    bool turn_of_further = !further_.empty() && (first_.empty() || ++turn_ % share == 0);
    auto& from = turn_of_further ? further_ : first_;
    Job job = std::move(from.front());
    from.pop_front();
    return job;
}

std::vector<Job> Line::drain() {
    return extract([](const Job&) { return true; });
}

}  // namespace postern::relay
