// The egress pool against what it said itself: the verdicts it gave and took back, kept in a plain map.
#include <catch2/catch.hpp>
#include <map>
#include <random>
#include <tuple>

#include "relay/egress/pool.h"

using namespace postern::relay;
using namespace std::chrono_literals;

namespace {

const std::vector<std::string> addresses{"192.0.2.1", "192.0.2.2", "192.0.2.3", "2001:db8::1"};
const std::vector<std::string> sites{"x", "y", "z"};
const std::vector<std::string> domains{"one.example", "two.example", "sub.two.example"};
const Reply blocked{550, {5, 7, 1}, "blocked"};

class Model {
public:
    void add(const EgressPool::Verdict& verdict) {
        held_[{verdict.address, verdict.site, verdict.zone}] = verdict.until;
    }
    void remove(const EgressPool::Verdict& verdict) {
        CHECK(held_.erase({verdict.address, verdict.site, verdict.zone}) == 1);
    }
    void extend(const std::string& address, const std::string& zone, Time until) {
        auto& held = held_[{address, "", zone}];
        held = std::max(held, until);
    }
    void forget(const std::string& address, const std::string& site) {
        std::erase_if(held_, [&](const auto& entry) {
            return std::get<0>(entry.first) == address && (site.empty() || std::get<1>(entry.first) == site);
        });
    }
    bool listed(const std::string& address, const SitePart& place, Time now) const {
        for (const auto& [key, until] : held_) {
            const auto& [whose, where, zone] = key;
            if (whose == address && (where.empty() || where == place.site || where == place.domain) &&
                now < until)
                return true;
        }
        return false;
    }

private:
    std::map<std::tuple<std::string, std::string, std::string>, Time> held_;
};

}  // namespace

TEST_CASE("what is listed by the verdicts that were given is never chosen, and nothing else waits",
          "[egress]") {
    const auto seed = std::random_device()();
    CAPTURE(seed);
    std::mt19937 random(seed);
    const auto below = [&](unsigned most) {
        return std::uniform_int_distribution<unsigned>(0, most - 1)(random);
    };
    for (int round = 0; round < 40; ++round) {
        Settings settings;
        settings.hostname = "gw.example";
        for (const auto& address : addresses) {
            settings.egress.emplace_back();
            settings.egress.back().address = address;
        }
        settings.delivery.rotation = static_cast<Rotation>(below(3));
        settings.delivery.blocklists = {"zone"};
        Time now{24h * 20'000};
        EgressPool pool(std::make_shared<const Settings>(settings), "", now);
        Model model;
        for (int step = 0; step < 500; ++step) {
            now += std::chrono::seconds(below(4) == 0 ? below(20'000) : below(30));
            const auto& address = addresses[below(4)];
            const auto& site = sites[below(3)];
            const auto& domain = domains[below(3)];
            const SitePart place(site, domain);
            const EgressPool::Refuser who(below(2) ? place : SitePart(site),
                                          site + "/24 " + site + ".example");
            std::optional<EgressPool::Verdict> verdict;
            switch (below(7)) {
                case 0:
                    verdict = pool.refused(address, who, {ReplyMeaning::listed, "r", 1h}, blocked, now);
                    break;
                case 1:
                    verdict =
                        pool.refused(address, who, {ReplyMeaning::listed_everywhere, "r", 0s}, blocked, now);
                    break;
                case 2: verdict = pool.compared(address, site, blocked, now); break;
                case 3:
                    for (const auto& over : pool.accepted(address, place, now)) model.remove(over);
                    break;
                case 4:
                    for (const auto& one : pool.blocklisted(address, {{"zone", ""}}, {"zone"}, now).listed)
                        model.add(one);
                    model.extend(address, "zone", now + 6h);
                    break;
                case 5:
                    for (const auto& over : pool.blocklisted(address, {}, {"zone"}, now).unlisted)
                        model.remove(over);
                    break;
                case 6: {
                    const auto which = below(2) ? site : std::string();
                    pool.forget(address, which);
                    model.forget(address, which);
                    break;
                }
            }
            if (verdict) model.add(*verdict);

            const auto choice = pool.choose(place, "example.org", {}, now);
            if (choice.source) {
                CHECK_FALSE(model.listed(choice.source->address, place, now));
            } else {
                for (const auto& one : addresses) CHECK(model.listed(one, place, now));
                CHECK(choice.again > now);
                bool some = false;
                for (const auto& one : addresses) some = some || !model.listed(one, place, choice.again);
                CHECK(some);
            }
        }
    }
}
