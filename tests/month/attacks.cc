#include "tests/month/attacks.h"

#include <cmath>

namespace month {

std::vector<Attack> make_attacks(const std::vector<User>& users) {
    // Who sends as many do, and is neither new nor away.
    std::vector<std::size_t> usual;
    for (std::size_t i = 300; i < users.size(); ++i)
        if (users[i].a_day > 4 && users[i].a_day < 20 && users[i].newsletter.weekday < 0 &&
            users[i].away > days && users[i].fresh < 0.3 && users[i].shift == 0)
            usual.push_back(i);
    std::vector<Attack> out;
    const auto add = [&](const char* name, int day, double hour) -> Attack& {
        Attack one;
        one.name = name;
        one.day = day;
        one.hour = hour;
        one.users = {usual[out.size() * 7]};
        out.push_back(std::move(one));
        return out.back();
    };
    add("a burst at night", 3, 2).an_hour = 1200;
    add("a burst in office hours", 8, 9.5).an_hour = 900;
    add("in office hours, little by little", 9, 8).an_hour = 40;
    {
        Attack& one = add("a slow boil: 3 an hour, a fifth more each day", 4, 0);
        one.an_hour = 3;
        one.lasts = 24;
        one.goes_on = 26;
        one.grows = 1.2;
    }
    {
        Attack& one = add("to the victim's own contacts", 10, 10);
        one.an_hour = 240;
        one.to_contacts = true;
        one.unknown = 0.02;
    }
    {
        // Of one customer.
        Attack& one = add("through thirty accounts of a domain", 15, 3);
        one.an_hour = 8;
        one.lasts = 8;
        one.users.clear();
        for (std::size_t i = 300; i < users.size() && one.users.size() < 30; ++i)
            if (users[i].domain == "site1.example" && users[i].newsletter.weekday < 0 && users[i].away > days)
                one.users.push_back(i);
    }
    add("a burst on a Saturday", 12, 13).an_hour = 600;
    {
        Attack& one = add("one message to 400", 16, 11);
        one.an_hour = 400;
        one.lasts = 1;
        one.of_a_message = 400;
    }
    {
        Attack& one = add("a newsletter's own account", 17, 4);
        one.an_hour = 600;
        one.users = {100};
    }
    {
        Attack& one = add("the account of somebody new", 0, 0);
        for (std::size_t i = 0; i < 40; ++i)
            if (users[i].hired < 20 && users[i].away > days) one.users = {i};
        one.day = users[one.users.front()].hired + 2;
        one.hour = 1;
        one.an_hour = 300;
    }
    return out;
}

std::vector<Mail> attack_day(const Attack& attack, int number, const std::vector<User>& users, int day,
                             Random& random, std::uint64_t& stranger) {
    std::vector<Mail> out;
    if (day < attack.day || day >= attack.day + attack.goes_on) return out;
    const double an_hour = attack.an_hour * std::pow(attack.grows, day - attack.day);
    for (const auto user : attack.users) {
        std::size_t contact = 0;
        const auto messages = static_cast<int>(an_hour * attack.lasts / attack.of_a_message);
        for (int i = 0; i < messages; ++i) {
            Mail mail;
            mail.user = user;
            mail.attack = number;
            mail.at = at(day, attack.hour + (i + chance(random)) * attack.lasts / messages);
            for (int at = 0; at < attack.of_a_message; ++at) {
                const auto& contacts = users[user].contacts;
                const std::uint64_t who =
                    attack.to_contacts && contact < contacts.size() ? contacts[contact++] : stranger++;
                const double fate = chance(random);
                mail.to.push_back({who, fate < attack.unknown,
                                   fate >= attack.unknown && fate < attack.unknown + attack.spam});
            }
            out.push_back(std::move(mail));
        }
    }
    return out;
}

}  // namespace month
