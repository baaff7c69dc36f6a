// One life of the spool after another, with something about the machine changed in between.
#include <catch2/catch.hpp>
#include <filesystem>
#include <set>
#include <string>

#include "relay/queue/journal_record.h"
#include "tests/unit/relay/failing_disk.h"
#include "tests/unit/relay/folder.h"
#include "tests/unit/relay/kept_spool.h"
#include "tests/unit/stepped_clock.h"

using namespace postern;
using namespace postern::relay;
using namespace postern::tests;

TEST_CASE("segments of another size than new ones have are sound", "[spool]") {
    const Folder folder;
    const base::SystemClock clock;
    base::SystemDisk disk;
    const std::string content = "Subject: x\r\n\r\n" + std::string(5000, 'x') + "\r\n";
    std::uint64_t count = 0;
    for (const std::uint64_t size : {1u << 20, 2u << 20, 4u << 20, 1u << 20}) {
        CAPTURE(size);
        auto options = KeptSpool::options;
        options.segment_size = size;
        KeptSpool kept(folder.path(), clock, disk, options);
        CHECK(kept.reports() == "");
        CHECK(kept.spool.count() == count);
        for (int more = 0; more < 500; ++more, ++count)
            CHECK_FALSE(kept.accept(message_with(kept.spool, content, false)));
    }
}

TEST_CASE("no id is given twice, though the clock stands still from one start to the next", "[spool]") {
    const Folder folder;
    SteppedClock clock;
    base::SystemDisk disk;
    std::set<MessageId> given;
    for (int life = 0; life < 3; ++life) {
        KeptSpool kept(folder.path(), clock, disk);
        CHECK(kept.spool.count() == given.size());
        for (int more = 0; more < 10; ++more) {
            const auto message = message_with(kept.spool, "x\r\n", false);
            CHECK(given.insert(message->message.id).second);
            CHECK_FALSE(kept.accept(message));
        }
    }
}

TEST_CASE("no id is given twice where a full disk took the index, and the records went", "[spool]") {
    const Folder folder;
    FailingDisk disk([](const FailingDisk::Asked& asked) {
        return asked.is(FailingDisk::Operation::create, "checkpoint.new")
                   ? std::make_error_code(std::errc::no_space_on_device)
                   : std::error_code();
    });
    auto options = KeptSpool::options;
    options.segment_size = 16 << 10;
    MessageId greatest;
    {
        const base::SystemClock clock;
        KeptSpool kept(folder.path(), clock, disk, options);
        const auto stays = message_with(kept.spool, "x\r\n", false);
        const auto goes = message_with(kept.spool, "y\r\n", false);
        CHECK_FALSE(kept.accept(stays));
        CHECK_FALSE(kept.accept(goes));
        greatest = goes->message.id;
        Change end;
        end.id = greatest;
        end.done = true;
        kept.change(std::move(end));
        const auto first = [&] {
            for (const auto& file : std::filesystem::directory_iterator(folder.path() / "spool"))
                if (const auto name = SegmentName::parse(file.path().filename().string());
                    name && name->number == 1)
                    return true;
            return false;
        };
        while (first()) {
            Change progress;
            progress.id = stays->message.id;
            progress.progress = Progress(1);
            kept.change(std::move(progress));
        }
    }
    const SteppedClock clock;  // set back
    KeptSpool kept(folder.path(), clock, disk, options);
    CHECK(kept.spool.count() == 1);
    CHECK(kept.spool.new_id() > greatest);
}

TEST_CASE("what is offered to a spool that was stopped is not waited for", "[spool]") {
    const Folder folder;
    const base::SystemClock clock;
    base::SystemDisk disk;
    KeptSpool kept(folder.path(), clock, disk);
    kept.spool.stop();
    bool refused = false;
    kept.spool.accept(message_with(kept.spool, "x\r\n", false),
                      [&refused](std::error_code error) { refused = bool(error); });
    CHECK(refused);
}
