// A site's month under the watch, and under fixed limits: month [SEED]. Fails when the watch is not as good
// as it was meant to be.
#include <cstdio>
#include <cstdlib>
#include <string>

#include "tests/month/world.h"

namespace {

using month::Outcome;

// One of them sends a newsletter to many it never wrote to, and has not announced it.
constexpr std::uint64_t median_most = 100, slowed_one_in = 1000, held_most = 1;

std::string hours(const Outcome::Stolen& one) {
    if (!one.hours) return "never";
    char text[32];
    std::snprintf(text, sizeof text, "%.1f h", *one.hours);
    return text;
}

void print(const char* name, const Outcome& outcome) {
    std::printf("\n%s\n%-52s %8s %14s %8s %8s\n", name, "stolen password", "answered", "left by then",
                "in all", "of");
    for (const auto& one : outcome.stolen)
        std::printf("%-52s %8s %14llu %8llu %8llu%s\n", one.name.c_str(), hours(one).c_str(),
                    static_cast<unsigned long long>(one.hours ? one.left_before : one.left),
                    static_cast<unsigned long long>(one.left), static_cast<unsigned long long>(one.sent),
                    one.held ? "  held" : "");
    std::printf("median left by then: %llu\n", static_cast<unsigned long long>(outcome.median_left_before()));
    std::printf(
        "honest: %llu user-days, %llu of them slowed down (%.2f in 1000), %llu users held, longest wait "
        "%.1f h\n",
        static_cast<unsigned long long>(outcome.user_days),
        static_cast<unsigned long long>(outcome.slowed_days),
        1000.0 * static_cast<double>(outcome.slowed_days) / static_cast<double>(outcome.user_days),
        static_cast<unsigned long long>(outcome.held_users), outcome.longest_wait);
    std::printf("%llu messages, %.0f ns each\n", static_cast<unsigned long long>(outcome.messages),
                outcome.nanoseconds / static_cast<double>(outcome.messages));
}

}  // namespace

int main(int count, char** arguments) {
    const std::uint64_t seed = count > 1 ? std::strtoull(arguments[1], nullptr, 10) : 1;
    const Outcome watched = month::live({true, 0}, seed);
    print("the watch", watched);
    for (const auto& one : watched.told) std::printf("  %s\n", one.c_str());
    for (const std::uint64_t an_hour : {500u, 1000u})
        print(an_hour == 500 ? "500 recipients an hour" : "1000 recipients an hour",
              month::live({false, an_hour}, seed));
    const bool good = watched.median_left_before() <= median_most && watched.held_users <= held_most &&
                      watched.slowed_days * slowed_one_in <= watched.user_days;
    std::printf("\n%s\n", good ? "as good as it was meant to be" : "NOT as good as it was meant to be");
    return good ? 0 : 1;
}
