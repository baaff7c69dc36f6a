// What the spool says and does when the disk fails it.
#include <catch2/catch.hpp>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "tests/unit/relay/folder.h"
#include "tests/unit/relay/kept_spool.h"
#include "tests/unit/relay/memory_disk.h"
#include "tests/unit/stepped_clock.h"

using namespace postern;
using namespace postern::relay;
using namespace postern::tests;

namespace {

/// A spool on a disk that can be made to fail.
template <typename Clock = base::SystemClock>
struct FailingSpool {
    Folder folder;
    Clock clock;
    MemoryDisk disk;
    KeptSpool spool;

    FailingSpool() : spool(made(folder, disk), clock, disk) {}
    /// One message that is on the disk.
    StoredPtr accepted() {
        auto out = message_with(spool.spool, "x\r\n", false);
        REQUIRE_FALSE(spool.accept(out));
        return out;
    }
    static const std::filesystem::path& made(const Folder& folder, MemoryDisk& disk) {
        std::filesystem::create_directories(folder.path() / "spool");
        disk.make_folder(folder.path() / "spool");
        return folder.path();
    }
};

Change done_with(const StoredPtr& message) {
    Change out;
    out.id = message->message.id;
    out.done = true;
    return out;
}

void a_moment() { std::this_thread::sleep_for(std::chrono::milliseconds(2)); }

}  // namespace

TEST_CASE("a sync that fails for want of room is final") {
    FailingSpool on;
    on.accepted();
    on.disk.fail(MemoryDisk::Act::sync, std::errc::no_space_on_device);
    CHECK(on.spool.accept(message_with(on.spool.spool, "y\r\n", false)));
    CHECK_FALSE(on.spool.spool.unhealthy().empty());
}

TEST_CASE("nothing is unstuck by a commit that could not be written") {
    FailingSpool on;
    Spool& spool = on.spool.spool;
    const auto message = on.accepted();
    on.disk.fail(MemoryDisk::Act::write, std::errc::io_error, 1'000'000);
    CHECK(on.spool.accept(message_with(spool, "y\r\n", false)));
    spool.note_delivered(message->message.id, {0});
    spool.wait_for_notes();
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    CHECK(spool.stuck());
    spool.change(done_with(message));
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    INFO(on.spool.reports());
    CHECK(spool.stuck());
    on.disk.fail(MemoryDisk::Act::write, {}, 0);
}

TEST_CASE("a report is counted from the moment on that what it tells of is gone") {
    FailingSpool on;
    Spool& spool = on.spool.spool;
    const auto message = on.accepted();
    on.disk.fail(MemoryDisk::Act::sync, std::errc::io_error, 1'000'000);
    Change change = done_with(message);
    change.bounce = message_with(spool, "y\r\n", false);
    spool.change(std::move(change));
    while (spool.contains(message->message.id)) a_moment();
    CHECK(spool.count() == 1);
    on.disk.fail(MemoryDisk::Act::sync, {}, 0);
}

TEST_CASE("what could not be written waits its time, however often somebody wants it synced") {
    FailingSpool<SteppedClock> on;
    Spool& spool = on.spool.spool;
    const auto message = on.accepted();
    on.disk.fail(MemoryDisk::Act::write, std::errc::io_error, 1'000'000);
    spool.change(done_with(message));
    on.clock.step(std::chrono::milliseconds(10));
    while (spool.unhealthy().empty()) a_moment();
    a_moment();
    const auto tries = on.disk.count(MemoryDisk::Act::write);
    for (int times = 0; times < 20; ++times) {
        spool.sync_soon();
        a_moment();
    }
    CHECK(on.disk.count(MemoryDisk::Act::write) == tries);
    on.clock.step(std::chrono::seconds(1));
    while (on.disk.count(MemoryDisk::Act::write) == tries) a_moment();
    on.disk.fail(MemoryDisk::Act::write, {}, 0);
}

TEST_CASE("what came while a segment could not be read is found when it can be again") {
    const bool mail_at_once = GENERATE(false, true);
    const Folder folder;
    const base::SystemClock clock;
    MemoryDisk disk;
    const auto spool = folder.path() / "spool";
    std::filesystem::create_directories(spool);
    disk.make_folder(spool);
    std::vector<MessageId> ids;
    const auto live = [&](int messages) {
        KeptSpool kept(folder.path(), clock, disk);
        while (messages-- > 0) {
            const auto message = message_with(kept.spool, "x\r\n", false);
            ids.push_back(message->message.id);
            CHECK_FALSE(kept.accept(message));
        }
    };
    live(3);
    std::string first;
    const auto names = disk.names(spool);
    for (const auto& name : *names)
        if (name.ends_with(".segment")) first = name;
    REQUIRE_FALSE(first.empty());
    disk.make_unreadable(spool / first, 0, disk.octets(spool / first).size());
    live(mail_at_once ? 1 : 0);
    live(0);
    live(1);
    disk.make_readable(spool / first);
    KeptSpool kept(folder.path(), clock, disk);
    for (const MessageId id : ids) CHECK(kept.spool.contains(id));
    CHECK(kept.spool.count() == ids.size());
}
