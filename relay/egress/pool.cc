#include "relay/egress/pool.h"

#include <algorithm>

#include "sync/base/ascii.h"
#include "sync/base/ip_address.h"

namespace postern::relay {
namespace {

constexpr std::chrono::minutes look_again{15};  // when nothing but an operator can change it
constexpr std::chrono::minutes counts_unsaved{1};

/// Stable over builds and machines: a sender domain keeps its address after an upgrade.
std::uint64_t weight(std::string_view domain, std::string_view address) {
    std::uint64_t hash = 0xcbf29ce484222325;
    const auto add = [&](char c) {
        hash = (hash ^ static_cast<unsigned char>(base::lower(c))) * 0x100000001b3;
    };
    for (const char c : domain) add(c);
    add('\0');
    for (const char c : address) add(c);
    hash = (hash ^ hash >> 30) * 0xbf58476d1ce4e5b9;
    hash = (hash ^ hash >> 27) * 0x94d049bb133111eb;
    return hash ^ hash >> 31;
}

std::string name_of(std::string_view address) {
    return address.empty() ? "the system's choice" : std::string(address);
}

std::string where(const EgressVerdict& verdict) {
    if (verdict.site.empty()) return "everywhere";
    return verdict.site.front() == '@' ? "for mail to " + verdict.site.substr(1) : "there";
}

std::string words(const AddressHistory::WarmUpDay& warm_up, bool spent, bool held_back) {
    if (held_back) return "is held back in its warm-up: much of its mail there was put off today";
    return (spent ? "has used its allowance of " : "may send ") + std::to_string(warm_up.allowance) +
           " messages on day " + std::to_string(warm_up.day) + " of its warm-up";
}

std::string_view words(Rotation rotation) {
    switch (rotation) {
        case Rotation::on_listing: return "first of the addresses that can be used";
        case Rotation::round_robin: return "its turn among the addresses that can be used";
        case Rotation::per_domain: return "the sender domain's among the addresses that can be used";
    }
    return "";
}

/// nullptr: it is none of the pool.
const EgressSettings* configured(const Settings& settings, std::string_view address) {
    const auto& pool = settings.egress;
    const auto found =
        std::find_if(pool.begin(), pool.end(), [&](const auto& egress) { return egress.address == address; });
    return found == pool.end() ? nullptr : &*found;
}

}  // namespace

EgressPool::EgressPool(SettingsPtr settings, std::string_view state, Time now) {
    auto saved = decode_egress_state(state);
    history_.load(std::move(saved.addresses), now);
    verdicts_.load(std::move(saved.verdicts), now);
    receivers_.load(std::move(saved.receivers));
    saved_at_ = now;
    reload(std::move(settings), now);
}

void EgressPool::reload(SettingsPtr settings, Time now) {
    clock_ = now;
    settings_ = std::move(settings);
    verdicts_.notice(now);
    verdicts_.keep_zones(settings_->delivery.blocklists);
    history_.use(settings_->egress, now);
    std::erase_if(turns_, [&](const auto& turn) { return !in_use(turn.first); });
    absent_.clear();
}

bool EgressPool::in_use(std::string_view address) const {
    return std::any_of(settings_->egress.begin(), settings_->egress.end(),
                       [&](const auto& egress) { return egress.address == address; });
}

std::vector<EgressPool::Candidate> EgressPool::candidates(const SitePart& place, bool suspect,
                                                          Families families, Time now) const {
    std::vector<Candidate> found;
    for (const auto& egress : settings_->egress) {
        if (!(base::is_v6_literal(egress.address) ? families.six : families.four)) continue;  // 1
        if ((egress.address == settings_->delivery.suspects) != suspect) continue;
        Candidate candidate;
        candidate.source = {egress.address, egress.hostname.empty() ? settings_->hostname : egress.hostname};
        candidate.finding = verdicts_.find(egress.address, place, now);
        candidate.warm_up = warm_up(egress, place.site, now);
        candidate.suspended = egress.suspended;
        candidate.absent = is_absent(egress.address, now);
        candidate.held_back = candidate.warm_up && receivers_.held_back(egress.address, place.site, now);
        candidate.spent = spent(egress.address, place.site, now);
        found.push_back(std::move(candidate));
    }
    if (found.empty())  // 2
        found.push_back({{"", settings_->hostname},
                         verdicts_.find("", place, now),
                         std::nullopt,
                         false,
                         false,
                         false,
                         false});
    return found;
}

void EgressPool::put_in_order(std::vector<Candidate>& candidates, std::string_view sender_domain) const {
    const auto by = [&](auto key) {
        std::stable_sort(candidates.begin(), candidates.end(),
                         [&](const Candidate& a, const Candidate& b) { return key(a) < key(b); });
    };
    switch (settings_->delivery.rotation) {
        // One that warms up would otherwise stay cold behind the leader until the day it is needed.
        case Rotation::on_listing: by([](const Candidate& one) { return !one.warm_up; }); return;
        case Rotation::round_robin:
            by([&](const Candidate& one) {
                const auto at = turns_.find(one.source.address);
                return at == turns_.end() ? 0 : at->second;
            });
            return;
        case Rotation::per_domain:
            by([&](const Candidate& one) { return ~weight(sender_domain, one.source.address); });
            return;
    }
}

EgressPool::Choice EgressPool::preview(const SitePart& place, MailOf sender, Families families, Time now,
                                       std::string_view except) const {
    // The numbers are those of the rules at choose().
    using Standing = Verdicts::Standing;
    const bool suspect = sender.suspect && !settings_->delivery.suspects.empty();
    auto pool = candidates(place, suspect, families, now);  // 1, 2
    if (suspect && pool.front().source.address.empty()) pool = candidates(place, false, families, now);
    if (!except.empty() && pool.size() > 1)  // 3
        std::erase_if(pool, [&](const Candidate& one) { return one.source.address == except; });
    put_in_order(pool, sender.domain);                                                                 // 4
    std::stable_partition(pool.begin(), pool.end(), [](const Candidate& one) { return !one.spent; });  // 5
    const Candidate* chosen = nullptr;
    const auto better = [](const Candidate& one, const Candidate& than) {  // 8
        if (one.spent != than.spent) return !one.spent;
        const bool clear = one.finding.standing == Standing::clear;
        if (clear != (than.finding.standing == Standing::clear)) return clear;
        return one.spent && one.warm_up->allowance > than.warm_up->allowance;
    };
    for (const auto& one : pool) {
        if (one.suspended || one.absent || one.finding.standing == Standing::listed) continue;  // 6
        const bool ready = one.finding.standing == Standing::clear || one.finding.probe_due;
        if (ready && !one.spent) {  // 7
            chosen = &one;
            break;
        }
        if (!chosen || better(one, *chosen)) chosen = &one;  // 8
    }
    if (!chosen && !except.empty()) return preview(place, sender, families, now);  // 3
    if (!chosen) return wait(pool, now);                                           // 9

    Choice choice;
    choice.source = chosen->source;
    choice.probe = chosen->finding.standing == Standing::probation;
    if (chosen->source.address.empty())
        choice.why = settings_->egress.empty()
                         ? "the system's choice: no [[egress]] is configured"
                         : "the system's choice: no [[egress]] has the site's address family";
    else
        choice.why = suspect ? "delivery.suspects: its sender's volume is unusual"
                             : words(settings_->delivery.rotation);
    if (chosen->warm_up) choice.why += "; it " + words(*chosen->warm_up, chosen->spent, chosen->held_back);
    if (chosen->spent) choice.why += ", as has every other address that could be used";
    if (choice.probe)
        choice.why += "; on probation after " + chosen->finding.verdict->by +
                      ", so one message a minute while another address can be used";
    return choice;
}

EgressPool::Choice EgressPool::choose(const SitePart& place, MailOf sender, Families families, Time now,
                                      std::string_view except) {
    clock_ = now;
    verdicts_.notice(now);
    auto choice = preview(place, sender, families, now, except);
    if (!choice.source) return choice;
    if (choice.probe) verdicts_.probed(choice.source->address, place, now);
    if (settings_->delivery.rotation == Rotation::round_robin && !choice.source->address.empty())
        turns_[choice.source->address] = ++turn_;
    return choice;
}

EgressPool::Choice EgressPool::wait(const std::vector<Candidate>& candidates, Time now) const {
    Choice choice;
    choice.again = now > Time::max() - look_again ? Time::max() : now + look_again;
    bool known = false;
    for (const auto& one : candidates) {
        choice.why += (choice.why.empty() ? "no address can be used: " : "; ") + name_of(one.source.address);
        if (one.suspended || one.absent) {
            choice.why += one.suspended ? " is suspended" : " is not an address of this machine";
            continue;
        }
        const auto& verdict = *one.finding.verdict;
        choice.why += std::string(" is refused ") + where(verdict) + " (" + verdict.by + ")";
        choice.again = known ? std::min(choice.again, verdict.until) : verdict.until;
        known = true;
    }
    return choice;
}

bool EgressPool::usable(const std::string& source, const SitePart& place, Time now) const {
    if (verdicts_.find(source, place, now).standing == Verdicts::Standing::listed) return false;
    if (source.empty()) return true;
    const auto& pool = settings_->egress;
    return std::any_of(pool.begin(), pool.end(), [&](const auto& egress) {
        return egress.address == source && !egress.suspended && !is_absent(source, now);
    });
}

void EgressPool::absent(const std::string& source, Time until) { absent_[source] = until; }

bool EgressPool::is_absent(std::string_view source, Time now) const {
    auto found = absent_.find(source);
    return found != absent_.end() && found->second > now;
}

/// What the plan says of the address's day is the most: a receiver that has not had as many good days with it
/// gets less.
std::optional<AddressHistory::WarmUpDay> EgressPool::warm_up(const EgressSettings& egress,
                                                             std::string_view site, Time now) const {
    const auto& plan = settings_->delivery.warm_up;
    auto out = history_.warm_up(egress, plan, now);
    if (!out) return out;
    const std::size_t step = receivers_.step(egress.address, site, now);
    if (step < plan.size()) out->allowance = std::min<std::uint64_t>(out->allowance, plan[step]);
    return out;
}

bool EgressPool::spent(std::string_view source, Time now) const {
    const auto* egress = configured(*settings_, source);
    const auto warm_up =
        egress == nullptr ? std::nullopt : history_.warm_up(*egress, settings_->delivery.warm_up, now);
    return warm_up && history_.sent_today(source, now) >= warm_up->allowance;
}

bool EgressPool::spent(std::string_view source, std::string_view site, Time now) const {
    if (spent(source, now)) return true;
    const auto* egress = configured(*settings_, source);
    const auto there = egress == nullptr ? std::nullopt : warm_up(*egress, site, now);
    return there && (receivers_.taken_today(egress->address, site, now) >= there->allowance ||
                     receivers_.held_back(egress->address, site, now));
}

bool EgressPool::another_remains(const std::string& source, Time now) const {
    const auto& pool = settings_->egress;
    return std::any_of(pool.begin(), pool.end(), [&](const auto& egress) {
        return egress.address != source && egress.address != settings_->delivery.suspects &&
               base::is_v6_literal(egress.address) == base::is_v6_literal(source) && !egress.suspended &&
               !is_absent(egress.address, now) && !spent(egress.address, now) &&
               verdicts_.find(egress.address, "", now).standing == Verdicts::Standing::clear;
    });
}

std::optional<EgressPool::Verdict> EgressPool::refused(const std::string& source, const Refuser& who,
                                                       const Judgement& judgement, const Reply& reply,
                                                       Time now) {
    clock_ = now;
    if (judgement.meaning != ReplyMeaning::listed && judgement.meaning != ReplyMeaning::listed_everywhere)
        return std::nullopt;
    Verdict verdict;
    verdict.address = source;
    verdict.site = who.place.site;
    verdict.by = judgement.rule.empty() ? "reply" : "reply " + judgement.rule;
    verdict.text = reply.line();
    if (judgement.meaning == ReplyMeaning::listed_everywhere) {
        verdict.witness = who.witness;
        const auto second = who.witness.empty() ? "" : verdicts_.second_witness(source, who.witness, now);
        if (!second.empty() && another_remains(source, now) &&
            !verdicts_.spoke_against_another(who.witness, source)) {
            verdict.site.clear();
            verdict.witness += ' ' + second;
        }
    }
    if (!verdict.site.empty() && !who.place.domain.empty() &&
        !verdicts_.refused_another(source, who.place, now)) {
        verdict.at = who.place.site;
        verdict.site = who.place.domain;
    }
    const bool ruled = judgement.hold > std::chrono::seconds(0);
    return verdicts_.refuse(std::move(verdict), ruled ? judgement.hold : settings_->delivery.listed_for, now);
}

std::optional<EgressPool::Verdict> EgressPool::compared(const std::string& source, std::string_view site,
                                                        const Reply& reply, Time now) {
    clock_ = now;
    Verdict verdict;
    verdict.address = source;
    verdict.site = site;
    verdict.by = "comparison";
    verdict.text = reply.line();
    return verdicts_.refuse(std::move(verdict), settings_->delivery.listed_for, now);
}

std::vector<EgressPool::Verdict> EgressPool::accepted(const std::string& source, const SitePart& place,
                                                      Time now) {
    clock_ = now;
    history_.count(source, now);
    if (const auto* egress = configured(*settings_, source); egress != nullptr) {
        if (history_.warm_up(*egress, settings_->delivery.warm_up, now))
            receivers_.took(source, place.site, now);
        else
            receivers_.forget(source);
    }
    return verdicts_.accept(source, place, now);
}

void EgressPool::put_off(const std::string& source, const SitePart& place, Time now) {
    const auto* egress = configured(*settings_, source);
    if (egress != nullptr && history_.warm_up(*egress, settings_->delivery.warm_up, now))
        receivers_.put_off(source, place.site, now);
}

EgressPool::Change EgressPool::blocklisted(const std::string& source,
                                           const std::map<std::string, std::string>& text,
                                           const std::set<std::string>& checked, Time now) {
    clock_ = now;
    Change change;
    const auto& delivery = settings_->delivery;
    const auto hold = std::max(delivery.listed_for, 3 * delivery.blocklist_every);
    for (const auto& [zone, said] : text) {
        Verdict verdict;
        verdict.address = source;
        verdict.zone = zone;
        verdict.by = "blocklist " + zone;
        verdict.text = said;
        if (auto news = verdicts_.confirm(std::move(verdict), hold, now))
            change.listed.push_back(std::move(*news));
    }
    for (const auto& zone : checked)
        if (!text.contains(zone))
            if (auto over = verdicts_.withdraw(source, zone)) change.unlisted.push_back(std::move(*over));
    return change;
}

bool EgressPool::forget(const std::string& source, std::string_view site) {
    // A domain's may be told without its mark.
    return verdicts_.drop(source, site) || (!site.empty() && verdicts_.drop(source, '@' + std::string(site)));
}

EgressView EgressPool::view(const Source& source, const EgressSettings* egress, Time now) const {
    EgressView view;
    view.address = source.address;
    view.hostname = source.hostname;
    view.sent_today = history_.sent_today(source.address, now);
    if (egress) {
        view.suspended = egress->suspended;
        if (const auto warm_up = history_.warm_up(*egress, settings_->delivery.warm_up, now)) {
            view.allowance = warm_up->allowance;
            view.warm_up_day = warm_up->day;
            view.held_back = receivers_.holding_back(source.address, now);
        }
    }
    for (const auto& verdict : verdicts_.of(source.address))
        view.listings.push_back(
            {verdict.site, verdict.by, verdict.text, verdict.since, verdict.until, !verdict.holds(now)});
    return view;
}

std::vector<EgressView> EgressPool::views(Time now) const {
    std::vector<EgressView> views;
    for (const auto& egress : settings_->egress)
        views.push_back(view(
            {egress.address, egress.hostname.empty() ? settings_->hostname : egress.hostname}, &egress, now));
    auto system = view({"", settings_->hostname}, nullptr, now);
    if (views.empty() || system.sent_today > 0 || !system.listings.empty())
        views.push_back(std::move(system));
    return views;
}

std::string EgressPool::save() {
    saved_revision_ = verdicts_.revision() + history_.revision();
    saved_count_ = history_.counted();
    saved_at_ = clock_;
    return encode_egress_state(state());
}

std::uint64_t EgressPool::version() const {
    return verdicts_.revision() + history_.revision() + history_.counted();
}

void EgressPool::learn(EgressState known, EgressState over, Time now) {
    for (auto& verdict : known.verdicts) verdicts_.learn(std::move(verdict), false, now);
    for (auto& verdict : over.verdicts) verdicts_.learn(std::move(verdict), true, now);
    for (const auto& [address, record] : known.addresses) history_.learn(address, record, now);
    for (const auto& [key, step] : known.receivers)
        if (in_use(key.first)) receivers_.learn(key, step, now);
}

bool EgressPool::changed(Time now) const {
    if (verdicts_.revision() + history_.revision() != saved_revision_) return true;
    return history_.counted() != saved_count_ && (now < saved_at_ || now - saved_at_ >= counts_unsaved);
}

}  // namespace postern::relay
