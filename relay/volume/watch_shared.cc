// A Watch, as far as several gateways see parts of what a sender does.

#include <algorithm>

#include "relay/volume/watch.h"
#include "sync/base/forget_oldest.h"

namespace postern::relay {

void Watch::tell_others(bool tell) {
    const std::lock_guard lock(mutex_);
    tells_ = tell;
}

void Watch::news(std::vector<base::Fact>& out, std::size_t octets) {
    const std::lock_guard lock(mutex_);
    news_.take(out, octets);
}

std::optional<VolumeChange> Watch::hear(const std::string& gateway, const base::Fact& fact, base::Time now,
                                        base::Time wall) {
    const std::lock_guard lock(mutex_);
    if (fact.kind == sent_fact) {
        if (const auto sent = read_sent(fact.text)) hear_sent(*sent, now, wall);
    } else if (settings_.mode == UnusualSettings::Mode::off) {
        return std::nullopt;
    } else if (fact.kind == answered_fact) {
        if (const auto answered = read_answered(fact.text)) take_answers(*answered, now);
    } else if (fact.kind == unusual_fact) {
        if (const auto unusual = read_unusual(fact.text)) return hear_unusual(gateway, *unusual, now, wall);
    } else if (fact.kind == history_fact) {
        hear_histories(fact.text);
        learn_prior();
    }
    return std::nullopt;
}

void Watch::hear_sent(const SentElsewhere& sent, base::Time now, base::Time wall) {
    const std::size_t at = sent.user.rfind('@');
    const VolumeSender sender(sent.user.substr(0, at), sent.user.substr(at + 1), {});
    const WatchedMail mail{sender, sent.recipients, sent.announced, {}};
    const auto all = static_cast<std::uint32_t>(sent.recipients.size());
    tally_.heard(sender, all, sent.announced, now);
    if (settings_.mode == UnusualSettings::Mode::off) return;
    std::uint32_t fresh = 0;
    for (const auto recipient : sent.recipients)
        if (!acquaintances_.meet(Acquaintances::pair(sent.user, recipient))) ++fresh;
    if (const auto found = episodes_.find(sent.user); found != episodes_.end()) {
        Episode& episode = found->second;
        episode.recipients += all;
        // What it may send in its time it may send once, through whichever gateway.
        if (sent.takes.count() > 0) episode.next = std::max(episode.next, now) + sent.takes;
        if (!sent.learnt) withhold(episode, sent.user, all, wall);
        urgent_ = true;
    }
    count(mail, fresh, sent.learnt, now, wall);
}

std::optional<VolumeChange> Watch::hear_unusual(const std::string& gateway, const UnusualElsewhere& unusual,
                                                base::Time now, base::Time wall) {
    const base::Time raised = std::min(now, unusual.raised - (wall - now));
    const auto decided = decided_.find(unusual.user);
    if (decided != decided_.end() && raised <= decided->second.at) return std::nullopt;  // it is over
    auto found = episodes_.find(unusual.user);
    if (found != episodes_.end() && found->second.level >= unusual.level) return std::nullopt;
    if (found == episodes_.end()) {
        found = episodes_.emplace(unusual.user, Episode()).first;
        found->second.since = now;
    }
    Episode& episode = found->second;
    episode.level = unusual.level;
    episode.raised = raised;
    episode.why = unusual.why;
    if (episode.why.find("(seen by gateway ") == std::string::npos)
        episode.why += " (seen by gateway " + gateway + ")";
    urgent_ = true;
    const VolumeChange out{unusual.user, unusual.level, !enforce_, episode.why};
    base::forget_oldest(
        episodes_, most_episodes, [](const Episode&) { return true; },
        [](const Episode& one) { return std::pair(one.level, one.recipients); });
    return out;
}

std::vector<VolumeDecision> Watch::decisions(base::Time now) const {
    const std::lock_guard lock(mutex_);
    std::vector<VolumeDecision> out;
    for (const auto& [who, one] : decided_)
        if (now < one.at + std::chrono::hours(24)) out.push_back(one);
    return out;
}

}  // namespace postern::relay
