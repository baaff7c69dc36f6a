#include "relay/delivery/site.h"

#include <algorithm>
#include <iterator>

#include "sync/base/ensure.h"

namespace postern::relay {

bool SourceQueue::wake_one() {
    if (idle.empty()) return false;
    IdleConnection* resting = idle.front();
    idle.pop_front();
    resting->woken = true;
    resting->timer.cancel();
    return true;
}

void Site::adopt(Hosts hosts, unsigned most, unsigned messages_per_minute) {
    ENSURE(!hosts.targets.empty(), "a site has hosts");
    const bool is_new = hosts_.looked_up == Time{};
    hosts_ = std::move(hosts);
    if (is_new && connections() == 0)
        flow.window = Window(most);
    else
        flow.window.limit(most);
    flow.pace.limit(messages_per_minute);
    memory.trim();
}

void Site::distrust(std::string origin) {
    hosts_.looked_up = {};
    if (origin == hosts_.origin) return;
    hosts_.origin = std::move(origin);
    hosts_.targets.clear();
}

SourceQueue& SourceQueues::of(const Source& source) {
    SourceQueue& out = queues_.try_emplace(source.address, source).first->second;
    out.source = source;
    return out;
}

void SourceQueues::in_turn(const std::function<Turn(SourceQueue&)>& serve) {
    for (std::size_t at = 0; at < queues_.size(); ++at) {
        auto next = std::next(queues_.begin(), static_cast<std::ptrdiff_t>((turn_ + at) % queues_.size()));
        const Turn turn = serve(next->second);
        if (turn == Turn::served) turn_ += at + 1;
        if (turn != Turn::pass) return;
    }
}

std::vector<Job> SourceQueues::drain() {
    std::vector<Job> out;
    for (auto& [address, queue] : queues_)
        for (Job& job : queue.ready.drain()) out.push_back(std::move(job));
    return out;
}

std::size_t SourceQueues::ready() const {
    std::size_t out = 0;
    for (const auto& [address, queue] : queues_) out += queue.ready.size();
    return out;
}

std::size_t SourceQueues::idle() const {
    std::size_t out = 0;
    for (const auto& [address, queue] : queues_) out += queue.idle.size();
    return out;
}

unsigned Site::connections() const {
    unsigned out = 0;
    for (const auto& [address, queue] : queues.all()) out += queue.connections();
    return out;
}

unsigned Site::opening() const {
    unsigned out = 0;
    for (const auto& [address, queue] : queues.all()) out += queue.opening();
    return out;
}

bool Site::queue_starves() const {
    return connections() >= flow.window.size() &&
           std::any_of(queues.all().begin(), queues.all().end(), [](const auto& entry) {
               return entry.second.connections() == 0 && !entry.second.ready.empty();
           });
}

bool Site::record_success() {
    const bool was_doubtful = doubtful();
    proven_ = true;
    obstacle_ = {};
    flow.window.good();
    return was_doubtful;
}

Site::Failure Site::record_failure(unsigned others, Time begun, Time now) {
    // Ten connections that were under way when it went down found out the same thing.
    if (begun <= failed_at_) return Failure::known;
    if (others > 0 && obstacle_.failures == 0) {
        flow.window.bad(others);
        return Failure::fewer;
    }
    failed_at_ = now;
    memory.families = FamilyMemory(1);  // the next attempt tries both again
    flow.window.bad(0);
    return Failure::trouble;
}

void Site::put_down(std::string why, Time until) {
    obstacle_.down = true;
    ++obstacle_.failures;
    obstacle_.trouble = std::move(why);
    obstacle_.next_try = until;
}

}  // namespace postern::relay
