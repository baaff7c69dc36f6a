#include "relay/volume/tally.h"

#include <algorithm>

#include "relay/mail/address.h"
#include "relay/volume/tally_state.h"
#include "sync/base/ascii.h"
#include "sync/base/forget_oldest.h"

namespace postern::relay {

namespace {

constexpr std::array all_scopes{VolumeScope::user, VolumeScope::domain, VolumeScope::primary,
                                VolumeScope::all};
constexpr std::chrono::seconds same_time{1};  // of one transaction
constexpr std::size_t saved_at_once = 500;    // while who is charged waits
constexpr std::size_t name_max = 320;         // of a user: longer ones are cut, and share what they may

using Unit = VolumeLimit::Unit;

const std::string& name_of(const VolumeSender& sender, VolumeScope scope) {
    return sender.names[static_cast<std::size_t>(scope)];
}

/// Whether it is the sender's own, and not shared with others of the site.
bool own(VolumeScope scope) { return scope == VolumeScope::user || scope == VolumeScope::domain; }

}  // namespace

std::string_view text_of(VolumeScope scope) {
    constexpr std::array<std::string_view, volume_scopes> texts{"user", "domain", "primary", "all"};
    return texts[static_cast<std::size_t>(scope)];
}

std::string in_words(const VolumeLimit& limit) {
    constexpr std::array<std::string_view, Tally::periods.size()> words{" a minute", " an hour", " a day"};
    return std::to_string(limit.count) + (limit.unit == Unit::messages ? " messages" : " recipients") +
           std::string(words.at(Tally::index_of(limit.period)));
}

VolumeSender::VolumeSender(std::string_view mailbox, std::string_view domain, std::string_view primary) {
    names[static_cast<std::size_t>(VolumeScope::primary)] = primary;
    if (domain.empty()) return;
    names[static_cast<std::size_t>(VolumeScope::domain)] = base::lower(domain);
    names[static_cast<std::size_t>(VolumeScope::user)] = user_named(mailbox, domain);
}

std::string user_named(std::string_view mailbox, std::string_view domain) {
    std::string out = account_of(mailbox, domain);
    if (out.size() > name_max) out.resize(name_max);
    return out;
}

// ---- limits

void Tally::reload(const LimitSettings& limits) {
    const std::lock_guard lock(mutex_);
    limits_ = limits;
}

std::size_t Tally::index_of(std::chrono::seconds period) {
    return static_cast<std::size_t>(std::find(periods.begin(), periods.end(), period) - periods.begin());
}

std::string Tally::key_of(VolumeScope scope, const std::string& who) {
    return static_cast<char>('0' + static_cast<int>(scope)) + who;
}

/// The rule for exactly this one first, then that for the users of its domain, then what holds for all.
const std::vector<VolumeLimit>& Tally::limits_of(VolumeScope scope, const std::string& who) const {
    const auto rule = [&](const std::string& sender) {
        return std::find_if(limits_.rules.begin(), limits_.rules.end(),
                            [&](const LimitRule& one) { return one.sender == sender; });
    };
    switch (scope) {
        case VolumeScope::user: {
            if (const auto own = rule(who); own != limits_.rules.end()) return own->limits;
            if (limits_.rules.empty()) return limits_.user;
            const auto of_domain = rule("*" + who.substr(std::min(who.rfind('@'), who.size())));
            return of_domain != limits_.rules.end() ? of_domain->limits : limits_.user;
        }
        case VolumeScope::domain: {
            const auto own = rule(who);
            return own != limits_.rules.end() ? own->limits : limits_.domain;
        }
        case VolumeScope::primary: return limits_.primary;
        case VolumeScope::all: break;
    }
    return limits_.all;
}

Tally::Counts* Tally::find(VolumeScope scope, const std::string& who) {
    const auto found = known_.find(key_of(scope, who));
    return found == known_.end() ? nullptr : &found->second;
}

/// What one limit says. nullptr: nothing was counted yet.
std::optional<LimitReached> Tally::reached(Counts* counts, const VolumeLimit& limit, base::Time now) const {
    LimitReached out;
    out.limit = limit;
    out.until = now;
    if (counts == nullptr) {
        if (limit.count == 0) return out;
        return std::nullopt;
    }
    const std::size_t at = index_of(limit.period);
    const auto& own_count = (limit.unit == Unit::messages ? counts->messages : counts->recipients)[at];
    const auto* shared = counts->shared[shared_at(limit)].get();
    if (shared != nullptr) out.elsewhere = shared->others(now, limit.period);
    const std::uint64_t own = own_count.sum(now, limit.period);
    out.used = own + out.elsewhere;
    if (out.used < limit.count) {
        // They can be asked and did not answer in time: each may be taking one at this moment.
        const std::uint64_t beside = company_.reachable ? company_.gateways - 1 : 0;
        if (shared == nullptr || !shared->must_tell(limit.count, company_.gateways) ||
            out.used + shared->unheard(company_.gateways, own) + beside < limit.count)
            return std::nullopt;
        out.share = true;
    }
    if (limit.count > 0)
        out.until = (out.elsewhere > 0 ? shared->with(own_count) : own_count)
                        .falls_to(std::min(limit.count, out.used) - 1, now, limit.period);
    return out;
}

std::optional<LimitReached> Tally::forbidden(const VolumeSender& sender, bool message, bool announced,
                                             base::Time now, Found& found, Taking taking) {
    for (const auto scope : all_scopes) {
        const std::string& who = sender.names[static_cast<std::size_t>(scope)];
        if ((who.empty() && scope != VolumeScope::all) || (announced && own(scope))) continue;
        const auto& limits = limits_of(scope, who);
        if (limits.empty()) continue;
        Counts* counts = find(scope, who);
        if (company_.shares && taking.takes) counts = &share(key_of(scope, who), limits);
        found[static_cast<std::size_t>(scope)] = counts;
        for (const VolumeLimit& limit : limits) {
            if (limit.unit == Unit::messages && !message) continue;
            auto no = reached(counts, limit, now);
            if ((!no || no->share) && taking.tell != nullptr && company_.reachable &&
                must_tell(counts, limit)) {
                urgent_.insert(key_of(scope, who));
                *taking.tell = true;
                return std::nullopt;
            }
            if (!no) continue;
            no->scope = scope;
            no->who = who;
            return no;
        }
    }
    return std::nullopt;
}

std::optional<LimitReached> Tally::would_exceed(const VolumeSender& sender, base::Time now) {
    const std::lock_guard lock(mutex_);
    const auto mailing =
        announced_.take(name_of(sender, VolumeScope::user), name_of(sender, VolumeScope::domain), now);
    announced_.give_back(mailing, 1);
    Found found{};
    return forbidden(sender, true, !mailing.empty(), now, found, {});
}

std::optional<LimitReached> Tally::take(Charge& charge, const VolumeSender& sender, base::Time now,
                                        bool monitored, bool* tell) {
    const std::lock_guard lock(mutex_);
    if (known_.size() > most_known + most_known / 10) forget();
    auto& taken = charge.taken_;
    const bool first = taken.empty();
    std::string mailing =
        announced_.take(name_of(sender, VolumeScope::user), name_of(sender, VolumeScope::domain), now);
    Found found{};
    auto reached = forbidden(sender, first, !mailing.empty(), now, found, {true, tell});
    if (tell != nullptr && *tell) {
        announced_.give_back(mailing, 1);
        return std::nullopt;
    }
    if (reached) ++refused_;
    if (reached && !monitored) {
        announced_.give_back(mailing, 1);
        return reached;
    }
    if (first) {
        charge.tally_ = this;
        charge.sender_ = sender;
    }
    if (first || now - taken.back().at >= same_time || taken.back().announced != mailing)
        taken.push_back({now, std::move(mailing), 0});
    ++taken.back().recipients;
    add(sender, {taken.back().at, taken.back().announced, 1}, first ? 1 : 0, found);
    return reached;
}

void Tally::Charge::give_back() {
    if (tally_ == nullptr) return;
    const std::lock_guard lock(tally_->mutex_);
    std::uint32_t messages = 1;
    for (const auto& one : taken_) tally_->take_back(*sender_, one, std::exchange(messages, 0));
    tally_ = nullptr;
    taken_.clear();
}

std::uint32_t Tally::Charge::announced() const {
    std::uint32_t out = 0;
    for (const auto& one : taken_)
        if (!one.announced.empty()) out += one.recipients;
    return out;
}

void Tally::add(const VolumeSender& sender, const Charge::Taken& taken, std::uint32_t messages, Found found) {
    changed_ = true;
    std::array<std::int64_t, periods.size()> now{};  // each scope's steps are the same
    for (std::size_t i = 0; i < periods.size(); ++i) now[i] = SlidingCount::number_of(taken.at, periods[i]);
    for (const auto scope : all_scopes) {
        const std::string& who = name_of(sender, scope);
        if ((who.empty() && scope != VolumeScope::all) || (!taken.announced.empty() && own(scope))) continue;
        Counts* there = found[static_cast<std::size_t>(scope)];
        Counts& counts = there != nullptr ? *there : known_[key_of(scope, who)];
        counts.last = std::max(counts.last, taken.at);
        for (std::size_t i = 0; i < periods.size(); ++i) {
            if (messages > 0) counts.messages[i].put({now[i], messages});
            counts.recipients[i].put({now[i], taken.recipients});
        }
        if (company_.shares) count_untold(key_of(scope, who), counts, messages, taken.recipients);
    }
}

void Tally::take_back(const VolumeSender& sender, const Charge::Taken& taken, std::uint32_t messages) {
    changed_ = true;
    announced_.give_back(taken.announced, taken.recipients);
    for (const auto scope : all_scopes) {
        Counts* counts = find(scope, name_of(sender, scope));
        if (counts == nullptr || (!taken.announced.empty() && own(scope))) continue;
        for (std::size_t i = 0; i < periods.size(); ++i) {
            counts->messages[i].take_back(taken.at, periods[i], messages);
            counts->recipients[i].take_back(taken.at, periods[i], taken.recipients);
            if (auto* shared = counts->shared[i].get()) shared->take_back(messages);
            if (auto* shared = counts->shared[periods.size() + i].get()) shared->take_back(taken.recipients);
        }
        if (company_.shares) untold_.insert(key_of(scope, name_of(sender, scope)));
    }
}

bool Tally::expect(std::string_view who, std::uint64_t recipients, base::Time until,
                   std::uint64_t announced) {
    const std::lock_guard lock(mutex_);
    changed_ = true;
    return announced_.expect(base::lower(who), recipients, until, announced);
}

std::vector<Announced::Mailing> Tally::announced(base::Time now) {
    const std::lock_guard lock(mutex_);
    return announced_.all(now);
}

/// Who sent least in a day, and longest ago: invented names do not drive out who is watched.
void Tally::forget() {
    base::Time latest;
    for (const auto& [key, counts] : known_) latest = std::max(latest, counts.last);
    base::forget_oldest(
        known_, most_known, [](const Counts&) { return true; },
        [&](Counts& counts) {
            return std::pair(counts.recipients.back().sum(latest, periods.back()), counts.last);
        });
}

void Tally::forget(VolumeScope scope, const std::string& who) {
    const std::lock_guard lock(mutex_);
    known_.erase(key_of(scope, who));
    changed_ = true;
}

VolumeUsed Tally::used(VolumeScope scope, const std::string& who, base::Time now) {
    const std::lock_guard lock(mutex_);
    Counts* counts = find(scope, who);
    if (counts == nullptr) return {};
    VolumeUsed out{counts->recipients[1].sum(now, periods[1]), counts->recipients[2].sum(now, periods[2])};
    if (counts->elsewhere) {
        out.hour += (*counts->elsewhere)[0].sum(now, periods[1]);
        out.day += (*counts->elsewhere)[1].sum(now, periods[2]);
    }
    return out;
}

// ---- what is told

std::vector<VolumeView> Tally::views(std::string_view who, std::size_t most, base::Time now) {
    const std::string wanted = base::lower(who);
    std::vector<std::pair<double, VolumeView>> found;
    {
        const std::lock_guard lock(mutex_);
        for (auto& [key, counts] : known_) {
            VolumeView view;
            view.scope = static_cast<VolumeScope>(key.front() - '0');
            view.who = key.substr(1);
            if (!wanted.empty() && view.who != wanted) continue;
            const auto& limits = limits_of(view.scope, view.who);
            double share = 0;
            for (const Unit unit : {Unit::messages, Unit::recipients})
                for (std::size_t i = 0; i < periods.size(); ++i) {
                    auto& all = unit == Unit::messages ? counts.messages : counts.recipients;
                    VolumeView::Count count{unit, periods[i], all[i].sum(now, periods[i]), std::nullopt, 0};
                    const auto* shared = counts.shared[unit == Unit::messages ? i : periods.size() + i].get();
                    if (shared != nullptr)
                        count.elsewhere = shared->others(now, periods[i]);
                    else if (counts.elsewhere && unit == Unit::recipients && i > 0)
                        count.elsewhere = (*counts.elsewhere)[i - 1].sum(now, periods[i]);
                    count.used += count.elsewhere;
                    for (const auto& limit : limits)
                        if (limit.unit == unit && limit.period == periods[i])
                            count.limit = std::min(limit.count, count.limit.value_or(limit.count));
                    if (count.limit)
                        share = std::max(share,
                                         static_cast<double>(count.used) /
                                             static_cast<double>(std::max<std::uint64_t>(1, *count.limit)));
                    view.counts.push_back(count);
                }
            const std::uint64_t day = view.counts.back().used;
            if (day == 0 && wanted.empty()) continue;
            found.emplace_back(share + static_cast<double>(day) * 1e-12, std::move(view));
        }
    }
    std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) {
        return std::tuple(-a.first, a.second.scope, std::string_view(a.second.who)) <
               std::tuple(-b.first, b.second.scope, std::string_view(b.second.who));
    });
    std::vector<VolumeView> out;
    for (auto& [share, view] : found)
        if (out.size() < most) out.push_back(std::move(view));
    return out;
}

std::uint64_t Tally::refused() const {
    const std::lock_guard lock(mutex_);
    return refused_;
}

// ---- what is kept

std::optional<std::string> Tally::save() {
    std::vector<std::string> keys;
    std::string out;
    {
        const std::lock_guard lock(mutex_);
        if (!std::exchange(changed_, false)) return std::nullopt;
        keys.reserve(known_.size());
        for (const auto& [key, counts] : known_) keys.push_back(key);
        announced_.write(out);
    }
    for (std::size_t at = 0; at < keys.size();) {
        const std::lock_guard lock(mutex_);
        for (const std::size_t end = std::min(at + saved_at_once, keys.size()); at < end; ++at) {
            const auto found = known_.find(keys[at]);
            for (std::size_t i = 0; found != known_.end() && i < periods.size(); ++i) {
                write_counts(out, keys[at], 'm', i, found->second.messages[i]);
                write_counts(out, keys[at], 'r', i, found->second.recipients[i]);
            }
        }
    }
    return out;
}

void Tally::not_saved() {
    const std::lock_guard lock(mutex_);
    changed_ = true;
}

void Tally::restore(std::string_view text, base::Time now) {
    const std::lock_guard lock(mutex_);
    while (!text.empty()) {
        if (announced_.read(text.substr(0, text.find('\n')))) {
            text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);
            continue;
        }
        const auto line = read_counts(text);
        if (!line || line->period >= periods.size() || known_.size() > most_known) continue;
        Counts& counts = known_[line->key];
        auto& count = (line->unit == 'm' ? counts.messages : counts.recipients)[line->period];
        for (const auto& step : line->steps) {
            const auto seconds = periods[line->period] / static_cast<int>(SlidingCount::steps) * step.number;
            if (step.count == 0 || seconds > std::chrono::floor<std::chrono::seconds>(now.time_since_epoch()))
                continue;  // by a clock that was wrong
            const base::Time at(seconds);
            count.put(step);
            counts.last = std::max(counts.last, at);
        }
    }
}

}  // namespace postern::relay
