// Whose turn it is to poll: one gateway's at a time, whatever is late, lost or begun anew.
#include "sync/cluster/poll_turn.h"

#include <catch2/catch.hpp>
#include <map>
#include <optional>
#include <random>
#include <utility>

using namespace postern;
using namespace postern::sync;
using namespace std::chrono_literals;
using Whose = Turn::Whose;

namespace {

/// The lease as the server keeps it.
struct Server {
    std::string holder, generation;
    base::Moment until{};
    std::uint64_t fence = 0;

    Beat beat(const ClusterSelf& self, const PollTurn& turn, base::Moment now, bool wants = true) {
        if (now >= until) holder.clear();
        if (holder == self.instance) {
            if (wants)
                until = now + 15s;
            else
                holder.clear();
        } else if (holder.empty() && wants) {
            holder = self.instance;
            until = now + 15s;
            ++fence;
        }
        if (generation.empty()) generation = turn.proposal(self);
        Beat out;
        out.now = 1s;
        out.holder = holder;
        out.generation = generation;
        out.fence = fence;
        for (const char* name : {"mx1", "mx2", "mx3"}) {
            Beat::Member one;
            one.member.name = name;
            one.instance = std::string(name) + "#";
            one.member.live = true;
            out.members.push_back(one);
        }
        return out;
    }
};

ClusterSelf self(const std::string& name) { return {name, name + "#", "1"}; }
base::Moment at(std::chrono::milliseconds time) { return base::Moment(1h + time); }

}  // namespace

TEST_CASE("a turn is ours until it could be another's", "[cluster]") {
    Server server;
    server.generation = "old";
    PollTurn first, second;
    CHECK(first.at(at(0s)).whose == Whose::unknown);
    const auto ours = first.heard(server.beat(self("mx1"), first, at(100ms)), self("mx1"), at(0s));
    CHECK(ours == Turn{Whose::ours, 3, "mx1"});
    CHECK(second.heard(server.beat(self("mx2"), second, at(1s)), self("mx2"), at(1s)) ==
          Turn{Whose::anothers, 3, "mx1"});
    // Nothing more is heard: it ends before the server's does.
    CHECK(first.at(at(11s)).whose == Whose::ours);
    CHECK(first.at(at(12s)).whose == Whose::unknown);
    CHECK(second.heard(server.beat(self("mx2"), second, at(15s)), self("mx2"), at(15s)).whose ==
          Whose::anothers);
    CHECK(second.heard(server.beat(self("mx2"), second, at(15200ms)), self("mx2"), at(15200ms)).whose ==
          Whose::ours);
}

TEST_CASE("where the server was begun anew nobody has a turn at once", "[cluster]") {
    Server server;
    PollTurn first;
    CHECK(first.heard(server.beat(self("mx1"), first, at(0s)), self("mx1"), at(0s)) ==
          Turn{Whose::anothers, 3, ""});
    CHECK(first.heard(server.beat(self("mx1"), first, at(14s)), self("mx1"), at(14s)).whose ==
          Whose::anothers);
    CHECK(first.heard(server.beat(self("mx1"), first, at(15s)), self("mx1"), at(15s)).whose == Whose::ours);
}

TEST_CASE("never two at once, with servers that are wiped and gateways that hear late or nothing",
          "[cluster]") {
    for (unsigned seed = 1; seed <= 300; ++seed) {
        std::mt19937 random(seed);
        Server server;
        server.generation = "first";
        std::map<std::string, PollTurn> gateways;
        std::map<std::string, bool> deaf;
        unsigned turns = 0;
        std::map<std::string, int> starts;
        std::map<std::string, bool> connected;
        Server copy = server;
        for (auto now = 0ms; now < 5min; now += 500ms) {
            // Begun anew, or back with an old copy: in either case by new connections.
            if (random() % 200 == 0) {
                server = random() % 2 == 0 ? Server() : copy;
                for (const auto* name : {"mx1", "mx2", "mx3"}) connected[name] = false;
            }
            if (random() % 60 == 0) copy = server;
            for (const auto* name : {"mx1", "mx2", "mx3"}) {
                if (random() % 40 == 0) deaf[name] = !deaf[name];
                if (random() % 200 == 0) {  // killed, and started
                    gateways[name] = PollTurn();
                    ++starts[name];
                    connected[name] = false;
                }
                if (deaf[name] || random() % 4 != 0) continue;
                auto& turn = gateways[name];
                const ClusterSelf me{name, std::string(name) + '#' + std::to_string(starts[name]), "1"};
                const auto late = std::chrono::milliseconds(random() % 900);
                if (!std::exchange(connected[name], true)) turn.connected(at(now));
                const auto beat = server.beat(me, turn, at(now + late));
                if (random() % 10 != 0) turn.heard(beat, me, at(now));  // else the answer is lost
            }
            unsigned ours = 0;
            for (const auto& [name, turn] : gateways)
                ours += turn.at(at(now + 400ms)).whose == Whose::ours ? 1 : 0;
            INFO("seed " << seed << " at " << now.count());
            REQUIRE(ours <= 1);
            turns += ours;
        }
        REQUIRE(turns > 0);
    }
}
