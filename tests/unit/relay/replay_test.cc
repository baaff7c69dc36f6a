#include "relay/queue/replay.h"

#include <catch2/catch.hpp>
#include <string>

#include "relay/queue/record.h"

using namespace postern::relay;
using Kind = RecordHeader::Kind;

namespace {

const RouteKey route = RouteKey::gateways();

/// What is replayed, record after record.
struct Told {
    Holdings holdings;
    Replay replay{holdings};
    std::uint64_t sequence = 0;

    Place tell(std::uint32_t segment, Kind kind, std::uint64_t id, const std::string& body = {},
               const RecordHeader& flags = {}) {
        RecordHeader header = flags;
        header.kind = kind;
        header.id.value = id;
        header.sequence = ++sequence;
        const Place place{segment, static_cast<std::uint32_t>(10 * sequence), 48};
        replay.record(header, place, body);
        return place;
    }
    bool has(std::uint64_t id) const { return holdings.index.contains(MessageId{id}); }
    Index::Entry of(std::uint64_t id) const { return holdings.index.find(MessageId{id}).value(); }
};

RecordHeader flags(bool follows, bool followed, bool copy = false, bool fresh = false) {
    RecordHeader out;
    out.follows = follows;
    out.followed = followed;
    out.copy = copy;
    out.fresh = fresh;
    return out;
}
const RecordHeader follows = flags(true, false), followed = flags(false, true),
                   copy = flags(false, false, true);

std::string waits_until(int due) {
    Progress out(1);
    out[0].route = route;
    out[0].next = Time(std::chrono::seconds(due));
    return encode_progress(out);
}

WaitKey line(int due) { return {route, Time(std::chrono::seconds(due))}; }

}  // namespace

TEST_CASE("messages, their progress, notes and ends are laid one over the other") {
    Told told;
    const Place message = told.tell(1, Kind::message, 5);
    CHECK(told.of(5).fresh);
    CHECK_FALSE(told.of(5).progress);
    told.tell(1, Kind::delivered, 5, encode_delivered({1, 3}));
    told.tell(1, Kind::delivered, 5, encode_delivered({2}));
    CHECK(*told.holdings.index.delivered(MessageId{5}) == std::set<std::uint16_t>{1, 2, 3});
    const Place first = told.tell(1, Kind::progress, 5, waits_until(7), flags(false, false, false, true));
    CHECK(told.holdings.index.delivered(MessageId{5}) == nullptr);
    CHECK(told.of(5).message == message);
    CHECK(told.of(5).progress == first);
    CHECK(told.of(5).fresh);
    CHECK(told.holdings.index.waits(line(7), MessageId{5}));
    told.tell(1, Kind::progress, 5, waits_until(8));
    CHECK_FALSE(told.of(5).fresh);
    CHECK(told.holdings.index.lines(MessageId{5}) == std::vector<WaitKey>{line(8)});
    told.tell(2, Kind::done, 5, encode_graves({1, 1}));
    CHECK_FALSE(told.has(5));
    CHECK(told.holdings.index.routes().empty());
    CHECK(told.holdings.graves.by_segment().at(2) == std::map<Graves, std::uint32_t>{{Graves{1, 1}, 1}});
    CHECK(told.holdings.last_id == MessageId{5});
    CHECK(told.holdings.emptied.empty());
}

TEST_CASE("what was moved is found where it lies now, also when its original is gone") {
    for (const bool original : {true, false}) {
        Told told;
        if (original) told.tell(1, Kind::message, 5);
        const Place progress = told.tell(2, Kind::progress, 5, waits_until(9));
        told.tell(2, Kind::delivered, 5, encode_delivered({0}));
        const Place moved = told.tell(3, Kind::message, 5, {}, copy);
        CHECK(told.of(5).message == moved);
        CHECK(told.of(5).progress == progress);
        CHECK_FALSE(told.of(5).fresh);
        CHECK(told.holdings.index.waits(line(9), MessageId{5}));
        CHECK(*told.holdings.index.delivered(MessageId{5}) == std::set<std::uint16_t>{0});
        CHECK(told.holdings.emptied == (original ? std::set<std::uint32_t>{1} : std::set<std::uint32_t>{}));
        // What the progress does not know stays noted.
        const Place again = told.tell(4, Kind::progress, 5, waits_until(9), copy);
        CHECK(told.of(5).progress == again);
        CHECK(*told.holdings.index.delivered(MessageId{5}) == std::set<std::uint16_t>{0});
        told.tell(4, Kind::done, 5, encode_graves({1, 3}));
        told.replay.end(100);
        CHECK_FALSE(told.has(5));
    }
}

TEST_CASE("of what lies ahead of a moved message the last counts") {
    Told told;
    told.tell(1, Kind::delivered, 5, encode_delivered({1}));
    told.tell(1, Kind::progress, 5, waits_until(1), flags(false, false, false, true));
    told.tell(1, Kind::delivered, 5, encode_delivered({2}));
    const Place last = told.tell(2, Kind::progress, 5, waits_until(2));
    told.tell(2, Kind::delivered, 5, encode_delivered({3}));
    told.tell(3, Kind::message, 5, {}, copy);
    CHECK(told.of(5).progress == last);
    CHECK(told.holdings.index.lines(MessageId{5}) == std::vector<WaitKey>{line(2)});
    CHECK(*told.holdings.index.delivered(MessageId{5}) == std::set<std::uint16_t>{3});
}

TEST_CASE("what a message is said of that never comes leaves nothing") {
    Told told;
    told.tell(1, Kind::progress, 5, waits_until(1));
    told.tell(1, Kind::delivered, 6, encode_delivered({1}));
    told.replay.end(100);
    CHECK(told.holdings.index.size() == 0);
    CHECK(told.holdings.index.routes().empty());
    CHECK(told.holdings.last_id == MessageId{6});
}

TEST_CASE("a bounce counts only together with what it belongs to") {
    for (const bool done : {true, false}) {
        const Kind kind = done ? Kind::done : Kind::progress;
        const std::string body = done ? encode_graves({1, 1}) : waits_until(3);
        {
            Told told;
            told.tell(1, Kind::message, 5);
            told.tell(1, Kind::message, 6, {}, followed);
            CHECK_FALSE(told.has(6));
            told.tell(1, kind, 5, body, follows);
            CHECK(told.has(6));
            CHECK(told.has(5) != done);
            told.replay.end(0);
            CHECK(told.has(6));
        }
        // The one or the other is missing: it never was on the disk, or has been damaged since.
        for (const bool durable : {true, false})
            for (const bool bounce : {true, false}) {
                Told told;
                told.tell(1, Kind::message, 5);
                if (bounce)
                    told.tell(1, Kind::message, 6, {}, followed);
                else
                    ++told.sequence;
                if (bounce)
                    ++told.sequence;
                else
                    told.tell(1, kind, 5, body, follows);
                told.tell(1, Kind::message, 9);
                CHECK(told.has(9));
                // The bounce is 2, what it belongs to 3.
                told.replay.end(durable ? (bounce ? 4 : 3) : (bounce ? 3 : 2));
                CHECK(told.has(6) == (bounce && durable));
                const bool counts = !bounce && durable;
                CHECK(told.has(5) == (!done || !counts));
                if (!done) CHECK(told.holdings.index.waiting(route) == (counts ? 1 : 0));
            }
    }
}

TEST_CASE("halves that stand side by side are no whole") {
    Told told;
    told.tell(1, Kind::message, 5);
    told.tell(1, Kind::message, 6, {}, followed);
    ++told.sequence;
    ++told.sequence;
    told.tell(1, Kind::done, 5, encode_graves({1, 1}), follows);
    told.replay.end(0);
    CHECK(told.has(5));
    CHECK_FALSE(told.has(6));
}

TEST_CASE("a half is proven by what comes later of the same message, or overtaken by it") {
    Told told;
    const Place bounce = told.tell(1, Kind::message, 6, {}, followed);
    ++told.sequence;
    const Place progress = told.tell(1, Kind::progress, 6, waits_until(3));
    CHECK(told.of(6).message == bounce);
    CHECK(told.of(6).progress == progress);

    told.tell(1, Kind::message, 7, {}, followed);
    ++told.sequence;
    told.tell(1, Kind::done, 7, encode_graves({1, 1}));
    told.replay.end(100);
    CHECK_FALSE(told.has(7));
}

TEST_CASE("that its id was given proves no half") {
    Told told;
    told.tell(1, Kind::message, 5);
    told.tell(1, Kind::message, 6, {}, followed);
    ++told.sequence;  // what became of 5
    told.tell(1, Kind::delivered, 6, encode_delivered({}));
    told.replay.end(0);
    CHECK(told.has(5));
    CHECK_FALSE(told.has(6));
}

TEST_CASE("a damaged record says by its header alone that a message is gone, and nothing else") {
    Told told;
    told.tell(1, Kind::message, 5);
    told.tell(1, Kind::progress, 5, waits_until(3));
    const auto damaged = [&](Kind kind, std::uint64_t id) {
        RecordHeader header;
        header.kind = kind;
        header.id.value = id;
        header.sequence = ++told.sequence;
        told.replay.header(header, {3, 1000, 48});
    };
    damaged(Kind::progress, 5);
    damaged(Kind::delivered, 5);
    damaged(Kind::message, 8);
    CHECK(told.holdings.index.waits(line(3), MessageId{5}));
    CHECK_FALSE(told.has(8));
    CHECK(told.holdings.last_id == MessageId{8});
    damaged(Kind::done, 5);
    CHECK_FALSE(told.has(5));
    // Where records of it may lie is not known: its end is needed as long as there is anything in front of
    // it.
    const Graves graves = told.holdings.graves.by_segment().at(3).begin()->first;
    CHECK(GraveLedger::needed(3, graves, {{1, Segment{}}, {3, Segment{}}}));
    CHECK_FALSE(GraveLedger::needed(3, graves, {{3, Segment{}}, {7, Segment{}}}));
}

TEST_CASE("a damaged end that belongs to a bounce counts only together with it, too") {
    for (const bool bounce : {true, false}) {
        Told told;
        told.tell(1, Kind::message, 5);
        if (bounce)
            told.tell(1, Kind::message, 6, {}, followed);
        else
            ++told.sequence;
        RecordHeader header = follows;
        header.kind = Kind::done;
        header.id.value = 5;
        header.sequence = ++told.sequence;
        told.replay.header(header, {1, 1000, 56});
        told.replay.end(0);
        CHECK(told.has(5) == !bounce);
        CHECK(told.has(6) == bounce);
    }
}

TEST_CASE("halves whose process ended before they were durable never count, whatever becomes durable later") {
    for (const bool bounce : {true, false}) {
        Told told;
        told.tell(1, Kind::message, 5);
        if (bounce)
            told.tell(1, Kind::message, 6, {}, followed);
        else
            ++told.sequence;
        if (bounce)
            ++told.sequence;
        else
            told.tell(1, Kind::done, 5, encode_graves({1, 1}), follows);
        RecordHeader first;
        first.first = true;
        first.durable = 2;
        told.tell(2, Kind::message, 9, {}, first);
        told.replay.end(100);
        CHECK(told.has(5));
        CHECK_FALSE(told.has(6));
    }
}

TEST_CASE("a body that does not parse changes nothing") {
    Told told;
    told.tell(1, Kind::message, 5);
    const Place progress = told.tell(1, Kind::progress, 5, waits_until(3));
    told.tell(1, Kind::progress, 5, "no progress");
    told.tell(1, Kind::delivered, 5, "odd");
    CHECK(told.of(5).progress == progress);
    CHECK(told.holdings.index.delivered(MessageId{5}) == nullptr);
}
