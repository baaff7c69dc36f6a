// simulation [--first SEED] [--count COUNT] [--story] [--twice] [--brief]
#include <cstdlib>
#include <cstring>
#include <iostream>

#include "tests/simulation/simulation.h"

using namespace postern::simulation;

namespace {

constexpr std::size_t last = 60;  // lines of the story

/// The shortest plan that still goes wrong, as far as leaving out parts of it finds one.
Plan shortened(Plan plan) {
    for (std::size_t part = plan.deeds.size() / 2; part > 0; part /= 2) {
        for (std::size_t from = 0; from < plan.deeds.size();) {
            Plan less = plan;
            const auto begin = less.deeds.begin() + static_cast<std::ptrdiff_t>(from);
            less.deeds.erase(begin,
                             begin + static_cast<std::ptrdiff_t>(std::min(part, less.deeds.size() - from)));
            if (play(less).fault.empty())
                from += part;
            else
                plan = std::move(less);
        }
    }
    return plan;
}

void tell(const Plan& plan, const Outcome& outcome, std::size_t lines) {
    for (const auto& planned : plan.deeds) std::cout << "    " << text_of(planned) << '\n';
    const std::size_t from = outcome.story.size() - std::min(lines, outcome.story.size());
    for (std::size_t at = from; at < outcome.story.size(); ++at) std::cout << outcome.story[at] << '\n';
}

}  // namespace

int main(int count, char** arguments) {
    std::uint64_t first = 1, seeds = 1;
    bool story = false, twice = false, brief = false;
    for (int at = 1; at < count; ++at) {
        const std::string name = arguments[at];
        const auto number = [&] { return ++at < count ? std::strtoull(arguments[at], nullptr, 10) : 0; };
        if (name == "--first")
            first = number();
        else if (name == "--count")
            seeds = number();
        else if (name == "--story")
            story = true;
        else if (name == "--twice")
            twice = true;
        else if (name == "--brief")
            brief = true;
        else
            return std::cerr << "what is " << name << "?\n", EXIT_FAILURE;
    }
    // Nobody shows a certificate here; to read all authorities at each start would take a quarter of the
    // time.
    ::setenv("SSL_CERT_FILE", "/dev/null", 1);
    std::size_t messages = 0, deliveries = 0, failures = 0, bad = 0;
    std::chrono::hours time{0};
    for (std::uint64_t seed = first; seed < first + seeds; ++seed) {
        const Plan plan = plan_of(seed);
        const Outcome outcome = play(plan);
        messages += outcome.messages;
        deliveries += outcome.deliveries;
        failures += outcome.failures;
        time += outcome.time;
        if (story) tell(plan, outcome, outcome.story.size());
        if (twice && play(plan).digest != outcome.digest) {
            std::cout << "seed " << seed << " is played differently the second time\n";
            ++bad;
        }
        if (outcome.fault.empty()) continue;
        ++bad;
        if (story) continue;
        if (brief) {
            std::cout << "seed " << seed << ": " << outcome.fault << std::endl;
            continue;
        }
        std::cout << "seed " << seed << ": " << outcome.fault << "\nthe shortest history found:" << std::endl;
        const Plan less = shortened(plan);
        const Outcome again = play(less);
        std::cout << again.fault << '\n';
        tell(less, again, last);
    }
    std::cout << seeds << " histories, " << time.count() / 24 << " days, " << messages << " messages, "
              << deliveries << " deliveries, " << failures << " reported as failed; " << bad
              << " went wrong\n";
    return bad == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
