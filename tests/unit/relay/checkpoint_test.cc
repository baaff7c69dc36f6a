#include "relay/queue/checkpoint.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <mutex>
#include <random>
#include <string>
#include <thread>

#include "memory_disk.h"
#include "same_index.h"

using namespace postern::relay;
using namespace postern::tests;
using std::chrono::microseconds;
using Act = MemoryDisk::Act;

namespace {

const std::filesystem::path folder = "/spool", file = folder / "checkpoint";
const CheckpointStart start{7, 0x1'0000'0008, 0x0123456789abcdef, {{7, 0xfedcba9876543210}}};

Time at(std::int64_t value) { return Time(microseconds(value)); }

void add(Holdings& holdings, std::uint64_t id, const std::vector<WaitKey>& lines) {
    holdings.index.insert(MessageId{id}, {3, static_cast<std::uint32_t>(id), 100});
    holdings.index.progress(MessageId{id}, {4, static_cast<std::uint32_t>(id), 60}, id % 2 == 0, lines);
}

/// Something of everything.
void fill(Holdings& holdings) {
    const auto strange = RouteKey::exchangers(
                   "b\xc3\xbc"
                   "cher.example"),
               broken = RouteKey::of("\xff\0\n no route");
    add(holdings, 5, {});
    add(holdings, 6, {{RouteKey::held(), at(0)}});
    add(holdings, 7,
        {{strange, at(-1)}, {strange, at(1'700'000'000'000'000)}, {RouteKey::gateways(), at(5)}});
    add(holdings, 0xffff'ffff'ffff'fff0, {{broken, at(0x7fff'ffff'ffff)}, {strange, at(8)}});
    holdings.index.insert(MessageId{8}, {0xffffffff, 0xffffffff, 0xffffffff});
    holdings.index.note_delivered(MessageId{6}, {0, 65535, 256});
    holdings.index.note_delivered(MessageId{8}, {1});
    holdings.graves.add(3, {1, 3});
    holdings.graves.add(3, {2, 3}, 70000);
    holdings.graves.add(0xffffffff, {0, 0xffffffff});
    holdings.emptied = {1, 2, 0xffffffff};
    holdings.last_id = MessageId{0xffff'ffff'ffff'fff1};
}

std::uint64_t write(MemoryDisk& disk, const Holdings& holdings) {
    CheckpointWriter writer(disk, folder, holdings, start);
    for (bool last = false; !last;) {
        const auto step = writer.step();
        REQUIRE(step);
        last = *step;
    }
    const auto size = writer.finish();
    REQUIRE(size);
    return *size;
}

bool empty(const Holdings& holdings) {
    return same_index(holdings.index, {}) && holdings.graves.by_segment().empty() &&
           holdings.emptied.empty() && holdings.last_id == MessageId{};
}

}  // namespace

TEST_CASE("a checkpoint gives back all that it was written from") {
    for (const bool filled : {false, true}) {
        MemoryDisk disk;
        Holdings holdings, read;
        if (filled) fill(holdings);
        const auto size = write(disk, holdings);
        CHECK(size == disk.octets(file).size());
        CHECK_FALSE(disk.has(folder / "checkpoint.new"));
        std::string why;
        const auto found = read_checkpoint(disk, folder, {}, read, why);
        REQUIRE(found);
        CHECK(why.empty());
        CHECK(found->size == size);
        CHECK(found->start.segment == start.segment);
        CHECK(found->start.position == start.position);
        CHECK(found->start.sequence == start.sequence);
        CHECK(found->start.marks == start.marks);
        CHECK(same_index(holdings.index, read.index));
        CHECK(read.graves.by_segment() == holdings.graves.by_segment());
        CHECK(read.emptied == holdings.emptied);
        CHECK(read.last_id == holdings.last_id);
    }
}

TEST_CASE("a checkpoint of other segments than there are is not believed") {
    MemoryDisk disk;
    Holdings holdings, read;
    fill(holdings);
    write(disk, holdings);
    std::map<std::uint32_t, Segment> segments{{7, {{7, start.marks.at(7)}, 100}}, {8, {{8, 1}, 100}}};
    std::string why;
    CHECK(read_checkpoint(disk, folder, segments, read, why));
    segments.at(7).name.mark = 2;
    Holdings other;
    CHECK_FALSE(read_checkpoint(disk, folder, segments, other, why));
    CHECK(why == "was made from other files than there are");
    CHECK(empty(other));
}

TEST_CASE("ends of messages that come while a checkpoint is written are not in it: they are read again") {
    MemoryDisk disk;
    Holdings holdings, read;
    holdings.graves.add(3, {1, 3});
    CheckpointWriter writer(disk, folder, holdings, start);
    holdings.graves.add(7, {1, 7});
    for (bool last = false; !last;) last = writer.step().value();
    REQUIRE(writer.finish());
    std::string why;
    REQUIRE(read_checkpoint(disk, folder, {}, read, why));
    CHECK(read.graves.by_segment().size() == 1);
    CHECK(read.graves.by_segment().contains(3));
}

TEST_CASE("a checkpoint of many messages is written in parts") {
    MemoryDisk disk;
    Holdings holdings, read;
    for (std::uint64_t id = 1; id <= 9000; ++id)
        add(holdings, id,
            {{RouteKey::exchangers("d" + std::to_string(id % 700)), at(static_cast<std::int64_t>(id))}});
    write(disk, holdings);
    std::string why;
    REQUIRE(read_checkpoint(disk, folder, {}, read, why));
    CHECK(same_index(holdings.index, read.index));
    // What is read goes on as what was written.
    for (std::uint64_t id = 1; id <= 9000; id += 3) {
        read.index.erase(MessageId{id});
        holdings.index.erase(MessageId{id});
    }
    add(read, 3, {{RouteKey::gateways(), at(1)}});
    add(holdings, 3, {{RouteKey::gateways(), at(1)}});
    CHECK(same_index(holdings.index, read.index));
}

TEST_CASE(
    "a checkpoint of which any bit has changed, or that ends anywhere, is not believed and leaves nothing") {
    MemoryDisk disk;
    Holdings holdings;
    fill(holdings);
    write(disk, holdings);
    const std::string whole = disk.octets(file);
    Holdings read;
    const auto refused = [&] {
        std::string why;
        return !read_checkpoint(disk, folder, {}, read, why) && !why.empty() && empty(read);
    };
    for (std::uint64_t bit = 0; bit < 8 * whole.size(); ++bit) {
        disk.flip(file, bit);
        if (!refused()) FAIL("bit " << bit);
        disk.flip(file, bit);
    }
    for (std::size_t size = 0; size < whole.size(); ++size) {
        disk.put(file, whole.substr(0, size));
        if (!refused()) FAIL("cut at " << size);
    }
    disk.put(file, std::string(whole.size(), '\0'));
    CHECK(refused());
    // And is of use again when it is whole.
    disk.put(file, whole);
    std::string why;
    CHECK(read_checkpoint(disk, folder, {}, read, why));
    CHECK(same_index(holdings.index, read.index));
}

TEST_CASE("a checkpoint with parts left out, twice or out of their order is not believed") {
    MemoryDisk disk;
    Holdings holdings;
    for (std::uint64_t id = 1; id <= 5000; ++id) add(holdings, id, {});
    write(disk, holdings);
    const std::string whole = disk.octets(file);
    std::vector<std::string> parts;
    for (std::size_t begin = 0; begin < whole.size();) {
        std::size_t size = 0;
        for (std::size_t one = 0; one < 4; ++one)
            size |= std::size_t{static_cast<unsigned char>(whole[begin + one])} << 8 * one;
        parts.push_back(whole.substr(begin, 8 + size));
        begin += parts.back().size();
    }
    REQUIRE(parts.size() >= 4);
    const auto believed = [&](const std::vector<std::size_t>& order) {
        std::string octets;
        for (const std::size_t one : order) octets += parts[one];
        disk.put(file, octets);
        Holdings read;
        std::string why;
        const bool out = read_checkpoint(disk, folder, {}, read, why).has_value();
        CHECK(out != empty(read));
        return out;
    };
    std::vector<std::size_t> all;
    for (std::size_t one = 0; one < parts.size(); ++one) all.push_back(one);
    CHECK(believed(all));
    for (std::size_t out = 0; out < parts.size(); ++out) {
        auto order = all;
        order.erase(order.begin() + static_cast<std::ptrdiff_t>(out));
        CHECK_FALSE(believed(order));
        if (out + 1 == parts.size()) continue;
        order = all;
        std::swap(order[out], order[out + 1]);
        CHECK_FALSE(believed(order));
        order = all;
        order.insert(order.begin() + static_cast<std::ptrdiff_t>(out), out);
        CHECK_FALSE(believed(order));
    }
}

TEST_CASE("that there is no checkpoint is no fault; that it cannot be read is told") {
    MemoryDisk disk;
    disk.make_folder(folder);
    Holdings read;
    std::string why;
    CHECK_FALSE(read_checkpoint(disk, folder, {}, read, why));
    CHECK(why.empty());
    Holdings holdings;
    fill(holdings);
    const auto size = write(disk, holdings);
    for (const std::uint64_t from : {std::uint64_t{0}, size / 2, size - 1}) {
        disk.make_readable(file);
        disk.make_unreadable(file, from, from + 1);
        CHECK_FALSE(read_checkpoint(disk, folder, {}, read, why));
        CHECK(why.find("Input/output error") != std::string::npos);
        CHECK(empty(read));
    }
    disk.make_readable(file);
    disk.fail(Act::open, std::errc::permission_denied);
    CHECK_FALSE(read_checkpoint(disk, folder, {}, read, why));
    CHECK(why.find("Permission denied") != std::string::npos);
    CHECK(read_checkpoint(disk, folder, {}, read, why));
    REQUIRE_FALSE(drop_checkpoint(disk, folder));
    CHECK_FALSE(disk.has(file));
    CHECK_FALSE(drop_checkpoint(disk, folder));
}

TEST_CASE("a checkpoint counts whole or not at all, whatever fails and whenever the machine stops") {
    Holdings old, holdings;
    add(old, 1, {});
    fill(holdings);
    std::mt19937 random(1);
    for (const Act act : {Act::open, Act::write, Act::sync, Act::rename, Act::sync_folder})
        for (int round = 0; round < 20; ++round) {
            MemoryDisk disk;
            write(disk, old);
            CheckpointWriter writer(disk, folder, holdings, start);
            disk.fail(act, std::errc::no_space_on_device);
            auto step = writer.step();
            while (step && !*step) step = writer.step();
            if (step) CHECK_FALSE(writer.finish());
            if (act != Act::sync_folder) {
                Holdings read;
                std::string why;
                REQUIRE(read_checkpoint(disk, folder, {}, read, why));
                CHECK(same_index(read.index, old.index));
            }
            disk.crash([&] { return random() % 2 == 0; });
            Holdings read;
            std::string why;
            REQUIRE(read_checkpoint(disk, folder, {}, read, why));
            CHECK((same_index(read.index, old.index) || same_index(read.index, holdings.index)));
        }
}

TEST_CASE("a checkpoint is written while others go on, and gives each message as it was at some time") {
    MemoryDisk disk;
    Holdings holdings;
    constexpr std::uint64_t steady = 5000;
    for (std::uint64_t id = 10; id <= 10 * steady; id += 10)
        add(holdings, id, {{RouteKey::exchangers("steady" + std::to_string(id % 30)), at(1)}});
    std::atomic<bool> over = false;
    std::atomic<std::size_t> changes = 0;
    std::thread other([&] {
        std::mt19937 random(2);
        while (!over) {
            const std::unique_lock lock(holdings.mutex);
            // Lines come and go, so that their numbers are used again for others.
            const std::uint64_t id = 1 + random() % 9 + 10 * (random() % steady);
            const auto route = RouteKey::gateway("of" + std::to_string(id));
            if (holdings.index.contains(MessageId{id})) {
                holdings.index.erase(MessageId{id});
            } else {
                add(holdings, id,
                    {{route, at(2)}, {RouteKey::gateway("shared" + std::to_string(random() % 5)), at(3)}});
            }
            ++changes;
        }
    });
    for (int round = 0; round < 5; ++round) {
        CheckpointWriter writer(disk, folder, holdings, start);
        for (bool last = false; !last;) {
            const std::size_t before = changes;
            last = writer.step().value();
            while (changes == before) std::this_thread::yield();
        }
        REQUIRE(writer.finish());
        Holdings read;
        std::string why;
        REQUIRE(read_checkpoint(disk, folder, {}, read, why));
        std::size_t found = 0;
        bool good = true;
        for (const MessageId id : read.index.messages({}, 100 * steady)) {
            const auto lines = read.index.lines(id);
            if (id.value % 10 == 0) {
                ++found;
                good = good && lines.size() == 1 &&
                       lines[0].route == RouteKey::exchangers("steady" + std::to_string(id.value % 30));
            } else {
                good = good && lines.size() == 2 &&
                       read.index.waits({RouteKey::gateway("of" + std::to_string(id.value)), at(2)}, id);
            }
        }
        CHECK(good);
        CHECK(found == steady);
    }
    over = true;
    other.join();
}
