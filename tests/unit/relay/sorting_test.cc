#include "relay/delivery/sorting.h"

#include <catch2/catch.hpp>
#include <string>

using namespace postern::relay;

namespace {

/// One letter for each recipient: what the host said.
Results results_of(const std::string& said) {
    Results out;
    for (char one : said) {
        Outcome outcome;
        Meaning meaning = Meaning::deferred;
        switch (one) {
            case '+':
                outcome.result = Outcome::Result::delivered;
                outcome.reply.code = 250;
                meaning = Meaning::go_on;
                break;
            case '5':
                outcome.result = Outcome::Result::failed;
                outcome.reply.code = 550;
                meaning = Meaning::failed;
                break;
            case '4': outcome.reply.code = 450; break;
            case 'm':
                outcome.reply.code = 452;
                meaning = Meaning::too_many;
                break;
            case 'b':
                outcome.reply.code = 555;
                meaning = Meaning::bare;
                break;
            case 's':
                outcome.reply.code = 421;
                meaning = Meaning::session;
                break;
            case 'c': meaning = Meaning::clear_text; break;
            case 'L':  // for our address, which makes of it what can wait
                outcome.reply.code = 554;
                break;
            case 'l': outcome.reply.code = 451; break;
            case '-': meaning = Meaning::broken; break;
            default: FAIL("no such letter");
        }
        out.outcomes.push_back(outcome);
        out.meanings.push_back(meaning);
        out.listed.push_back(one == 'L' || one == 'l');
    }
    return out;
}

std::string sorted(const std::string& said, const Circumstances& now) {
    std::string out;
    for (Way way : sort_recipients(results_of(said), now)) switch (way) {
            case Way::settle: out += '.'; break;
            case Way::fresh: out += 'f'; break;
            case Way::line: out += 'q'; break;
            case Way::bare: out += 'b'; break;
            case Way::other_address: out += 'a'; break;
            case Way::other_host: out += 'h'; break;
        }
    return out;
}

constexpr Circumstances plain{}, last{.last_word = true}, hosts{.other_host = true},
    last_hosts{.last_word = true, .other_host = true}, address{.other_address = true},
    both{.other_address = true, .other_host = true},
    suspect{.suspected = true, .other_address = true, .other_host = true},
    suspect_alone{.suspected = true, .other_host = true};

}  // namespace

TEST_CASE("where each recipient of a transaction goes") {
    struct Row {
        const char* said;
        Circumstances now;
        const char* ways;
    };
    const Row rows[] = {
        {"", both, ""},
        {"+54-", plain, "...."},
        // A session that was not fit for it.
        {"s", plain, "f"},
        {"c", plain, "f"},
        {"s", last, "."},
        {"+s5", plain, ".f."},
        // More than one transaction takes.
        {"+mm", plain, ".qq"},
        {"mm", plain, ".."},
        {"sm", plain, "fq"},
        {"sm", last, ".."},
        {"+m", last, ".q"},
        {"m5", hosts, "h."},
        // Parameters.
        {"b", plain, "b"},
        {"b", last, "b"},
        {"+b", both, ".b"},
        // Our address.
        {"L", plain, "."},
        {"L", address, "a"},
        {"L", hosts, "."},
        {"l", hosts, "h"},
        {"l", both, "a"},
        {"+L5", address, ".a."},
        {"5", address, "."},
        {"L", last, "."},
        {"5", suspect, "a"},
        {"5+", suspect, "a."},
        {"5", suspect_alone, "."},
        {"4", suspect_alone, "h"},
        // Another host: only for a reply that defers, and when nothing is tried afresh.
        {"+4-5", hosts, ".h.."},
        {"4", last_hosts, "."},
        {"4s", hosts, ".f"},
        {"4", both, "h"},
    };
    for (const Row& row : rows) {
        CAPTURE(row.said, row.now.last_word, row.now.suspected, row.now.other_address, row.now.other_host);
        CHECK(sorted(row.said, row.now) == row.ways);
    }
}

TEST_CASE("results are parted in order, with all that belongs to a recipient") {
    Results all = results_of("+L4b");
    Results apart = all.take({false, true, false, true});
    REQUIRE(all.size() == 2);
    REQUIRE(apart.size() == 2);
    CHECK(all.outcomes[0].result == Outcome::Result::delivered);
    CHECK(all.outcomes[1].reply.code == 450);
    CHECK(apart.outcomes[0].reply.code == 554);
    CHECK(bool(apart.meanings[1] == Meaning::bare));
    CHECK(apart.listed == std::vector<bool>{true, false});
    CHECK(all.listed == std::vector<bool>{false, false});
    CHECK(all.delivered());
    CHECK_FALSE(apart.delivered());
}

TEST_CASE("ways are marked") {
    const std::vector<Way> ways{Way::settle, Way::bare, Way::settle};
    CHECK(marked(ways, Way::bare) == std::vector<bool>{false, true, false});
    CHECK(marked(ways, Way::fresh).empty());
}
