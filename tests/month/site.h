// The honest: 2,000 users, what they send and when.
#pragma once

#include <string>
#include <vector>

#include "tests/month/mail.h"

namespace month {

struct User {
    std::string local, domain;
    double a_day = 8;       // messages of a weekday
    double fresh = 0.1;     // of recipients, how many it never wrote to
    double shift = 0;       // hours, of its day
    double weekend = 0.05;  // of a weekday
    int hired = -1000;      // its first day
    int away = 1000;        // a week without mail begins
    std::vector<std::uint64_t> contacts;

    struct Newsletter {
        int weekday = -1;  // 0: Monday; -1: none; 7: each first of a month
        double hour = 10;
        int first_day = -1000;
        bool announced = false;  // the first two times
        std::vector<std::uint64_t> list;
    } newsletter;

    std::string name() const { return local + '@' + domain; }
};

std::vector<User> make_site(Random& random);
/// Of a day, in no order. Addresses that were never used come from `stranger`.
std::vector<Mail> honest_day(std::vector<User>& users, int day, Random& random, std::uint64_t& stranger);
/// Whether the user sends its newsletter that day.
bool newsletter_due(const User& user, int day);

}  // namespace month
