#include "sync/cluster/tellings.h"

namespace postern::sync {

namespace {

constexpr std::size_t gateways_most = 1000;  // that are told apart

}  // namespace

void Tellings::put(std::vector<base::Fact> facts, const std::string& to) {
    std::size_t used = octets;
    for (auto& fact : facts) {
        const std::size_t more = fact.kind.size() + fact.text.size();
        if (used + more > octets) {
            waiting_.push_back({++number_, to, {}});
            used = 0;
        }
        used += more;
        waiting_.back().facts.push_back(std::move(fact));
    }
    for (; waiting_.size() > most; waiting_.pop_front()) lost_ += waiting_.front().facts.size();
}

std::size_t Tellings::told(std::uint64_t number) {
    if (waiting_.empty() || waiting_.front().number != number) return 0;
    const std::size_t out = waiting_.front().facts.size();
    waiting_.pop_front();
    return out;
}

bool HeardBefore::first(const Heard& heard) {
    if (last_.size() >= gateways_most && !last_.contains(heard.name)) last_.clear();
    auto& last = last_[heard.name];
    if (last.first == heard.instance && heard.telling.number <= last.second) return false;
    last = {heard.instance, heard.telling.number};
    return true;
}

}  // namespace postern::sync
