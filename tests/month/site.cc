#include "tests/month/site.h"

#include <cmath>

namespace month {

namespace {

constexpr std::size_t users_count = 2000, hired_count = 40;
constexpr int holiday = 14;  // a Monday on which the offices are closed

bool weekend(int day) { return ((day % 7) + 7) % 7 >= 5; }

/// Two peaks, as offices have.
double office_hour(Random& random) {
    std::normal_distribution<> morning(10, 1.3), afternoon(14.8, 1.6);
    const double hour = chance(random) < 0.5 ? morning(random) : afternoon(random);
    return std::clamp(hour, 6.0, 21.9);
}

Recipient known(const User& user, Random& random) {
    // Few of them get most of it.
    const double one = std::pow(chance(random), 2.0) * static_cast<double>(user.contacts.size());
    return {user.contacts[static_cast<std::size_t>(one)], chance(random) < 0.004, false};
}

void mail_of(User& user, std::size_t number, int day, double times, Random& random, std::uint64_t& stranger,
             std::vector<Mail>& out) {
    const int count = std::poisson_distribution<>(user.a_day * times)(random);
    for (int i = 0; i < count; ++i) {
        Mail mail;
        mail.user = number;
        mail.at = at(day, std::fmod(office_hour(random) + user.shift, 24.0));
        int recipients = 1;
        while (recipients < 8 && chance(random) < 0.25) ++recipients;
        if (chance(random) < 0.015) recipients = between(random, 8, 25);
        for (int at = 0; at < recipients; ++at) {
            if (chance(random) >= user.fresh) {
                mail.to.push_back(known(user, random));
                continue;
            }
            mail.to.push_back({stranger, chance(random) < 0.03, chance(random) < 0.002});
            if (chance(random) < 0.5) user.contacts.push_back(stranger);
            ++stranger;
        }
        out.push_back(std::move(mail));
    }
}

/// An invitation, a change of address: to many of those it knows, and some others.
void invitation(User& user, std::size_t number, int day, Random& random, std::uint64_t& stranger,
                std::vector<Mail>& out) {
    const int recipients = between(random, 30, 110);
    const double hour = office_hour(random);
    const bool one_by_one = chance(random) < 0.5;
    Mail mail;
    mail.user = number;
    for (int i = 0; i < recipients; ++i) {
        mail.at = at(day, hour + (one_by_one ? i * 0.003 : 0));
        mail.to.push_back(chance(random) < 0.8 ? known(user, random)
                                               : Recipient{stranger++, chance(random) < 0.05, false});
        if (!one_by_one) continue;
        out.push_back(mail);
        mail.to.clear();
    }
    if (!one_by_one) out.push_back(std::move(mail));
}

void issue(User& user, std::size_t number, int day, Random& random, std::uint64_t& stranger,
           std::vector<Mail>& out) {
    auto& news = user.newsletter;
    const auto joined = static_cast<int>(static_cast<double>(news.list.size()) * 0.02);
    for (int i = 0; i < joined; ++i) news.list.push_back(stranger++);
    for (std::size_t i = 0; i < news.list.size(); ++i)
        out.push_back({at(day, news.hour + static_cast<double>(i) / 3000.0),
                       number,
                       {{news.list[i], chance(random) < 0.008, chance(random) < 0.001}},
                       -1});
}

}  // namespace

bool newsletter_due(const User& user, int day) {
    const auto& news = user.newsletter;
    if (news.weekday < 0 || day < news.first_day) return false;
    return news.weekday == 7 ? day % 30 == 0 : ((day % 7) + 7) % 7 == news.weekday;
}

std::vector<User> make_site(Random& random) {
    std::vector<User> out(users_count);
    std::lognormal_distribution<> busy(std::log(6), 0.9);
    std::uint64_t someone = 1;
    for (std::size_t i = 0; i < out.size(); ++i) {
        User& user = out[i];
        user.local = "user" + std::to_string(i);
        // Domains of all sizes.
        const auto domain = static_cast<int>(std::pow(chance(random), 2.2) * 60);
        user.domain = "site" + std::to_string(domain) + ".example";
        user.a_day = std::min(60.0, busy(random));
        user.fresh = chance(random) < 0.06 ? 0.5 : 0.04 + 0.12 * chance(random);
        if (chance(random) < 0.06) user.shift = between(random, 3, 12);
        if (chance(random) < 0.1) user.weekend = 0.5;
        user.contacts.resize(static_cast<std::size_t>(between(random, 30, 250)));
        for (auto& one : user.contacts) one = someone++ % 400'000 + 1;
        if (chance(random) < 0.3) user.away = between(random, 0, days);
        if (i < hired_count) user.hired = between(random, 0, days - 3);
    }
    for (int i = 0; i < 14; ++i) {
        User& user = out[static_cast<std::size_t>(100 + i * 130)];
        user.newsletter.weekday = i < 12 ? between(random, 0, 4) : 7;
        user.newsletter.hour = between(random, 8, 16);
        user.newsletter.list.resize(
            static_cast<std::size_t>(i < 12 ? between(random, 200, 3000) : between(random, 100, 300)));
        for (auto& one : user.newsletter.list) one = 500'000 + someone++;
        // Most are older than the gateway; some begin in the month.
        if (i >= 8 && i < 12) user.newsletter.first_day = between(random, 1, 6);
        user.newsletter.announced = i != 11;
    }
    return out;
}

std::vector<Mail> honest_day(std::vector<User>& users, int day, Random& random, std::uint64_t& stranger) {
    std::vector<Mail> out;
    for (std::size_t i = 0; i < users.size(); ++i) {
        User& user = users[i];
        if (day < user.hired || (day >= user.away && day < user.away + 7)) continue;
        double times = weekend(day) || day == holiday ? user.weekend : 1;
        if (day == holiday + 1 || day == user.away + 7) times *= 1.8;
        mail_of(user, i, day, times, random, stranger, out);
        if (times == 1 && chance(random) < 1.0 / 150) invitation(user, i, day, random, stranger, out);
        if (newsletter_due(user, day)) issue(user, i, day, random, stranger, out);
    }
    return out;
}

}  // namespace month
