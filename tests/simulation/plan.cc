#include "tests/simulation/plan.h"

#include <algorithm>
#include <array>

#include "tests/simulation/random.h"

namespace postern::simulation {

namespace {

using std::chrono::milliseconds;

constexpr std::array<const char*, 15> names{"traffic", "mood",  "power cut",   "kill",   "restart",
                                            "damage",  "disk",  "descriptors", "wall",   "hold",
                                            "release", "retry", "remove",      "bounce", "reload"};

}  // namespace

Plan plan_of(std::uint64_t seed) {
    Random random(seed, "plan");
    Plan out;
    out.seed = seed;
    out.sites = static_cast<unsigned>(random.between(2, 12));
    // Many are an hour of much, a few a week of little.
    const std::uint64_t length = random.one_in(2)    ? random.between(600'000, 7'200'000)
                                 : random.one_in(15) ? random.between(86'400'000, 604'800'000)
                                                     : random.between(3'600'000, 43'200'000);
    const auto some = [&](Deed deed, std::uint64_t most) {
        for (std::uint64_t count = random.pick(most + 1); count > 0; --count)
            out.deeds.push_back({milliseconds(random.pick(length)), deed, out.deeds.size() + 1});
    };
    for (std::uint64_t count = random.between(5, 60); count > 0; --count)
        out.deeds.push_back({milliseconds(random.pick(length)), Deed::traffic, out.deeds.size() + 1});
    some(Deed::mood, 25);
    // Each kind of trouble is missing in half of all histories: what two of them do is clearer without a
    // third.
    const auto maybe = [&](Deed deed, std::uint64_t most) {
        if (random.one_in(2)) some(deed, most);
    };
    maybe(Deed::power_cut, 6);
    maybe(Deed::kill, 6);
    maybe(Deed::restart, 6);
    if (random.one_in(4)) some(Deed::damage, 4);
    maybe(Deed::disk, 5);
    maybe(Deed::descriptors, 5);
    maybe(Deed::wall, 4);
    if (random.one_in(2))
        for (const Deed deed : {Deed::hold, Deed::release, Deed::retry, Deed::remove, Deed::bounce})
            some(deed, 6);
    maybe(Deed::reload, 5);
    std::stable_sort(out.deeds.begin(), out.deeds.end(),
                     [](const Planned& a, const Planned& b) { return a.at < b.at; });
    return out;
}

std::string text_of(const Planned& planned) {
    return std::to_string(planned.at.count()) + " ms: " + names[static_cast<std::size_t>(planned.deed)] +
           " (" + std::to_string(planned.number) + ")";
}

}  // namespace postern::simulation
