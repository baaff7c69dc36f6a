// What is done beside the mail changes nothing of it.
#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <string>
#include <thread>
#include <utility>

#include "relay/queue/recovery.h"
#include "relay/queue/upkeep.h"
#include "tests/unit/relay/failing_disk.h"
#include "tests/unit/relay/folder.h"
#include "tests/unit/relay/journal_story.h"
#include "tests/unit/relay/kept_spool.h"
#include "tests/unit/relay/memory_disk.h"
#include "tests/unit/relay/segment_image.h"
#include "tests/unit/stepped_clock.h"

using namespace postern;
using namespace postern::relay;
using namespace postern::tests;

namespace {

constexpr std::uint64_t segment_size = 16 << 10;

std::string body_of(std::uint64_t id, std::size_t size) {
    const std::string content(size, 'x');
    Message message;
    message.id.value = id;
    message.envelope.forward_paths = {{"r", "dest.example"}};
    message.content.size = content.size();
    message.content.checksum = checksum(content);
    return counted(encode_message(message)) + content;
}

/// Notes that nobody needs, a segment of them at a time.
template <typename Done>
void fill_until(Spool& spool, const Done& done) {
    for (int segments = 0; !done(); ++segments) {
        REQUIRE(segments < 5000);
        for (int notes = 0; notes < 300; ++notes) spool.note_delivered(MessageId{7}, {0});
        spool.wait_for_notes();
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
}

}  // namespace

TEST_CASE("the end of a message that counted only with a bounce that never came is not moved") {
    const Folder folder;
    const auto spool = folder.path() / "spool";
    MemoryDisk disk;
    std::filesystem::create_directories(spool);  // an earlier spool is looked for there
    disk.make_folder(spool);
    SegmentImage first(1), second(2);
    first.add(RecordHeader::Kind::message, 1, body_of(1, 10'000));
    second.next = first.next;
    second.add(RecordHeader::Kind::message, 2, body_of(2, 10));
    second.octets.resize(second.octets.size() + 64);  // the bounce
    ++second.next;
    RecordHeader end;
    end.kind = RecordHeader::Kind::done;
    end.id.value = 1;
    end.follows = true;
    second.add(end, encode_graves({1, 1}));
    for (auto* image : {&first, &second}) {
        image->octets.resize(segment_size);
        disk.put(spool / image->name.text(), image->octets);
    }
    const base::SystemClock clock;
    auto options = KeptSpool::options;
    options.segment_size = segment_size;
    {
        KeptSpool kept(folder.path(), clock, disk, options);
        CHECK(kept.spool.count() == 2);
        while (disk.has(spool / second.name.text()))
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    REQUIRE_FALSE(disk.remove(spool / "checkpoint"));
    KeptSpool again(folder.path(), clock, disk, options);
    CHECK(again.spool.contains(MessageId{1}));
    CHECK(again.spool.contains(MessageId{2}));
}

TEST_CASE("a segment that cannot be removed is not gone through again and again") {
    const Folder folder;
    const auto spool = folder.path() / "spool";
    MemoryDisk disk;
    std::filesystem::create_directories(spool);  // an earlier spool is looked for there
    disk.make_folder(spool);
    SegmentImage first(1), second(2);
    first.add(RecordHeader::Kind::message, 1, body_of(1, 10));
    second.next = first.next;
    for (auto* image : {&first, &second}) {
        image->octets.resize(segment_size);
        disk.put(spool / image->name.text(), image->octets);
    }
    const base::SystemClock clock;
    auto options = KeptSpool::options;
    options.segment_size = segment_size;
    KeptSpool kept(folder.path(), clock, disk, options);
    // A segment each, in which what follows has room whatever is moved there: no other can be begun then.
    const std::string content(segment_size - 1000, 'x');
    const auto message = message_with(kept.spool, content, false);
    CHECK_FALSE(kept.accept(message));
    CHECK_FALSE(kept.accept(message_with(kept.spool, content, false)));
    using Act = MemoryDisk::Act;
    disk.fail(Act::rename, std::errc::permission_denied, 1'000'000);
    disk.fail(Act::remove, std::errc::permission_denied, 1'000'000);
    Change change;
    change.id = message->message.id;
    change.done = true;
    kept.change(std::move(change));
    std::this_thread::sleep_for(std::chrono::milliseconds(1500));
    const auto before = disk.count(Act::open);
    std::this_thread::sleep_for(std::chrono::milliseconds(2500));
    CHECK(disk.count(Act::open) - before < 20);
    disk.fail(Act::rename, {}, 0);
    disk.fail(Act::remove, {}, 0);
}

TEST_CASE("of what is not on the disk nothing is moved") {
    const Folder folder;
    const auto spool = folder.path() / "spool";
    MemoryDisk disk;
    std::filesystem::create_directories(spool);  // an earlier spool is looked for there
    disk.make_folder(spool);
    const base::SystemClock clock;
    auto options = KeptSpool::options;
    options.segment_size = segment_size;
    {
        KeptSpool kept(folder.path(), clock, disk, options);
        const auto message = message_with(kept.spool, "x\r\n", false);
        CHECK_FALSE(kept.accept(message));
        const auto fill = [&](int notes) {
            while (notes-- > 0) kept.spool.note_delivered(MessageId{7}, {0});
            kept.spool.wait_for_notes();
        };
        fill(300);  // up to the next one
        disk.fail(MemoryDisk::Act::sync, std::errc::io_error, 1'000'000);
        Change change;
        change.id = message->message.id;
        change.done = true;
        change.bounce = message_with(kept.spool, "y\r\n", false);
        kept.spool.change(std::move(change));
        while (kept.spool.contains(message->message.id))
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        fill(1000);
        REQUIRE(disk.names(spool)->size() > 3);
        std::this_thread::sleep_for(std::chrono::milliseconds(1500));  // longer than upkeep waits
        disk.fail(MemoryDisk::Act::sync, {}, 0);
        INFO(story_of(disk, spool, message->message.id));
        CHECK(story_of(disk, spool, message->message.id).find("4c") == std::string::npos);
    }
}

TEST_CASE("the end of a message tells of a copy that was written in vain") {
    const Folder folder;
    FailingDisk disk;
    const base::SystemClock clock;
    auto options = KeptSpool::options;
    options.segment_size = segment_size;
    KeptSpool kept(folder.path(), clock, disk, options);
    const auto message = message_with(kept.spool, std::string(1000, 'x'), false);
    CHECK_FALSE(kept.accept(message));
    std::atomic<int> writes = 0;  // of the copy, and of what should erase it
    disk.plan([&](const FailingDisk::Asked& asked) {
        // No note, and no space that is prepared.
        const bool copy = asked.operation == FailingDisk::Operation::write && asked.size > 1000 &&
                          asked.size < 2000 && !asked.file.string().ends_with(".new");
        return copy && ++writes <= 2 ? std::make_error_code(std::errc::io_error) : std::error_code();
    });
    // Until there is another segment, and the first is worth being emptied.
    for (int notes = 0; notes < 300; ++notes) {
        kept.spool.note_delivered(MessageId{7}, {0});
        kept.spool.wait_for_notes();
    }
    while (writes < 2) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    Change change;
    change.id = message->message.id;
    change.done = true;
    kept.change(std::move(change));
    CHECK(story_of(disk, folder.path() / "spool", message->message.id).find("(1..2)") != std::string::npos);
    disk.mend();
}

TEST_CASE("what a checkpoint begins with stays, also where making it failed behind its name") {
    const Folder folder;
    FailingDisk disk;
    const base::SystemClock clock;
    auto options = KeptSpool::options;
    options.segment_size = segment_size;
    {
        std::atomic<bool> named = false, told = false;
        std::atomic<int> tried = 0;  // to write another one
        std::thread::id upkeep;
        disk.plan([&](const FailingDisk::Asked& asked) {
            using Operation = FailingDisk::Operation;
            const bool making = asked.is(Operation::create, "checkpoint.new");
            // By who gave it its name, and not of somebody else's commit.
            const bool telling =
                asked.operation == Operation::sync_folder && std::this_thread::get_id() == upkeep;
            const bool fails = named && (asked.is(Operation::remove, "checkpoint") || making ||
                                         (telling && !told.exchange(true)));
            tried += named && making;
            if (asked.is(Operation::rename, "checkpoint.new")) {
                upkeep = std::this_thread::get_id();
                named = true;
            }
            return fails ? std::make_error_code(std::errc::io_error) : std::error_code();
        });
        KeptSpool kept(folder.path(), clock, disk, options);
        fill_until(kept.spool, [&] { return named && told; });
        int more = 4;
        fill_until(kept.spool, [&] { return --more < 0; });
        // Upkeep has been through with all of them.
        const int before = tried;
        fill_until(kept.spool, [&] { return tried >= before + 3; });
    }
    disk.mend();
    const KeptSpool again(folder.path(), clock, disk, options);
    CHECK(again.reports().empty());
}

// It is no entry yet, and the next start would read on behind it.
TEST_CASE("no checkpoint begins behind a report that is written and could not be synced") {
    const Folder folder;
    const auto spool = folder.path() / "spool";
    MemoryDisk disk;
    disk.make_folder(spool);
    const base::SystemClock clock;
    Journal journal(disk, spool, segment_size);
    Holdings holdings;
    REQUIRE(recover(disk, journal, holdings));
    Upkeep upkeep(disk, clock, journal, holdings,
                  {[](const std::function<void()>& work) { work(); }, [&] { return !journal.sync(); },
                   [](std::string_view, bool) {}},
                  {}, 0, {});
    holdings.coming = 1;
    upkeep.last_checkpoint();
    CHECK_FALSE(disk.has(spool / "checkpoint"));
    CHECK_FALSE(disk.has(spool / "checkpoint.new"));
    holdings.coming = 0;
    upkeep.last_checkpoint();
    CHECK(disk.has(spool / "checkpoint"));
}

TEST_CASE("no id comes again when the checkpoint is lost and the clock was set back") {
    const Folder folder;
    MemoryDisk disk;
    const auto spool = folder.path() / "spool";
    std::filesystem::create_directories(spool);  // an earlier spool is looked for there
    disk.make_folder(spool);
    const base::SystemClock clock;
    auto options = KeptSpool::options;
    options.segment_size = segment_size;
    MessageId last;
    {
        KeptSpool kept(folder.path(), clock, disk, options);
        const auto message = message_with(kept.spool, "x\r\n", false);
        last = message->message.id;
        CHECK_FALSE(kept.accept(message));
        const auto first = disk.names(spool)->front();
        Change change;
        change.id = last;
        change.done = true;
        kept.change(std::move(change));
        fill_until(kept.spool, [&] { return !disk.has(spool / first); });
    }
    REQUIRE_FALSE(disk.remove(spool / "checkpoint"));
    const SteppedClock set_back(std::chrono::sys_days(std::chrono::year(2020) / 1 / 1));
    KeptSpool again(folder.path(), set_back, disk, options);
    CHECK(last < again.spool.new_id());
}
