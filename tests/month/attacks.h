// The stolen passwords: ten, of different cunning.
#pragma once

#include <string>
#include <vector>

#include "tests/month/mail.h"
#include "tests/month/site.h"

namespace month {

struct Attack {
    std::string name;
    int day = 0;                        // it begins
    double hour = 0;                    // UTC, at which
    double lasts = 12;                  // hours, of each day that it goes on
    int goes_on = 1;                    // days
    double an_hour = 300;               // recipients
    double grows = 1;                   // from day to day
    int of_a_message = 1;               // recipients
    bool to_contacts = false;           // the victim's own, first
    double unknown = 0.1, spam = 0.15;  // what receivers will say of so many
    std::vector<std::size_t> users;     // whose passwords
};

std::vector<Attack> make_attacks(const std::vector<User>& users);
/// Of a day, in no order.
std::vector<Mail> attack_day(const Attack& attack, int number, const std::vector<User>& users, int day,
                             Random& random, std::uint64_t& stranger);

}  // namespace month
