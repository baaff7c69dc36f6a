#include "relay/reception/refusal_events.h"

#include <algorithm>

namespace postern::relay {

namespace {

event::Refused several(Rule rule, std::uint64_t times) {
    const RuleText& text = text_of(rule);
    event::Refused out;
    out.reply = Reply{text.code, text.status, std::string(text.words)};
    out.rule = text.name;
    out.reason = text.when;
    out.times = times;
    return out;
}

}  // namespace

void RefusalEvents::tell_of(const event::Refused& what, Rule rule, bool stranger, Tally* tally,
                            base::Moment now) {
    if (!stranger) return observer_.on(what);
    if (tally != nullptr && !tally->room()) return tally->count(rule);
    {
        const std::lock_guard lock(mutex_);
        if (!room_.take(now)) {
            more_[static_cast<std::size_t>(rule)] += what.times;
            return;
        }
    }
    observer_.on(what);
}

void RefusalEvents::close(Tally& tally, std::string_view client, std::string_view helo, base::Moment now) {
    for (std::size_t at = 0; at < rule_count; ++at) {
        if (tally.more_[at] == 0) continue;
        const Rule rule = static_cast<Rule>(at);
        event::Refused what = several(rule, tally.more_[at]);
        what.client = client;
        what.helo = helo;
        tell_of(what, rule, true, nullptr, now);
        tally.more_[at] = 0;
    }
}

void RefusalEvents::flush() {
    decltype(more_) more{};
    {
        const std::lock_guard lock(mutex_);
        more.swap(more_);
    }
    for (std::size_t at = 0; at < rule_count; ++at) {
        if (more[at] == 0) continue;
        event::Refused what = several(static_cast<Rule>(at), more[at]);
        what.client = "several strangers";
        observer_.on(what);
    }
}

}  // namespace postern::relay
