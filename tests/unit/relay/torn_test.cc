// What was begun and does not count: left by a write that failed, or by a crash; and what only looks like it.
#include <catch2/catch.hpp>
#include <chrono>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>

#include "relay/queue/journal.h"
#include "relay/queue/recovery.h"
#include "tests/unit/relay/folder.h"
#include "tests/unit/relay/kept_spool.h"
#include "tests/unit/relay/memory_disk.h"
#include "tests/unit/relay/mortal_disk.h"
#include "tests/unit/relay/segment_image.h"

using namespace postern;
using namespace postern::relay;
using namespace postern::tests;
using Kind = RecordHeader::Kind;
using Act = MemoryDisk::Act;

namespace {

constexpr std::uint64_t segment_size = 32 << 10;

const std::string content = "x\r\n";

std::string body_of(std::uint64_t id, bool own_file = false) {
    Message message;
    message.id.value = id;
    message.envelope.forward_paths = {{"r", "dest.example"}};
    message.content.size = content.size();
    message.content.checksum = checksum(content);
    if (own_file) message.content.file = message.id.text();
    return counted(encode_message(message)) + (own_file ? std::string() : content);
}

Recovered looked_at(MemoryDisk& disk, const SegmentImage& image, std::uint64_t new_size) {
    const std::filesystem::path folder = "/spool";
    disk.put(folder / image.name.text(), image.octets);
    const JournalFiles files{
        folder, {{image.name.number, Segment{image.name, image.octets.size()}}}, new_size};
    Holdings holdings;
    return look_through(disk, files, holdings, false).value();
}

}  // namespace

TEST_CASE("a segment that was made for one group of records is whole, however large new ones are") {
    MemoryDisk disk;
    SegmentImage image(1);
    image.add(Kind::message, 1, std::string(5'000, 'x'));
    CHECK(looked_at(disk, image, segment_size).losses.empty());
    SECTION("but one that ends between two records may be cut") {
        image.add(Kind::message, 2, std::string(5'000, 'x'));
        CHECK(looked_at(disk, image, segment_size).losses.size() == 1);
    }
    SECTION("and one that ends where a record begins is") {
        image.octets += std::string(image.octets.substr(0, 16));
        CHECK(looked_at(disk, image, segment_size).losses.size() == 1);
    }
    SECTION("and one that has space left that is too little is whole") {
        image.add(Kind::message, 2, std::string(5'000, 'x'));
        image.octets += std::string(40, '\0');
        CHECK(looked_at(disk, image, segment_size).losses.empty());
    }
}

TEST_CASE("a damaged end of a message does not keep its segment for good") {
    const Folder folder;
    const auto spool = folder.path() / "spool";
    std::filesystem::create_directories(spool);  // an earlier spool is looked for there
    MemoryDisk disk;
    disk.make_folder(spool);
    SegmentImage first(1), second(2);
    first.add(Kind::message, 1, body_of(1));
    second.next = first.next;
    const Place end = second.add(Kind::done, 1, encode_graves({1, 1}));
    second.add(Kind::message, 2, body_of(2));
    second.octets[end.offset() + record_header_size] ^= 1;
    for (auto* image : {&first, &second}) {
        image->octets.resize(segment_size);
        disk.put(spool / image->name.text(), image->octets);
    }
    const base::SystemClock clock;
    auto options = KeptSpool::options;
    options.segment_size = segment_size;
    {
        KeptSpool kept(folder.path(), clock, disk, options);
        CHECK(kept.spool.count() == 1);
        while (disk.has(spool / second.name.text()))
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    disk.remove(spool / "checkpoint");
    KeptSpool again(folder.path(), clock, disk, options);
    CHECK(again.spool.count() == 1);
    CHECK(again.spool.contains(MessageId{2}));
}

TEST_CASE("nothing becomes durable before what was written in vain is taken back") {
    const std::filesystem::path folder = "/spool";
    MemoryDisk disk;
    disk.make_folder(folder);
    const std::string body = body_of(1);
    Draft draft(Kind::message, MessageId{1}, body);
    {
        Journal journal(disk, folder, segment_size);
        REQUIRE_FALSE(journal.resume(0, 0, 1, 1));
        REQUIRE(journal.append(std::span(&draft, 1)));
        REQUIRE_FALSE(journal.sync());
        // Half of it is written, and the erasing of that fails too.
        disk.fail(Act::write, std::errc::io_error, 4);
        CHECK_FALSE(journal.append(std::span(&draft, 1)));
        CHECK(journal.sync());
        disk.fail(Act::write, {}, 0);
        REQUIRE_FALSE(journal.sync());
        REQUIRE(journal.append(std::span(&draft, 1)));
        CHECK(draft.header.first);
        CHECK(draft.header.sequence == 3);
        REQUIRE_FALSE(journal.sync());
    }
    Journal journal(disk, folder, segment_size);
    Holdings holdings;
    const auto found = recover(disk, journal, holdings);
    REQUIRE(found);
    CHECK(found->losses.empty());
    CHECK(found->records == 2);
    CHECK(journal.next() == 4);
}

TEST_CASE("a record that cannot be taken back at once is later, and leaves no gap") {
    const std::filesystem::path folder = "/spool";
    MemoryDisk disk;
    disk.make_folder(folder);
    const std::string body = body_of(1);
    Draft draft(Kind::message, MessageId{1}, body);
    {
        Journal journal(disk, folder, segment_size);
        REQUIRE_FALSE(journal.resume(0, 0, 1, 1));
        const auto places = journal.append(std::span(&draft, 1));
        REQUIRE(places);
        SECTION("it cannot be read at first") { disk.fail(Act::read, std::errc::io_error); }
        SECTION("half of it is written over at first") { disk.fail(Act::write, std::errc::io_error); }
        journal.take_back(*places);
        REQUIRE_FALSE(journal.sync());
        REQUIRE(journal.append(std::span(&draft, 1)));
        REQUIRE_FALSE(journal.sync());
        REQUIRE(journal.append(std::span(&draft, 1)));
    }
    Journal journal(disk, folder, segment_size);
    Holdings holdings;
    const auto found = recover(disk, journal, holdings);
    REQUIRE(found);
    CHECK(found->losses.empty());
    CHECK(found->records == 3);
}

TEST_CASE("a record that was taken back says nothing, whatever its body is") {
    MemoryDisk disk;
    SegmentImage image(1);
    image.add(Kind::message, 1, body_of(1));
    const Place gone = image.add(Kind::delivered, 0, "xxxx");
    image.add(Kind::message, 2, body_of(2));
    image.octets[gone.offset() + record_header_size] ^= 1;
    image.octets.resize(segment_size);
    CHECK(looked_at(disk, image, segment_size).losses.empty());
}

TEST_CASE("nothing is missed behind a segment that says nothing, when the one in front of it is gone") {
    const std::filesystem::path folder = "/spool";
    MemoryDisk disk;
    disk.make_folder(folder);
    // A write that failed was taken back from all of the third; what was in the second was needed no more.
    SegmentImage first(1), third(3), fourth(4);
    first.add(Kind::message, 1, body_of(1));
    RecordHeader header;
    header.kind = Kind::message;
    header.id.value = 2;
    header.first = true;
    header.durable = 8;
    fourth.next = 10;
    fourth.add(header, body_of(2));
    for (auto* image : {&first, &third, &fourth}) {
        image->octets.resize(segment_size);
        disk.put(folder / image->name.text(), image->octets);
    }
    Journal journal(disk, folder, segment_size);
    Holdings holdings;
    const auto found = recover(disk, journal, holdings);
    REQUIRE(found);
    CHECK(found->losses.empty());
    CHECK(holdings.index.size() == 2);
}

TEST_CASE("what was left in the place of others is no damage where no record has room") {
    const std::filesystem::path folder = "/spool";
    MemoryDisk disk;
    SegmentImage first(1), second(2);
    first.add(Kind::message, 1, body_of(1));
    // Of a write that failed; behind it is the end of what was written over it then.
    first.add(Kind::delivered, 2, encode_delivered({0}));
    std::uint64_t size = segment_size;
    std::size_t losses = 0;
    SECTION("between two records") {
        first.octets += std::string(24, 'x');
        first.next += 7;
        first.add(Kind::message, 3, body_of(3));
        second.next = first.next;
        first.octets.resize(segment_size);
    }
    SECTION("at the end of a segment") {
        size = first.octets.size() + 24;
        first.octets.resize(size);
        second.next = first.next + 7;
    }
    SECTION("but a segment that was cut has less room than it had") {
        second.next = first.next + 7;
        losses = 1;
    }
    RecordHeader header;
    header.kind = Kind::message;
    header.id.value = 4;
    header.durable = second.next;
    second.add(header, body_of(4));
    second.octets.resize(size);
    JournalFiles files{folder, {}, size};
    for (const auto* image : {&first, &second}) {
        disk.put(folder / image->name.text(), image->octets);
        files.segments[image->name.number] = Segment{image->name, image->octets.size()};
    }
    Holdings holdings;
    const auto found = look_through(disk, files, holdings, false);
    REQUIRE(found);
    CHECK(found->losses.size() == losses);
}

// Else it counts again where that which made it say nothing is gone with the next crash, and has no content.
TEST_CASE("the content of what does not count goes when that is settled, wherever a start ends") {
    const auto options = [] {
        auto out = KeptSpool::options;
        out.segment_size = segment_size;
        return out;
    }();
    SegmentImage image(1);
    image.add(Kind::message, 1, body_of(1));
    // The header of what was torn lies in two sectors. Behind it something is left of a write that failed.
    constexpr std::size_t sector = 512, in_front = 24;
    image.add(Kind::message, 2,
              std::string(sector - in_front - image.octets.size() - record_header_size, 'x'));
    image.next = 9;
    const Place torn = image.add(Kind::message, 9, body_of(9));
    REQUIRE(torn.offset() == sector - in_front);
    image.octets[torn.offset() + record_header_size + 8] ^= 1;
    image.next = 5;
    image.add(Kind::message, 5, body_of(5, true));
    image.octets.resize(segment_size);
    const base::SystemClock clock;
    std::mt19937 random(1);
    bool ended = true;
    for (std::size_t operation = 1; ended; ++operation)
        for (int tries = 0; tries < 20; ++tries) {
            CAPTURE(operation, tries);
            const Folder folder;
            const auto spool = folder.path() / "spool";
            std::filesystem::create_directories(spool);  // an earlier spool is looked for there
            MemoryDisk disk;
            disk.make_folder(spool);
            disk.put(spool / image.name.text(), image.octets);
            disk.put(spool / "content" / MessageId{5}.text(), content);
            MortalDisk process(disk, 1);
            process.kill_before(operation, [&] { disk.crash([&] { return random() % 2 == 0; }); });
            try {
                const Spool life(
                    folder.path(), clock, process, options, [](Committed) {}, [](std::string_view, bool) {});
            } catch (const std::runtime_error&) {
                CHECK(process.dead());
            }
            ended = process.dead();
            const Spool again(
                folder.path(), clock, disk, options, [](Committed) {}, [](std::string_view, bool) {});
            if (!again.contains(MessageId{5})) continue;
            const auto loaded = again.load(MessageId{5});
            REQUIRE((loaded && loaded->stored));
            CHECK(again.load_content(loaded->stored->message));
        }
}

TEST_CASE("what a crash tore is no damage when that which shows it is gone") {
    const std::filesystem::path folder = "/spool";
    MemoryDisk disk;
    disk.make_folder(folder);
    SegmentImage image(1);
    image.add(Kind::message, 1, body_of(1));
    const std::size_t gap = image.octets.size();
    image.octets.resize(gap + 128);
    image.next += 2;
    image.add(Kind::message, 2, body_of(2));
    image.octets.resize(segment_size);
    disk.put(folder / image.name.text(), image.octets);
    std::uint64_t next = 0;
    {
        Journal journal(disk, folder, segment_size);
        Holdings holdings;
        const auto found = recover(disk, journal, holdings);
        REQUIRE(found);
        REQUIRE(found->losses.size() == 1);
        const Loss& loss = found->losses.front();
        CHECK(loss.torn);
        CHECK(loss.records == 2);
        REQUIRE_FALSE(journal.give_up(loss.place, loss.sequence + loss.records - 1, loss.durable));
        REQUIRE_FALSE(journal.sync());
        next = journal.next();
    }
    // The segment that was begun is gone, and one behind it says that all before was durable.
    const auto names = disk.names(folder).value();
    for (const auto& name : names)
        if (name != image.name.text()) disk.remove(folder / name);
    SegmentImage last(3);
    last.next = next + 1;
    RecordHeader header;
    header.kind = Kind::message;
    header.id.value = 3;
    header.durable = next + 1;
    last.add(header, body_of(3));
    last.octets.resize(segment_size);
    disk.put(folder / last.name.text(), last.octets);
    Journal journal(disk, folder, segment_size);
    Holdings holdings;
    const auto found = recover(disk, journal, holdings);
    REQUIRE(found);
    CHECK(found->losses.empty());
    CHECK(holdings.index.size() == 3);
}
