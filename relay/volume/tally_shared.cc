// A Tally, as far as several gateways share its limits.

#include <algorithm>

#include "relay/volume/tally.h"
#include "sync/base/words.h"

namespace postern::relay {

namespace {

using Unit = VolumeLimit::Unit;

/// "1r0bob@example.com": the period, what is counted, whose.
std::string name_of(const std::string& key, const VolumeLimit& limit) {
    return std::to_string(Tally::index_of(limit.period)) + (limit.unit == Unit::messages ? 'm' : 'r') + key;
}

/// The narrowest of those that count the same.
std::vector<VolumeLimit> narrowest(const std::vector<VolumeLimit>& limits) {
    std::vector<VolumeLimit> out;
    for (const auto& limit : limits) {
        const auto same = std::find_if(out.begin(), out.end(), [&](const VolumeLimit& one) {
            return one.unit == limit.unit && one.period == limit.period;
        });
        if (same == out.end())
            out.push_back(limit);
        else
            same->count = std::min(same->count, limit.count);
    }
    return out;
}

}  // namespace

std::size_t Tally::shared_at(const VolumeLimit& limit) {
    return (limit.unit == Unit::messages ? 0 : periods.size()) + index_of(limit.period);
}

void Tally::reach(const base::Company& company) {
    const std::lock_guard lock(mutex_);
    company_ = company;
    company_.gateways = std::max(1U, company.gateways);
}

Tally::Counts& Tally::share(const std::string& key, const std::vector<VolumeLimit>& limits) {
    Counts& counts = known_[key];
    for (const auto& limit : limits)
        if (auto& shared = counts.shared[shared_at(limit)]; !shared) shared = std::make_unique<SharedCount>();
    return counts;
}

bool Tally::must_tell(const Counts* counts, const VolumeLimit& limit) const {
    const auto* shared = counts == nullptr ? nullptr : counts->shared[shared_at(limit)].get();
    return shared != nullptr && shared->must_tell(limit.count, company_.gateways);
}

void Tally::count_untold(const std::string& key, Counts& counts, std::uint32_t messages,
                         std::uint32_t recipients) {
    bool any = false;
    for (std::size_t at = 0; at < counts.shared.size(); ++at) {
        if (!counts.shared[at]) continue;
        counts.shared[at]->add(at < periods.size() ? messages : recipients);
        any = true;
    }
    if (any) untold_.insert(key);
}

void Tally::add_questions(std::vector<base::CountQuestion>& out, const std::string& key, bool urgent,
                          base::Time now) {
    const auto found = known_.find(key);
    if (found == known_.end()) return;
    const auto scope = static_cast<VolumeScope>(key.front() - '0');
    for (const auto& limit : narrowest(limits_of(scope, key.substr(1)))) {
        auto* shared = found->second.shared[shared_at(limit)].get();
        if (shared == nullptr || !(urgent || shared->news())) continue;
        const auto& counts = limit.unit == Unit::messages ? found->second.messages : found->second.recipients;
        base::CountQuestion one;
        one.name = name_of(key, limit);
        one.step = limit.period / static_cast<int>(SlidingCount::steps);
        one.steps = steps_told(counts[index_of(limit.period)], now, limit.period, company_.ahead);
        one.limit = limit.count;
        one.first = !shared->met();
        if (urgent) one.claim = std::max(1U, untold_most(limit.count, company_.gateways));
        shared->telling();
        out.push_back(std::move(one));
    }
}

std::vector<base::CountQuestion> Tally::questions(bool urgent, std::size_t most, base::Time now) {
    const std::lock_guard lock(mutex_);
    std::vector<base::CountQuestion> out;
    auto& keys = urgent ? urgent_ : untold_;
    while (!keys.empty() && out.size() < most)
        add_questions(out, keys.extract(keys.begin()).value(), urgent, now);
    return out;
}

void Tally::heard(const base::CountAnswer& answer, base::Time now) {
    const std::lock_guard lock(mutex_);
    if (answer.name.size() < 3) return;
    const std::string key = answer.name.substr(2);
    const auto period = static_cast<std::size_t>(answer.name[0] - '0');
    const auto found = known_.find(key);
    if (period >= periods.size() || found == known_.end()) return;
    auto* shared = found->second.shared[(answer.name[1] == 'm' ? 0 : periods.size()) + period].get();
    if (shared == nullptr) return;
    const bool messages = answer.name[1] == 'm';
    if (answer.answered && !answer.own.empty() && !shared->met()) {
        // It was told before this process began, and lost with the one before.
        auto& own = (messages ? found->second.messages : found->second.recipients)[period];
        own.raise_to(steps_heard(answer.own, now, periods[period], company_.ahead));
    }
    if (answer.answered)
        shared->told(answer.granted, steps_heard(answer.others, now, periods[period], company_.ahead));
    else
        shared->not_told();
    // What was claimed and is not taken is given back in its turn.
    if (shared->news()) untold_.insert(key);
}

void Tally::tell_all_again() {
    const std::lock_guard lock(mutex_);
    for (auto& [key, counts] : known_)
        for (auto& shared : counts.shared) {
            if (!shared) continue;
            shared->forgotten();
            untold_.insert(key);
        }
}

void Tally::heard(const Announced::Mailing& theirs, base::Time now) {
    const std::lock_guard lock(mutex_);
    announced_.hear(theirs, now);
    changed_ = true;
}

std::vector<Announced::Mailing> Tally::mailings_told(base::Time now) {
    const std::lock_guard lock(mutex_);
    return announced_.told(now);
}

void Tally::heard(const VolumeSender& sender, std::uint32_t recipients, std::uint32_t announced,
                  base::Time now) {
    const std::lock_guard lock(mutex_);
    const auto& user = sender.names[static_cast<std::size_t>(VolumeScope::user)];
    const auto& domain = sender.names[static_cast<std::size_t>(VolumeScope::domain)];
    announced_.spend(user, domain, announced, now);
    changed_ = changed_ || announced > 0;
    const std::uint32_t counted = recipients - std::min(recipients, announced);
    if (counted == 0) return;
    if (known_.size() > most_known + most_known / 10) forget();
    for (const auto scope : {VolumeScope::user, VolumeScope::domain}) {
        Counts& counts = known_[key_of(scope, sender.names[static_cast<std::size_t>(scope)])];
        counts.last = std::max(counts.last, now);
        if (!counts.elsewhere) counts.elsewhere = std::make_unique<std::array<SlidingCount, 2>>();
        (*counts.elsewhere)[0].add(now, periods[1], counted);
        (*counts.elsewhere)[1].add(now, periods[2], counted);
    }
}

}  // namespace postern::relay
