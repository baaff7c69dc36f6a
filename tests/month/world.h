// A month of a site under a gateway's judgement, and what came of it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tests/month/mail.h"

namespace month {

/// What the gateway goes by: its watch, or a fixed limit of recipients an hour for each user.
struct Policy {
    bool watch = true;
    std::uint64_t an_hour = 0;
};

struct Outcome {
    struct Stolen {
        std::string name;
        std::uint64_t sent = 0;         // recipients handed in
        std::uint64_t left_before = 0;  // that had left when it was first answered
        std::uint64_t left = 0;         // in all
        std::optional<double> hours;    // from its first message to that answer
        bool held = false;
    };
    std::vector<Stolen> stolen;
    std::uint64_t user_days = 0;    // on which an honest user sent to the outside
    std::uint64_t slowed_days = 0;  // on which its mail waited, or was put off
    std::uint64_t held_users = 0;
    double longest_wait = 0;  // of an honest message, hours
    std::uint64_t messages = 0;
    double nanoseconds = 0;         // a message took, to be judged and counted
    std::vector<std::string> told;  // of the honest

    std::uint64_t median_left_before() const;
};

Outcome live(const Policy& policy, std::uint64_t seed);

}  // namespace month
