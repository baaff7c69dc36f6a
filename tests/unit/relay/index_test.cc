#include "relay/queue/index.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <random>
#include <set>
#include <string>

using namespace postern::relay;
using std::chrono::microseconds;

namespace {

const std::vector<RouteKey> routes{RouteKey::gateways(),
                                   RouteKey::held(),
                                   RouteKey::gateway("archive"),
                                   RouteKey::exchangers("example.org"),
                                   RouteKey::exchangers("bücher.example"),
                                   RouteKey::primary("main")};

Time at(std::int64_t value) { return Time(microseconds(value)); }

/// The same, told in the simplest way.
struct Model {
    struct Message {
        Place message, progress;
        bool fresh = true;
        std::set<WaitKey> lines;
        std::set<std::uint16_t> delivered;
    };
    std::map<std::uint64_t, Message> messages;

    std::map<std::uint32_t, std::uint64_t> live() const {
        std::map<std::uint32_t, std::uint64_t> out;
        for (const auto& [id, one] : messages)
            for (const Place& place : {one.message, one.progress})
                if (place) out[place.segment] += aligned(place.length);
        return out;
    }
    std::vector<WaitEntry> due(const RouteKey& route, Time until) const {
        std::set<std::pair<Time, std::uint64_t>> sorted;
        for (const auto& [id, one] : messages)
            for (const auto& line : one.lines)
                if (line.route == route && line.due <= until) sorted.emplace(line.due, id);
        std::vector<WaitEntry> out;
        for (const auto& [due, id] : sorted) out.push_back({MessageId{id}, due});
        return out;
    }
};

bool same(const std::vector<WaitEntry>& one, const std::vector<WaitEntry>& other) {
    return std::equal(one.begin(), one.end(), other.begin(), other.end(),
                      [](const auto& a, const auto& b) { return a.id == b.id && a.due == b.due; });
}

void check_equal(const Index& index, const Model& model) {
    bool good = index.size() == model.messages.size() && index.live() == model.live();
    std::vector<MessageId> all, fresh, noted;
    std::map<RouteKey, std::set<Time>> lines;
    for (const auto& [value, one] : model.messages) {
        const MessageId id{value};
        all.push_back(id);
        if (one.fresh) fresh.push_back(id);
        if (!one.delivered.empty()) noted.push_back(id);
        const auto entry = index.find(id);
        good = good && index.contains(id) && entry && entry->message == one.message &&
               entry->progress == one.progress && entry->fresh == one.fresh;
        auto places = index.lines(id);
        std::sort(places.begin(), places.end());
        good = good && std::equal(places.begin(), places.end(), one.lines.begin(), one.lines.end());
        for (const auto& line : one.lines) {
            lines[line.route].insert(line.due);
            good =
                good && index.waits(line, id) && !index.waits({line.route, line.due + microseconds(2)}, id);
        }
        const auto* delivered = index.delivered(id);
        good = good && (delivered == nullptr ? one.delivered.empty() : *delivered == one.delivered);
    }
    good = good && index.messages({}, all.size() + 1) == all && index.fresh({}, all.size() + 1) == fresh &&
           index.noted() == noted;
    std::vector<WaitKey> earliest;
    for (const auto& [route, dues] : lines) earliest.push_back({route, *dues.begin()});
    good = good && index.routes() == earliest;
    const auto none = [](MessageId) { return false; };
    for (const RouteKey& route : routes) {
        const auto due = model.due(route, Time::max());
        good = good && index.waiting(route) == due.size() &&
               same(index.due(route, Time::max(), 10000, none), due);
    }
    if (!good) FAIL("the index is not what the model is");
}

class History {
public:
    explicit History(unsigned seed) : random_(seed) {}

    void step() {
        const MessageId id{1 + random_() % 40};
        const auto known = model.messages.find(id.value);
        switch (random_() % 8) {
            case 0:
            case 1: {
                const Place where = place();
                const bool fresh = random_() % 4 != 0;
                index.insert(id, where, fresh);
                if (known != model.messages.end())
                    known->second.message = where;
                else
                    model.messages[id.value] = {where, {}, fresh, {}, {}};
                return;
            }
            case 2: {
                const Place where = place();
                index.move_message(id, where);
                if (known != model.messages.end()) known->second.message = where;
                return;
            }
            case 3: {
                const Place where = place();
                if (known == model.messages.end() || known->second.progress) {
                    index.move_progress(id, where);
                    if (known != model.messages.end()) known->second.progress = where;
                }
                return;
            }
            case 4:
            case 5: {
                const auto where = place();
                const auto lines = some_lines();
                const bool fresh = random_() % 3 == 0;
                index.progress(id, where, fresh, {lines.begin(), lines.end()});
                // Recipients beyond the first two are said to be delivered by the progress too.
                index.forget_notes(id, Progress(2));
                if (known == model.messages.end()) return;
                auto noted = known->second.delivered;
                std::erase_if(noted, [](std::uint16_t at) { return at >= 2; });
                known->second = {known->second.message, where, fresh || lines.empty(), lines, noted};
                return;
            }
            case 6: {
                std::vector<std::uint16_t> recipients;
                for (auto left = 1 + random_() % 3; left > 0; --left)
                    recipients.push_back(static_cast<std::uint16_t>(random_() % 5 * 16383));
                index.note_delivered(id, recipients);
                if (known != model.messages.end())
                    known->second.delivered.insert(recipients.begin(), recipients.end());
                return;
            }
            default: index.erase(id); model.messages.erase(id.value);
        }
    }

    Index index;
    Model model;

private:
    Place place() {
        return {static_cast<std::uint32_t>(1 + random_() % 5), static_cast<std::uint32_t>(random_()),
                static_cast<std::uint32_t>(48 + random_() % 1000)};
    }
    std::set<WaitKey> some_lines() {
        std::set<WaitKey> out;
        const auto count = random_() % 3 == 0 ? random_() % 6 : random_() % 2;
        // Few times, so that many wait for the same; some before 1970 and near the end of time.
        const std::int64_t times[] = {
            0, -1, 1'700'000'000'000'000, 1'700'000'000'000'001, 9223372036854000, 0xffff'ffff};
        for (std::size_t left = 0; left < count; ++left)
            out.insert({routes[random_() % routes.size()], at(times[random_() % std::size(times)])});
        return out;
    }

    std::mt19937 random_;
};

}  // namespace

TEST_CASE("whatever is done to the index, it says what a simple one would") {
    for (unsigned seed = 0; seed < 30; ++seed) {
        History history(seed);
        for (int step = 0; step < 600; ++step) {
            history.step();
            if (step % 7 == 0) check_equal(history.index, history.model);
        }
        check_equal(history.index, history.model);
    }
}

TEST_CASE("an index that is made of another's rows is the same, and goes on as it") {
    for (unsigned seed = 100; seed < 130; ++seed) {
        History history(seed);
        for (int step = 0; step < 400; ++step) history.step();
        Index restored;
        // The other numbers its lines in its own way, and knows some where nobody waits.
        restored.line_of(RouteKey::exchangers("nobody.example"));
        restored.line_of(routes[seed % routes.size()]);
        std::vector<Index::Row> rows;
        for (MessageId after;;) {
            rows.clear();
            history.index.rows(after, 1 + seed % 9, rows);
            if (rows.empty()) break;
            for (auto& row : rows) {
                for (auto& [line, due] : row.lines) line = restored.line_of(history.index.route(line));
                restored.restore(row);
                after = row.id;
            }
        }
        restored.complete();
        check_equal(restored, history.model);
        history.index = std::move(restored);
        for (int step = 0; step < 200; ++step) {
            history.step();
            if (step % 5 == 0) check_equal(history.index, history.model);
        }
    }
}

TEST_CASE("lists of the index begin and end where they are asked to") {
    Index index;
    for (std::uint64_t id = 10; id <= 100; id += 10) {
        index.insert(MessageId{id}, {1, 1, 48});
        index.progress(MessageId{id}, {1, 2, 48}, id % 20 == 0,
                       {{routes[0], at(static_cast<std::int64_t>(200 - id))}});
    }
    using Ids = std::vector<MessageId>;
    CHECK(index.messages(MessageId{30}, 3) == Ids{MessageId{40}, MessageId{50}, MessageId{60}});
    CHECK(index.messages(MessageId{95}, 3) == Ids{MessageId{100}});
    CHECK(index.messages(MessageId{100}, 3).empty());
    CHECK(index.messages({}, 0).empty());
    CHECK(index.fresh(MessageId{20}, 2) == Ids{MessageId{40}, MessageId{60}});

    const auto none = [](MessageId) { return false; };
    CHECK(same(index.due(routes[0], at(120), 10, none),
               {{MessageId{100}, at(100)}, {MessageId{90}, at(110)}, {MessageId{80}, at(120)}}));
    CHECK(same(index.due(routes[0], at(119), 1, none), {{MessageId{100}, at(100)}}));
    CHECK(index.due(routes[0], at(99), 10, none).empty());
    CHECK(index.due(routes[1], Time::max(), 10, none).empty());
    // Those that are skipped do not count.
    CHECK(same(index.due(routes[0], at(140), 2, [](MessageId id) { return id.value >= 90; }),
               {{MessageId{80}, at(120)}, {MessageId{70}, at(130)}}));
}

TEST_CASE("rows are given in parts that go on one behind the other, few at once where much belongs to each") {
    Index index;
    std::vector<WaitKey> lines;
    for (int one = 0; one < 50; ++one) lines.push_back({RouteKey::exchangers(std::to_string(one)), at(one)});
    for (std::uint64_t id = 1; id <= 100; ++id) {
        index.insert(MessageId{id}, {1, 1, 48});
        if (id % 10 == 0) index.progress(MessageId{id}, {1, 2, 48}, false, lines);
    }
    std::vector<MessageId> ids;
    for (MessageId after;;) {
        std::vector<Index::Row> rows;
        index.rows(after, 20, rows);
        if (rows.empty()) break;
        CHECK(rows.size() <= 20);
        for (const auto& row : rows) ids.push_back(row.id);
        after = rows.back().id;
    }
    CHECK(ids == index.messages({}, 1000));
}

TEST_CASE("a message waits where its pending recipients do, each place once and in order") {
    Progress progress(7);
    const auto wait = [&](std::size_t recipient, const RouteKey& route, std::int64_t due) {
        progress[recipient].route = route;
        progress[recipient].next = at(due);
    };
    wait(0, routes[2], 5);
    wait(1, routes[0], 7);
    wait(2, routes[2], 5);
    wait(3, routes[2], 4);
    wait(4, routes[1], 1);
    progress[4].status = RecipientStatus::delivered;
    wait(5, routes[3], 1);
    progress[5].status = RecipientStatus::failed;
    // The last waits nowhere.
    std::vector<WaitKey> expected{{routes[0], at(7)}, {routes[2], at(4)}, {routes[2], at(5)}};
    std::sort(expected.begin(), expected.end());
    CHECK(places_in_line(progress) == expected);
    CHECK(places_in_line({}).empty());
}

TEST_CASE("what is not in the index is left alone, and leaves nothing there") {
    Index index;
    index.move_message(MessageId{1}, {1, 1, 48});
    index.move_progress(MessageId{1}, {1, 1, 48});
    index.progress(MessageId{1}, {1, 1, 48}, true, {{routes[0], at(1)}});
    index.note_delivered(MessageId{1}, {1});
    index.erase(MessageId{1});
    check_equal(index, {});
    CHECK_FALSE(index.find(MessageId{1}));
    CHECK(index.lines(MessageId{1}).empty());
    CHECK(index.routes().empty());
    CHECK(index.live(1) == 0);
}
