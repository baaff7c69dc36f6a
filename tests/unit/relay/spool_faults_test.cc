// What the spool says and does when the disk fails it.
#include <catch2/catch.hpp>
#include <chrono>
#include <string>
#include <thread>

#include "tests/unit/relay/folder.h"
#include "tests/unit/relay/kept_spool.h"
#include "tests/unit/relay/memory_disk.h"

using namespace postern;
using namespace postern::relay;
using namespace postern::tests;

TEST_CASE("a sync that fails for want of room is final") {
    const Folder folder;
    const auto spool = folder.path() / "spool";
    std::filesystem::create_directories(spool);
    MemoryDisk disk;
    disk.make_folder(spool);
    const base::SystemClock clock;
    {
        KeptSpool kept(folder.path(), clock, disk);
        const auto message = message_with(kept.spool, "x\r\n", false);
        CHECK_FALSE(kept.accept(message));
        disk.fail(MemoryDisk::Act::sync, std::errc::no_space_on_device);
        CHECK(kept.accept(message_with(kept.spool, "y\r\n", false)));
        CHECK_FALSE(kept.spool.unhealthy().empty());
    }
}

TEST_CASE("nothing is unstuck by a commit that could not be written") {
    const Folder folder;
    const auto spool = folder.path() / "spool";
    std::filesystem::create_directories(spool);
    MemoryDisk disk;
    disk.make_folder(spool);
    const base::SystemClock clock;
    KeptSpool kept(folder.path(), clock, disk);
    const auto message = message_with(kept.spool, "x\r\n", false);
    CHECK_FALSE(kept.accept(message));
    disk.fail(MemoryDisk::Act::write, std::errc::io_error, 1'000'000);
    CHECK(kept.accept(message_with(kept.spool, "y\r\n", false)));
    kept.spool.note_delivered(message->message.id, {0});
    kept.spool.wait_for_notes();
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    CHECK(kept.spool.stuck());
    Change change;
    change.id = message->message.id;
    change.done = true;
    kept.spool.change(std::move(change));
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    INFO(kept.reports());
    CHECK(kept.spool.stuck());
    disk.fail(MemoryDisk::Act::write, {}, 0);
}

TEST_CASE("a report is counted from the moment on that what it tells of is gone") {
    const Folder folder;
    const auto spool = folder.path() / "spool";
    std::filesystem::create_directories(spool);
    MemoryDisk disk;
    disk.make_folder(spool);
    const base::SystemClock clock;
    KeptSpool kept(folder.path(), clock, disk);
    const auto message = message_with(kept.spool, "x\r\n", false);
    CHECK_FALSE(kept.accept(message));
    disk.fail(MemoryDisk::Act::sync, std::errc::io_error, 1'000'000);
    Change change;
    change.id = message->message.id;
    change.done = true;
    change.bounce = message_with(kept.spool, "y\r\n", false);
    kept.spool.change(std::move(change));
    while (kept.spool.contains(message->message.id))
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    CHECK(kept.spool.count() == 1);
    disk.fail(MemoryDisk::Act::sync, {}, 0);
}
