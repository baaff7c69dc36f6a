#include "relay/queue/volume.h"

#include <fcntl.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <iostream>
#include <map>
#include <memory>
#include <random>
#include <set>

#include "relay/queue/inspection.h"
#include "tests/unit/relay/folder.h"

using namespace postern::relay;
using namespace postern::tests;
using Table = Volume::Table;

namespace {
constexpr std::uint64_t size = 1 << 20;
const auto nobody = [](MessageId) { return false; };
Time at(int seconds) { return Time(std::chrono::seconds(seconds)); }
}  // namespace

TEST_CASE("a volume holds what was committed, and is found intact after any history", "[volume]") {
    const char* given = std::getenv("POSTERN_SEED");
    const unsigned seed =
        given != nullptr ? static_cast<unsigned>(std::stoul(given)) : std::random_device{}();
    std::cout << "volume: POSTERN_SEED=" << seed << std::endl;
    CAPTURE(seed);
    std::mt19937 random(seed);
    Folder folder;
    auto file = folder.path() / "00000001.volume";
    std::map<std::uint64_t, std::string> contents;
    std::set<std::pair<int, std::uint64_t>> waiting;
    auto volume = std::make_unique<Volume>(file, 1, size);
    for (int round = 0; round < 60; ++round) {
        // Some transactions fill, some empty: pages are taken, given back, and taken again.
        bool fills = random() % 2 == 0;
        auto kept = contents;
        auto kept_waiting = waiting;
        auto write = std::make_unique<Volume::Write>(*volume);
        for (unsigned left = random() % 20; left > 0; --left) {
            std::uint64_t id = 1 + random() % 60;
            int due = static_cast<int>(random() % 30);
            if (fills) {
                std::string content(random() % (random() % 4 == 0 ? 15'000 : 900), 'x');
                write->put(Table::message, MessageId{id}, "record");
                write->put(Table::content, MessageId{id}, content);
                write->wait({RouteKey::exchangers("a"), at(due)}, MessageId{id});
                kept[id] = content;
                kept_waiting.emplace(due, id);
            } else {
                write->erase(Table::message, MessageId{id});
                write->erase(Table::content, MessageId{id});
                write->unwait({RouteKey::exchangers("a"), at(due)}, MessageId{id});
                kept.erase(id);
                kept_waiting.erase({due, id});
            }
        }
        if (random() % 4 > 0) {
            REQUIRE_FALSE(write->commit());
            contents = std::move(kept);
            waiting = std::move(kept_waiting);
        }
        write.reset();
        if (random() % 3 > 0) continue;
        volume.reset();
        REQUIRE(inspect_volume(file, size) == Soundness::sound);
        volume = std::make_unique<Volume>(file, 1, size);
        REQUIRE(volume->messages() == contents.size());
        REQUIRE(volume->waiting() == waiting.size());
        auto ids = volume->ids(Table::message, {}, 1000);
        REQUIRE(ids.size() == contents.size());
        for (MessageId id : ids) REQUIRE(volume->get(Table::content, id) == contents.at(id.value));
        auto due = volume->due(RouteKey::exchangers("a"), at(1000), 1000, nobody);
        REQUIRE(due.size() == waiting.size());
        auto expected = waiting.begin();
        for (const auto& entry : due) {
            REQUIRE(entry.due == at(expected->first));
            REQUIRE(entry.id.value == expected++->second);
        }
    }
}

TEST_CASE("what waits is found by destination and time", "[volume]") {
    Folder folder;
    Volume volume(folder.path() / "v", 3, size);
    const RouteKey routes[] = {RouteKey::gateway("a"),      RouteKey::exchangers("a"),
                               RouteKey::exchangers("a.b"), RouteKey::exchangers("a.bc"),
                               RouteKey::exchangers("b"),   RouteKey::primary("main")};
    {
        Volume::Write write(volume);
        for (std::uint64_t id = 1; id <= 5; ++id)
            for (const auto& route : routes)
                write.wait({route, at(static_cast<int>(10 * id))}, MessageId{id});
        REQUIRE_FALSE(write.commit());
    }
    auto all = volume.routes();
    REQUIRE(all.size() == std::size(routes));
    for (std::size_t one = 0; one < all.size(); ++one) CHECK(all[one] == WaitKey{routes[one], at(10)});
    for (const auto& route : routes) {
        CHECK(volume.due(route, at(9), 100, nobody).empty());
        CHECK(volume.due(route, at(30), 100, nobody).size() == 3);
        CHECK(volume.due(route, at(100), 2, nobody).size() == 2);
        auto later = volume.due(route, at(100), 1, [](MessageId id) { return id.value < 4; });
        REQUIRE(later.size() == 1);
        CHECK(later[0].id == MessageId{4});
        CHECK(later[0].volume == 3);
        CHECK(later[0].due == at(40));
    }
    CHECK(volume.due(RouteKey::exchangers(""), at(100), 100, nobody).empty());
    CHECK(volume.due(RouteKey::exchangers("c"), at(100), 100, nobody).empty());
}

TEST_CASE("what the engine cannot read is not taken for something that is not there", "[volume]") {
    Folder folder;
    const auto file = folder.path() / "v";
    Volume volume(file, 1, size);
    {
        Volume::Write write(volume);
        write.put(Table::message, MessageId{1}, "a");
        write.wait({RouteKey::exchangers("a"), at(1)}, MessageId{1});
        REQUIRE_FALSE(write.commit());
    }
    REQUIRE(volume.has(Table::message, MessageId{1}));
    // No page but the two first ones says any more what it is.
    const int opened = ::open(file.c_str(), O_WRONLY | O_CLOEXEC);
    for (off_t page = 2; page < static_cast<off_t>(volume.high_water()) / 4096; ++page)
        REQUIRE(::pwrite(opened, "\0\0", 2, page * 4096 + 10) == 2);
    ::close(opened);
    CHECK_THROWS_AS(volume.has(Table::message, MessageId{1}), std::system_error);
    CHECK_THROWS_AS(volume.get(Table::message, MessageId{1}), std::system_error);
    CHECK_THROWS_AS(volume.ids(Table::message, {}, 10), std::system_error);
    CHECK_THROWS_AS(volume.last_id(), std::system_error);
    CHECK_THROWS_AS(volume.due(RouteKey::exchangers("a"), at(10), 10, nobody), std::system_error);
    CHECK_THROWS_AS(volume.waits({RouteKey::exchangers("a"), at(1)}, MessageId{1}), std::system_error);
    CHECK_THROWS_AS(volume.routes(), std::system_error);
    CHECK_THROWS_AS(volume.messages(), std::system_error);
    CHECK_FALSE(volume.known_empty());
}

TEST_CASE("a transaction without commit leaves nothing, one that does not fit is an error", "[volume]") {
    Folder folder;
    Volume volume(folder.path() / "v", 1, size);
    {
        Volume::Write write(volume);
        write.put(Table::message, MessageId{1}, "a");
    }
    CHECK_FALSE(volume.has(Table::message, MessageId{1}));
    CHECK(volume.last_id() == MessageId{});
    {
        Volume::Write write(volume);
        for (std::uint64_t id = 1; id < 100; ++id)
            write.put(Table::content, MessageId{id}, std::string(100'000, 'x'));
        CHECK(write.commit() == lmdb_error(MDB_MAP_FULL));
    }
    {
        Volume::Write write(volume);
        write.put(Table::message, MessageId{2}, "b");
        CHECK_FALSE(write.commit());
    }
    CHECK(volume.get(Table::message, MessageId{2}) == "b");
    CHECK_FALSE(volume.has(Table::content, MessageId{1}));
    CHECK(volume.last_id() == MessageId{2});
    CHECK(volume.ids(Table::message, MessageId{2}, 10).empty());
}
