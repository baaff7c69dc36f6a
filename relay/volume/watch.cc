#include "relay/volume/watch.h"

#include <algorithm>
#include <cmath>

#include "relay/mail/encoded_words.h"
#include "sync/base/ascii.h"
#include "sync/base/forget_oldest.h"
#include "sync/base/utf8.h"

namespace postern::relay {

namespace {

constexpr std::chrono::seconds an_hour{3600}, a_day{86400};
constexpr std::chrono::hours lasts{1};  // an episode, at the least, since it was answered more strongly
constexpr std::chrono::hours slowed_most{24};    // what would wait longer is held
constexpr std::chrono::hours permitted_for{24};  // after a release
constexpr unsigned permitted_times = 2;          // what had come then
constexpr unsigned known_after = 5;              // days, before a sender's own ways say what is odd
constexpr std::size_t withheld_most = 48;        // hours
constexpr std::uint32_t strangers_few = 3;       // in an hour, that anybody may write to
constexpr int accounts_few = 4;                  // of a domain: fewer are no campaign
constexpr std::size_t accounts_most = 100;       // that are told apart
constexpr double fresh_young = 0.5;              // of who has no history, where many of a domain do the same
constexpr std::chrono::hours remembered{24 * 30};  // held mail that nobody decides about
constexpr double prior_most = 10;                  // of one sender's hour
constexpr std::size_t prior_senders = 2000;        // that the site's own is made of

const std::string& user_of(const VolumeSender& sender) {
    return sender.names[static_cast<std::size_t>(VolumeScope::user)];
}
const std::string& domain_of(const VolumeSender& sender) {
    return sender.names[static_cast<std::size_t>(VolumeScope::domain)];
}

base::Time hour_of(base::Time at) {
    return base::Time(std::chrono::floor<std::chrono::hours>(at.time_since_epoch()));
}

std::uint32_t all_of(const WatchedMail& mail) { return static_cast<std::uint32_t>(mail.recipients.size()); }

}  // namespace

void Watch::reload(const UnusualSettings& settings, bool enforce) {
    const std::lock_guard lock(mutex_);
    settings_ = settings;
    const bool before = enforce_;
    enforce_ = enforce && settings.mode == UnusualSettings::Mode::enforce;
    // What was only said does not count when it is done from now on.
    const bool anew = (enforce_ && !before) || settings.mode == UnusualSettings::Mode::off;
    if (anew && !episodes_.empty()) {
        episodes_.clear();
        urgent_ = true;
    }
}

// ---- what is usual, and what speaks against it

const History& Watch::history_of(const Histories& in, const std::string& who) const {
    static const History none;
    const auto found = in.find(who);
    return found == in.end() ? none : found->second;
}

bool Watch::learning(base::Time wall) const {
    return began_ == base::Time() || wall < began_ + settings_.learn;
}

UsualVolume Watch::usual_of(const std::string& user, const History& history, base::Time now,
                            base::Time wall) const {
    UsualVolume out = usual_volume(history, prior_, wall);
    if (const auto one = permitted_.find(user); one != permitted_.end() && now < one->second.until) {
        out.hour = std::max(out.hour, static_cast<double>(one->second.usual.hour));
        out.day = std::max(out.day, static_cast<double>(one->second.usual.day));
    }
    return out;
}

/// Of the last hour or day, whichever tells more; with what has just come.
VolumeEvidence Watch::evidence_of(const std::string& who, const History& history, std::uint32_t recipients,
                                  std::uint32_t fresh, base::Time now, base::Time wall) const {
    VolumeEvidence out;
    out.recipients = recipients;
    out.fresh = fresh;
    out.fresh_usual = history.days() < known_after ? 1 : history.fresh_share();
    out.odd_hour = history.days(wall) >= known_after && odd_hour(history, prior_, wall);
    const auto found = recent_.find(who);
    if (found == recent_.end()) return out;
    const Recent& recent = found->second;
    VolumeEvidence day = out;
    out.recipients += recent.hour.sum(now, an_hour);
    out.fresh += recent.hour_fresh.sum(now, an_hour);
    day.recipients += recent.day.sum(now, a_day);
    day.fresh += recent.day_fresh.sum(now, a_day);
    if (points_of(day) > points_of(out)) out = day;
    out.answered = recent.answered.sum(now, a_day);
    out.unknown = recent.unknown.sum(now, a_day);
    out.spam = recent.spam.sum(now, a_day);
    out.named = now < recent.named_until;
    if (out.named) out.named_by = recent.named_by;
    return out;
}

/// Through many accounts of a domain little each may be sent.
bool Watch::domain_unusual(const VolumeSender& sender, std::uint32_t fresh, base::Time now,
                           base::Time wall) const {
    const std::string& domain = domain_of(sender);
    const auto found = recent_.find(domain);
    const std::uint64_t before = found == recent_.end() ? 0 : found->second.hour_fresh.sum(now, an_hour);
    const History& history = history_of(domains_, domain);
    if (history.days() < known_after || found == recent_.end()) return false;
    if (!many_strangers(history, before + fresh, wall)) return false;
    const auto& users = found->second.strangers;
    return std::count_if(users.begin(), users.end(),
                         [now](const auto& one) { return now < one.second + an_hour; }) >= accounts_few;
}

VolumeJudgement Watch::judge_now(const VolumeSender& sender, std::uint32_t recipients, std::uint32_t fresh,
                                 base::Time now, base::Time wall, UsualVolume& usual) const {
    const std::string& user = user_of(sender);
    const History& history = history_of(users_, user);
    usual = usual_of(user, history, now, wall);
    const VolumeUsed used = tally_.used(VolumeScope::user, user, now);
    VolumeEvidence evidence = evidence_of(user, history, recipients, fresh, now, wall);
    evidence.domain = domain_unusual(sender, fresh, now, wall);
    if (evidence.domain && history.days() < known_after) evidence.fresh_usual = fresh_young;
    VolumeJudgement out = judge_volume(usual, used, evidence);
    if (learning(wall)) out.level = std::min(out.level, VolumeLevel::noted);
    return out;
}

std::uint32_t Watch::fresh_of(const WatchedMail& mail) const {
    std::uint32_t out = 0;
    for (const auto recipient : mail.recipients)
        if (!acquaintances_.know(Acquaintances::pair(user_of(mail.sender), recipient))) ++out;
    return out;
}

// ---- a message

VolumeAnswer Watch::judge(const WatchedMail& mail, base::Time now, base::Time wall) {
    const std::lock_guard lock(mutex_);
    VolumeAnswer out;
    const std::string& user = user_of(mail.sender);
    if (settings_.mode == UnusualSettings::Mode::off || user.empty() || mail.recipients.empty()) return out;
    // A clock that was ahead must not keep anybody from being watched.
    if (began_ == base::Time() || wall < began_) {
        began_ = wall;
        urgent_ = true;
    }
    if (mail.announced >= all_of(mail)) return out;
    UsualVolume usual;
    auto judged = judge_now(mail.sender, all_of(mail), fresh_of(mail), now, wall, usual);
    auto found = episodes_.find(user);
    if (judged.level == VolumeLevel::usual && found == episodes_.end()) return out;
    if (found == episodes_.end()) {
        found = episodes_.emplace(user, Episode()).first;
        found->second.since = found->second.raised = now;
        found->second.level = VolumeLevel::usual;
    }
    Episode& episode = found->second;
    out.level = std::max(episode.level, judged.level);
    if (out.level >= VolumeLevel::slowed) {
        out.takes = std::chrono::duration_cast<base::Time::duration>(
            std::chrono::duration<double, std::ratio<3600>>(all_of(mail) / judged.pace));
        out.until = std::max(episode.next, now) + out.takes;
        if (out.level == VolumeLevel::slowed && out.until - now > slowed_most) {
            out.level = VolumeLevel::held;
            judged.why = (judged.why.empty() ? episode.why : judged.why) +
                         "; what is slowed down would wait for more than a day";
        }
    }
    if (!judged.why.empty() && judged.level >= episode.level) episode.why = judged.why;
    if (out.level > episode.level) {
        if (judged.why.empty()) judged.why = episode.why;
        episode.why = judged.why;
        episode.level = out.level;
        episode.raised = now;
        out.change = VolumeChange{user, out.level, !enforce_, episode.why};
        urgent_ = true;
        if (tells_ && enforce_) news_.unusual({user, out.level, episode.why, wall});
    }
    episode.usual = usual;
    out.why = episode.why;
    if (!enforce_) out.level = std::min(out.level, VolumeLevel::noted);
    // Who is judged beside it comes behind it.
    if (out.level == VolumeLevel::slowed) episode.next = out.until;
    base::forget_oldest(
        episodes_, most_episodes, [](const Episode&) { return true; },
        [](const Episode& one) { return std::pair(one.level, one.recipients); });
    return out;
}

void Watch::accepted(const WatchedMail& mail, const VolumeAnswer& answer, base::Time now, base::Time wall) {
    const std::lock_guard lock(mutex_);
    const std::string& user = user_of(mail.sender);
    if (user.empty() || mail.recipients.empty()) return;
    if (settings_.mode == UnusualSettings::Mode::off) {
        // Others may go by it, and what is announced is spent.
        if (tells_) news_.sent(user, mail.recipients, mail.announced, true, {});
        return;
    }
    std::uint32_t fresh = 0;
    for (const auto recipient : mail.recipients)
        if (!acquaintances_.meet(Acquaintances::pair(user, recipient))) ++fresh;
    const auto found = episodes_.find(user);
    const bool learnt = !enforce_ || found == episodes_.end() || found->second.level < VolumeLevel::slowed;
    if (found != episodes_.end()) {
        Episode& episode = found->second;
        episode.recipients += mail.recipients.size();
        if (answer.level == VolumeLevel::slowed) ++episode.slowed;
        if (answer.level == VolumeLevel::held) ++episode.held;
        if (episode.subjects.size() < Episode::most_samples) {
            std::string subject = base::shown(decoded_words(mail.subject), Episode::sample_octets);
            if (std::find(episode.subjects.begin(), episode.subjects.end(), subject) ==
                episode.subjects.end())
                episode.subjects.push_back(std::move(subject));
        }
        if (!learnt) withhold(episode, user, all_of(mail), wall);
        urgent_ = true;
    }
    if (tells_)
        news_.sent(user, mail.recipients, mail.announced, learnt,
                   std::chrono::ceil<std::chrono::milliseconds>(
                       answer.level == VolumeLevel::slowed ? answer.takes : base::Time::duration{}));
    count(mail, fresh, learnt, now, wall);
}

/// It is not learnt, unless an administrator releases it.
void Watch::withhold(Episode& episode, const std::string& user, std::uint32_t recipients, base::Time wall) {
    auto& hours = episode.withheld;
    if (hours.empty() || hours.back().first != hour_of(wall)) hours.emplace_back(hour_of(wall), 0);
    hours.back().second += recipients + users_[user].disregard(wall);
    if (hours.size() > withheld_most) hours.erase(hours.begin());
}

void Watch::not_accepted(const WatchedMail& mail, const VolumeAnswer& answer) {
    const std::lock_guard lock(mutex_);
    const auto found = episodes_.find(user_of(mail.sender));
    if (found != episodes_.end() && answer.level == VolumeLevel::slowed) found->second.next -= answer.takes;
}

void Watch::count(const WatchedMail& mail, std::uint32_t fresh, bool learnt, base::Time now,
                  base::Time wall) {
    const std::string& user = user_of(mail.sender);
    const std::uint32_t all = all_of(mail);
    changed_ = met_ = true;
    for (const auto& [histories, who] :
         {std::pair(&users_, &user), std::pair(&domains_, &domain_of(mail.sender))}) {
        Recent& recent = recent_[*who];
        // What was announced is known to be as it is; and what does not leave tells nothing of the domain.
        const std::uint32_t counted = all - std::min(all, mail.announced);
        const std::uint32_t strangers = std::min(fresh, counted);
        const bool domain = histories == &domains_;
        if (counted > 0 && (learnt || !domain)) {
            recent.hour.add(now, an_hour, counted);
            recent.day.add(now, a_day, counted);
            if (strangers > 0) {
                recent.hour_fresh.add(now, an_hour, strangers);
                recent.day_fresh.add(now, a_day, strangers);
            }
            if (domain && strangers > 0 && recent_[user].hour_fresh.sum(now, an_hour) >= strangers_few) {
                recent.strangers[user] = now;
                if (recent.strangers.size() > accounts_most + accounts_most / 4)
                    base::forget_oldest(
                        recent.strangers, accounts_most, [](base::Time) { return true; },
                        [](base::Time last) { return last; });
            }
        }
        History& history = (*histories)[*who];
        if (!learning(wall)) history.be_careful();
        if (!learnt) continue;
        history.add(wall, all, mail.announced >= all);
        history.see_fresh(all, fresh);
    }
    if (users_.size() + domains_.size() > 2 * (most_known + most_known / 10) ||
        recent_.size() > 2 * (most_known + most_known / 10))
        forget(now);
}

/// Who has no history to speak of goes first: invented names do not drive out who is known.
void Watch::forget(base::Time now) {
    for (auto* histories : {&users_, &domains_})
        base::forget_oldest(
            *histories, most_known, [](const History&) { return true; },
            [](const History& one) { return std::pair(one.days(), one.last()); });
    base::forget_oldest(
        recent_, 2 * most_known, [](const Recent&) { return true; },
        [now](const Recent& one) { return one.day.sum(now, a_day); });
}

std::string Watch::refuses(const VolumeSender& sender) const {
    const std::lock_guard lock(mutex_);
    const auto found = episodes_.find(user_of(sender));
    if (!enforce_ || found == episodes_.end()) return {};
    const Episode& episode = found->second;
    if (episode.level < VolumeLevel::held || episode.held < held_most) return {};
    return std::to_string(episode.held) + " messages of it are held already: " + episode.why;
}

void Watch::answered(std::string_view sender, ReceiverSays says, const Reply& reply, base::Time now) {
    const std::lock_guard lock(mutex_);
    if (settings_.mode == UnusualSettings::Mode::off) return;
    const std::size_t at = sender.rfind('@');
    if (at == std::string_view::npos) return;
    AnsweredElsewhere one{user_named(sender.substr(0, at), sender.substr(at + 1)),
                          1,
                          says == ReceiverSays::unknown ? 1U : 0U,
                          says == ReceiverSays::spam ? 1U : 0U,
                          {}};
    if (says != ReceiverSays::taken && names_account(reply, sender))
        one.named_by = base::shown(reply.line(), 200);
    take_answers(one, now);
    if (tells_) news_.answered(one.user, says, std::move(one.named_by));
}

void Watch::take_answers(const AnsweredElsewhere& some, base::Time now) {
    const auto found = recent_.find(some.user);
    if (found == recent_.end()) return;
    Recent& recent = found->second;
    recent.answered.add(now, a_day, some.answered);
    if (some.unknown > 0) recent.unknown.add(now, a_day, some.unknown);
    if (some.spam > 0) recent.spam.add(now, a_day, some.spam);
    if (!some.named_by.empty()) {
        recent.named_by = some.named_by;
        recent.named_until = now + a_day;
    }
}

// ---- the end of it

std::vector<VolumeChange> Watch::look(base::Time now, base::Time wall) {
    const std::lock_guard lock(mutex_);
    std::vector<VolumeChange> out;
    for (auto at = episodes_.begin(); at != episodes_.end();) {
        Episode& episode = at->second;
        const std::size_t sign = at->first.rfind('@');
        const VolumeSender sender(at->first.substr(0, sign), at->first.substr(sign + 1), {});
        UsualVolume usual;
        const bool over = now >= episode.raised + lasts && now >= episode.next &&
                          judge_now(sender, 0, 0, now, wall, usual).level == VolumeLevel::usual;
        const bool kept = episode.held > 0 && now < episode.since + remembered;
        if (!over || (kept && episode.level == VolumeLevel::noted)) {
            ++at;
            continue;
        }
        out.push_back({at->first, VolumeLevel::usual, !enforce_, {}});
        // New mail passes again; what is held waits for somebody who decides, and is shown until then.
        if (kept)
            (at++)->second.level = VolumeLevel::noted;
        else
            at = episodes_.erase(at);
        urgent_ = true;
    }
    std::erase_if(decided_, [now](const auto& one) { return now >= one.second.at + a_day; });
    std::erase_if(permitted_, [now](const auto& one) { return now >= one.second.until; });
    if (now - prior_learnt_ > an_hour || now < prior_learnt_) {
        prior_learnt_ = now;
        learn_prior();
        std::erase_if(recent_, [now](const auto& one) {
            return one.second.day.sum(now, a_day) == 0 && one.second.answered.sum(now, a_day) == 0;
        });
    }
    return out;
}

/// The mean of those that have a history.
void Watch::learn_prior() {
    History::Means sums{};
    double senders = 0;
    for (auto one = users_.begin(); one != users_.end() && senders < prior_senders; ++one) {
        if (one->second.days() < known_after) continue;
        one->second.add_to(sums, prior_most);
        ++senders;
    }
    for (auto& kind : sums)
        for (auto& mean : kind) mean /= std::max(1.0, senders);
    prior_ = History::of_means(sums);
}

/// Whether there is something it is about.
bool Watch::decide(const std::string& user, bool released, base::Time now, base::Time decided) {
    if (decided == base::Time()) decided = now;
    const auto found = episodes_.find(user);
    const bool meant = found != episodes_.end() && found->second.raised <= decided;
    auto& last = decided_[user];
    if (decided > last.at) last = {user, decided, released};
    base::forget_oldest(
        decided_, most_episodes, [](const VolumeDecision&) { return true; },
        [](const VolumeDecision& one) { return one.at; });
    urgent_ = true;
    return meant;
}

bool Watch::release(const std::string& user, base::Time now, base::Time decided) {
    const std::lock_guard lock(mutex_);
    if (!decide(user, true, now, decided)) return false;
    const auto found = episodes_.find(user);
    const Episode& episode = found->second;
    VolumeUsed used = tally_.used(VolumeScope::user, user, now);
    for (auto* history : {&users_[user], &domains_[user.substr(user.rfind('@') + 1)]})
        for (const auto& [hour, recipients] : episode.withheld) history->learn(hour, recipients);
    for (const auto& [hour, recipients] : episode.withheld)
        used.hour = std::max<std::uint64_t>(used.hour, recipients);
    used.day = std::max(used.day, episode.recipients);
    used.hour *= permitted_times;
    used.day *= permitted_times;
    permitted_[user] = Permission{now + permitted_for, used};
    recent_.erase(user);
    episodes_.erase(found);
    changed_ = urgent_ = true;
    return true;
}

bool Watch::drop(const std::string& user, base::Time now, base::Time decided) {
    const std::lock_guard lock(mutex_);
    // Whoever gives no time means whatever there is.
    if (!decide(user, false, now == base::Time() ? base::Time::max() : now, decided)) return false;
    const auto found = episodes_.find(user);
    // Whoever has the account back begins anew: only the thief's mail counted.
    tally_.forget(VolumeScope::user, user);
    recent_.erase(user);
    episodes_.erase(found);
    urgent_ = true;
    return true;
}

// ---- what is told

std::vector<EpisodeView> Watch::views(base::Time now) const {
    const std::lock_guard lock(mutex_);
    std::vector<EpisodeView> out;
    for (const auto& [who, one] : episodes_)
        out.push_back({who, one.level, !enforce_, one.since, std::max(one.next, now), one.recipients,
                       one.slowed, one.held, one.usual, one.why, one.subjects});
    std::sort(out.begin(), out.end(), [](const EpisodeView& a, const EpisodeView& b) {
        return std::tuple(-static_cast<int>(a.level), a.since, std::string_view(a.who)) <
               std::tuple(-static_cast<int>(b.level), b.since, std::string_view(b.who));
    });
    return out;
}

Watch::Usual Watch::usual(const VolumeSender& sender, base::Time now, base::Time wall) const {
    const std::lock_guard lock(mutex_);
    const std::string& user = user_of(sender);
    const History& history = history_of(users_, user);
    Usual out;
    out.volume = usual_of(user, history, now, wall);
    out.used = tally_.used(VolumeScope::user, user, now);
    out.days = history.days();
    out.learning = learning(wall);
    if (const auto found = episodes_.find(user); found != episodes_.end()) out.level = found->second.level;
    return out;
}

std::string in_words(const Watch::Usual& usual) {
    std::string out = std::to_string(usual.used.hour) + " recipients in the last hour and " +
                      std::to_string(usual.used.day) + " in the last day, where up to " +
                      std::to_string(std::lround(usual.volume.hour)) + " and " +
                      std::to_string(std::lround(usual.volume.day)) + " are usual (" +
                      std::to_string(usual.days) + " days known)";
    if (usual.level != VolumeLevel::usual) out += ": " + std::string(text_of(usual.level));
    if (usual.learning) out += "; the site is new, and only watched so far";
    return out;
}

base::Time Watch::learning_until(base::Time wall) const {
    const std::lock_guard lock(mutex_);
    if (settings_.mode == UnusualSettings::Mode::off || !learning(wall)) return {};
    return (began_ == base::Time() ? wall : began_) + settings_.learn;
}

bool Watch::suspect(std::string_view user) const {
    const std::lock_guard lock(mutex_);
    const auto found = episodes_.find(std::string(user));
    return enforce_ && found != episodes_.end() && found->second.level >= VolumeLevel::slowed;
}

}  // namespace postern::relay
