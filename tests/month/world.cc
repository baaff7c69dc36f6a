#include "tests/month/world.h"

#include <map>
#include <queue>
#include <set>

#include "relay/volume/tally.h"
#include "relay/volume/watch.h"
#include "sync/base/time_text.h"
#include "tests/month/attacks.h"
#include "tests/month/site.h"

namespace month {

namespace {

using namespace postern::relay;

constexpr std::chrono::seconds answered_after{20}, look_every{300};

/// Somebody looks an hour later in office hours, else when the office opens.
Time reaction(Time told) {
    const auto since = std::chrono::duration_cast<std::chrono::minutes>(told - begin).count();
    const auto day = since >= 0 ? since / 1440 : (since - 1439) / 1440;
    const double hour = static_cast<double>(since - day * 1440) / 60;
    const bool weekend = ((day % 7) + 7) % 7 >= 5;
    if (!weekend && hour >= 7 && hour < 17) return told + std::chrono::hours(1);
    auto next = hour < 7 ? day : day + 1;
    while (((next % 7) + 7) % 7 >= 5) ++next;
    return at(static_cast<int>(next), 8);
}

struct Leaving {
    Time at;
    std::size_t user = 0;
    int attack = -1;
    Time handed_in;
    std::vector<Recipient> to;
    bool operator>(const Leaving& other) const { return at > other.at; }
};

class World {
public:
    World(const Policy& policy, std::uint64_t seed)
        : policy_(policy), random_(seed), users_(make_site(random_)), attacks_(make_attacks(users_)) {
        LimitSettings limits;
        if (policy.an_hour > 0)
            limits.user = {{VolumeLimit::Unit::recipients, policy.an_hour, std::chrono::hours(1)}};
        tally_.reload(limits);
        UnusualSettings unusual;
        if (!policy.watch) unusual.mode = UnusualSettings::Mode::off;
        watch_.reload(unusual, true);
        for (const auto& attack : attacks_) out_.stolen.push_back({attack.name, 0, 0, 0, {}, false});
        begun_.resize(attacks_.size());
        closed_.resize(attacks_.size());
    }

    Outcome live() {
        for (int day = -learnt; day < days; ++day) live_a_day(day);
        deliver_until(at(days + 3, 0));
        return std::move(out_);
    }

private:
    void live_a_day(int day) {
        for (auto& user : users_) announce(user, day);
        auto mails = honest_day(users_, day, random_, stranger_);
        for (std::size_t i = 0; i < attacks_.size(); ++i)
            for (auto& mail : attack_day(attacks_[i], static_cast<int>(i), users_, day, random_, stranger_))
                mails.push_back(std::move(mail));
        std::stable_sort(mails.begin(), mails.end(),
                         [](const Mail& a, const Mail& b) { return a.at < b.at; });
        std::set<std::size_t> senders;
        for (const auto& mail : mails) {
            deliver_until(mail.at);
            if (mail.at >= looked_ + look_every) {
                looked_ = mail.at;
                watch_.look(mail.at, mail.at);
            }
            if (day >= 0 && mail.attack < 0) senders.insert(mail.user);
            hand_in(mail, day);
        }
        out_.user_days += senders.size();
        out_.slowed_days += slowed_today_.size();
        slowed_today_.clear();
    }

    void announce(const User& user, int day) {
        if (!user.newsletter.announced || !newsletter_due(user, day)) return;
        if (day > user.newsletter.first_day + 14 && user.newsletter.weekday != 7) return;
        tally_.expect(user.name(), user.newsletter.list.size() * 6 / 5, at(day + 1, 0));
    }

    void hand_in(const Mail& mail, int day) {
        if (mail.attack >= 0) {
            const auto number = static_cast<std::size_t>(mail.attack);
            if (closed_[number] && mail.at >= *closed_[number]) return;
            if (!begun_[number]) begun_[number] = mail.at;
            out_.stolen[number].sent += mail.to.size();
        }
        const User& user = users_[mail.user];
        const VolumeSender sender(user.local, user.domain, "main");
        const auto begun = std::chrono::steady_clock::now();
        Tally::Charge charge;
        std::vector<std::uint64_t> recipients;
        bool put_off = false;
        for (const auto& one : mail.to) {
            if (tally_.take(charge, sender, mail.at, false)) {
                put_off = true;
                break;
            }
            recipients.push_back(one.who * 0x9e3779b97f4a7c15ull);
        }
        VolumeAnswer answer;
        const WatchedMail watched{sender, recipients, charge.announced(), "x"};
        if (!put_off) {
            answer = watch_.judge(watched, mail.at, mail.at);
            watch_.accepted(watched, answer, mail.at, mail.at);
            charge.keep();
        }
        ++out_.messages;
        out_.nanoseconds += static_cast<double>((std::chrono::steady_clock::now() - begun).count());
        if (put_off || answer.level >= VolumeLevel::slowed) restrained(mail, day, answer, put_off);
        if (put_off) return;
        if (answer.level >= VolumeLevel::held) return held_.emplace_back(leaving(mail, mail.at)), void();
        waiting_.push(leaving(mail, answer.level == VolumeLevel::slowed ? answer.until : mail.at));
    }

    Leaving leaving(const Mail& mail, Time when) const {
        return {when + answered_after, mail.user, mail.attack, mail.at, mail.to};
    }

    void restrained(const Mail& mail, int day, const VolumeAnswer& answer, bool put_off) {
        const std::string name = users_[mail.user].name();
        if (mail.attack >= 0) {
            const auto number = static_cast<std::size_t>(mail.attack);
            auto& stolen = out_.stolen[number];
            if (!stolen.hours) {
                stolen.hours =
                    std::chrono::duration<double, std::ratio<3600>>(mail.at - *begun_[number]).count();
                stolen.left_before = stolen.left;
                closed_[number] = reaction(mail.at);
            }
            stolen.held = stolen.held || answer.level >= VolumeLevel::held;
            return;
        }
        const bool victim = std::any_of(attacks_.begin(), attacks_.end(), [&](const Attack& one) {
            return std::find(one.users.begin(), one.users.end(), mail.user) != one.users.end() &&
                   day >= one.day && day <= one.day + one.goes_on + 2;
        });
        if (victim) return;
        if (!put_off && !released_.contains(mail.user)) released_[mail.user] = reaction(mail.at);
        if (day < 0) return;
        if (slowed_today_.insert(mail.user).second && !put_off)
            out_.told.push_back("slowed " + name + ' ' + postern::base::iso_time(mail.at) + ": " +
                                answer.why);
        if (put_off) return;
        if (answer.level >= VolumeLevel::held && held_honest_.insert(mail.user).second) {
            ++out_.held_users;
            out_.told.push_back("held " + name + ' ' + postern::base::iso_time(mail.at) + ": " + answer.why);
        }
    }

    /// What leaves until then is answered; an administrator sees to what he was told of.
    void deliver_until(Time now) {
        for (auto one = released_.begin(); one != released_.end();) {
            if (one->second > now) {
                ++one;
                continue;
            }
            watch_.release(users_[one->first].name(), one->second);
            release(one->first, one->second);
            one = released_.erase(one);
        }
        while (!waiting_.empty() && waiting_.top().at <= now) {
            const Leaving one = waiting_.top();
            waiting_.pop();
            arrive(one);
        }
    }

    void release(std::size_t user, Time when) {
        std::vector<Leaving> others;
        while (!waiting_.empty()) {
            Leaving one = waiting_.top();
            waiting_.pop();
            if (one.user == user && one.attack < 0) one.at = std::min(one.at, when);
            others.push_back(std::move(one));
        }
        for (auto& one : others) waiting_.push(std::move(one));
        std::erase_if(held_, [&](Leaving& one) {
            if (one.user != user || one.attack >= 0) return false;
            one.at = when;
            waiting_.push(std::move(one));
            return true;
        });
    }

    void arrive(const Leaving& mail) {
        if (mail.attack >= 0) {
            const auto number = static_cast<std::size_t>(mail.attack);
            if (closed_[number] && mail.at >= *closed_[number]) return;  // it was deleted
            out_.stolen[number].left += mail.to.size();
        } else if (mail.handed_in >= begin) {
            out_.longest_wait =
                std::max(out_.longest_wait,
                         std::chrono::duration<double, std::ratio<3600>>(mail.at - mail.handed_in).count());
        }
        const std::string name = users_[mail.user].name();
        for (const auto& one : mail.to) {
            Reply reply{250, {2, 0, 0}, "ok"};
            if (one.unknown) reply = {550, {5, 1, 1}, "no such user"};
            if (one.spam) reply = {550, {5, 7, 1}, "this looks like spam"};
            watch_.answered(name, receiver_says(reply, false), reply, mail.at);
        }
    }

    const Policy policy_;
    Random random_;
    std::vector<User> users_;
    std::vector<Attack> attacks_;
    std::uint64_t stranger_ = 10'000'000;
    Tally tally_;
    Watch watch_{tally_};
    std::priority_queue<Leaving, std::vector<Leaving>, std::greater<>> waiting_;
    std::vector<Leaving> held_;
    std::vector<std::optional<Time>> begun_, closed_;
    std::set<std::size_t> slowed_today_, held_honest_;
    std::map<std::size_t, Time> released_;
    Time looked_{};
    Outcome out_;
};

}  // namespace

std::uint64_t Outcome::median_left_before() const {
    std::vector<std::uint64_t> all;
    for (const auto& one : stolen) all.push_back(one.hours ? one.left_before : one.left);
    std::sort(all.begin(), all.end());
    return all[all.size() / 2];
}

Outcome live(const Policy& policy, std::uint64_t seed) { return World(policy, seed).live(); }

}  // namespace month
