// What cannot be used is told apart from what cannot be had, and nothing is taken away that is not kept
// elsewhere.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <catch2/catch.hpp>
#include <cerrno>
#include <fstream>
#include <iterator>
#include <limits>
#include <thread>
#include <vector>

#include "tests/unit/relay/failing_disk.h"
#include "tests/unit/relay/kept_spool.h"
#include "tests/unit/shortage.h"

using namespace postern::relay;
using namespace postern::tests;
namespace fs = std::filesystem;

namespace {

using Operation = FailingDisk::Operation;
using Asked = FailingDisk::Asked;

const postern::base::SystemClock machine;
const std::string segment_suffix = ".segment";

std::error_code code(int error) { return {error, std::generic_category()}; }

/// A spool on a disk that can fail.
struct Kept : FailingDisk, KeptSpool {
    explicit Kept(const fs::path& folder, FailingDisk::Plan first = {})
        : FailingDisk(std::move(first)), KeptSpool(folder, machine, *this) {}
};

StoredPtr message(Spool& spool, bool own_file) {
    return message_with(spool, "Subject: kept\r\n\r\nbody\r\n", own_file);
}

std::size_t files_in(const fs::path& folder) {
    std::error_code none;
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(folder, none), fs::directory_iterator()));
}

fs::path first_segment(const fs::path& folder) {
    for (const auto& entry : fs::directory_iterator(folder / "spool"))
        if (entry.path().filename().string().starts_with("0000000001-")) return entry.path();
    FAIL("there is no first segment");
    return {};
}

void overwrite(const fs::path& file, std::uint64_t at, const std::string& octets) {
    std::fstream out(file, std::ios::binary | std::ios::in | std::ios::out);
    out.seekp(static_cast<std::streamoff>(at));
    out << octets;
}

/// As if the process had been killed behind it.
template <typename Work>
void in_a_life_that_is_cut_off(Work work) {
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) _exit(work() ? 0 : 1);
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    REQUIRE(WIFEXITED(status));
    REQUIRE(WEXITSTATUS(status) == 0);
}

/// Accepts so many messages, and ends without a clean stop.
void accept_and_be_killed(const fs::path& folder, int messages, bool own_file) {
    in_a_life_that_is_cut_off([&] {
        Kept& kept = *new Kept(folder);
        for (int at = 0; at < messages; ++at)
            if (kept.accept(message(kept.spool, own_file))) return false;
        return true;
    });
}

}  // namespace

TEST_CASE("a content is synced through what it was written through", "[spool]") {
    const Folder folder;
    std::vector<fs::path> synced;
    fs::path file;
    {
        Kept kept(folder.path(), [&synced](const Asked& asked) {
            if (asked.operation == Operation::sync) synced.push_back(asked.file);
            return std::error_code();
        });
        const auto stored = message(kept.spool, true);
        file = stored->message.content.file;
        REQUIRE_FALSE(kept.accept(stored));
        CHECK_FALSE(stored->written);
    }
    CHECK(std::count(synced.begin(), synced.end(), file) == 1);
}

TEST_CASE("a segment that cannot be had refuses the start, and stays where it is", "[spool]") {
    Folder folder;
    MessageId id;
    {
        Kept kept(folder.path());
        auto stored = message(kept.spool, true);
        id = stored->message.id;
        REQUIRE_FALSE(kept.accept(stored));
    }
    const fs::path segment = first_segment(folder.path());
    const fs::path away = folder.path() / "away";
    fs::rename(segment, away);
    fs::create_symlink(segment.filename(), segment);  // to itself: ELOOP, whoever asks
    CHECK_THROWS_WITH(Kept(folder.path()),
                      Catch::Contains(segment.string()) && Catch::Contains("symbolic links"));
    CHECK(fs::is_symlink(segment));
    CHECK(files_in(folder.path() / "spool/content") == 1);
    CHECK_FALSE(fs::exists(folder.path() / "damaged"));
    fs::remove(segment);
    fs::rename(away, segment);
    Kept kept(folder.path());
    CHECK(kept.spool.contains(id));
}

TEST_CASE("whatever cannot be read when the spool is opened refuses the start, and takes nothing away",
          "[spool]") {
    Folder folder;
    accept_and_be_killed(folder.path(), 3, true);
    const struct {
        Operation operation;
        std::string suffix;
    } faults[] = {{Operation::names, "/spool"},
                  {Operation::open, segment_suffix},
                  {Operation::read, segment_suffix},
                  {Operation::names, "/content"}};
    for (const auto& fault : faults)
        for (const int error : {EACCES, EMFILE, ENOMEM, ENFILE}) {
            CAPTURE(int(fault.operation), fault.suffix, error);
            CHECK_THROWS_WITH(
                Kept(folder.path(),
                     [&](const Asked& asked) {
                         return asked.is(fault.operation, fault.suffix) ? code(error) : std::error_code();
                     }),
                Catch::Contains("state_dir: cannot use") && Catch::Contains(code(error).message()));
            CHECK(files_in(folder.path() / "spool/content") == 3);
            CHECK_FALSE(fs::exists(folder.path() / "damaged"));
        }
    Kept kept(folder.path());
    CHECK(kept.spool.count() == 3);
    CHECK(kept.reports().empty());
}

TEST_CASE("what the disk does not give is no damage, and is there when the disk gives it again",
          "[spool][damage]") {
    Folder folder;
    accept_and_be_killed(folder.path(), 3, true);
    const std::string first = first_segment(folder.path()).filename();
    for (std::uint64_t starts = 0; starts < 2; ++starts) {
        Kept kept(folder.path(), [&first](const Asked& asked) {
            return asked.is(Operation::read, first) ? code(EIO) : std::error_code();
        });
        CHECK(kept.spool.count() == starts);
        CHECK_THAT(kept.reports(), Catch::Contains("cannot be read") && Catch::Contains("after a restart"));
        kept.mend();
        // New mail goes elsewhere meanwhile.
        REQUIRE_FALSE(kept.accept(message(kept.spool, false)));
        CHECK(files_in(folder.path() / "spool/content") == 3);
        CHECK(files_in(folder.path() / "damaged") == 0);
    }
    Kept kept(folder.path());
    CHECK(kept.spool.count() == 5);
    CHECK(kept.reports().empty());
}

TEST_CASE("a message that cannot be read at present is neither damaged nor gone", "[spool]") {
    Folder folder;
    Kept kept(folder.path());
    auto stored = message(kept.spool, false);
    REQUIRE_FALSE(kept.accept(stored));
    const Message told = kept.spool.load(stored->message.id)->stored->message;
    for (const int error : {EIO, ENOMEM}) {
        kept.plan([error](const Asked& asked) {
            return asked.is(Operation::read, segment_suffix) ? code(error) : std::error_code();
        });
        CHECK_THROWS_AS(kept.spool.load(told.id), std::system_error);
        const auto content = kept.spool.load_content(told);
        REQUIRE_FALSE(content);
        CHECK_FALSE(content.error().damaged());
    }
    kept.mend();
    CHECK(kept.spool.load(told.id)->stored);
    CHECK(kept.spool.load_content(told));
}

TEST_CASE("without descriptors a message is neither damaged nor gone", "[spool]") {
    Folder folder;
    accept_and_be_killed(folder.path(), 1, false);
    std::atomic<int> error = 0;
    Kept kept(folder.path(), [&error](const Asked& asked) {
        return asked.is(Operation::open, segment_suffix) ? code(error) : std::error_code();
    });
    const auto ids = kept.spool.messages({}, 10);
    REQUIRE(ids.size() == 1);
    for (const int one : {EMFILE, ENFILE, EACCES, EIO}) {
        CAPTURE(one);
        error = one;
        CHECK_THROWS_AS(kept.spool.load(ids.front()), std::system_error);
    }
    error = 0;
    CHECK(kept.spool.load(ids.front())->stored);
}

TEST_CASE("beside records that are set aside nothing is lost, at later starts neither", "[spool][damage]") {
    Folder folder;
    accept_and_be_killed(folder.path(), 4, true);
    overwrite(first_segment(folder.path()), 0, std::string(300, 'x'));  // of the first, and some of the next
    const std::size_t lost = 2;
    for (std::size_t starts = 0; starts < 2; ++starts) {
        Kept kept(folder.path());
        CHECK(kept.spool.count() == 4 - lost + starts);
        CHECK(files_in(folder.path() / "damaged") == 1 + lost);
        CHECK(files_in(folder.path() / "spool/content") == 4 - lost + starts);
        CHECK(kept.reports().empty() == (starts > 0));
        // What is accepted now, and what was never accepted, is told apart from it.
        if (starts == 0) REQUIRE_FALSE(kept.accept(message(kept.spool, true)));
    }
}

TEST_CASE("a segment that is cut short within its first record is told once, and not gone on with",
          "[spool][damage]") {
    Folder folder;
    accept_and_be_killed(folder.path(), 1, false);
    fs::resize_file(first_segment(folder.path()), 100);
    for (std::uint64_t starts = 0; starts < 3; ++starts) {
        Kept kept(folder.path());
        CHECK(kept.grave_reports() == (starts == 0 ? 1 : 0));
        CHECK(kept.spool.count() == starts);
        CHECK_FALSE(kept.accept(message(kept.spool, false)));
    }
}

TEST_CASE("damage that cannot be copied is found by the next start too, and so is the content it may need",
          "[spool][damage]") {
    Folder folder;
    accept_and_be_killed(folder.path(), 2, true);
    overwrite(first_segment(folder.path()), 0, std::string(100, 'x'));
    std::ofstream(folder.path() / "damaged") << "in the way of the folder";
    for (int starts = 0; starts < 2; ++starts) {
        Kept kept(folder.path());
        CHECK(kept.spool.count() == 1);
        CHECK(files_in(folder.path() / "spool/content") == 2);
        CHECK_THAT(kept.reports(), Catch::Contains("cannot be copied to") &&
                                       Catch::Contains((folder.path() / "damaged").string()) &&
                                       Catch::Contains("cannot be moved"));
    }
    fs::remove(folder.path() / "damaged");
    Kept kept(folder.path());
    CHECK(files_in(folder.path() / "spool/content") == 1);
    CHECK(files_in(folder.path() / "damaged") == 2);
}

TEST_CASE("a content that was never accepted goes with the next start", "[spool]") {
    Folder folder;
    {
        Kept kept(folder.path());
        message(kept.spool, true);
    }
    REQUIRE(files_in(folder.path() / "spool/content") == 1);
    Kept kept(folder.path());
    CHECK(files_in(folder.path() / "spool/content") == 0);
    CHECK_FALSE(fs::exists(folder.path() / "damaged"));
}

TEST_CASE("a damaged message is erased only when its copy is on the disk", "[spool][damage]") {
    Folder folder;
    Kept kept(folder.path());
    for (const bool own_file : {false, true}) {
        auto stored = message(kept.spool, own_file);
        const MessageId id = stored->message.id;
        REQUIRE_FALSE(kept.accept(stored));
        const auto spoil = [&] {
            Change change;
            change.id = id;
            change.damage = "its content is damaged";
            change.file = stored->message.content.file;
            kept.change(std::move(change));
        };
        const fs::path damaged = folder.path() / "damaged";
        std::ofstream(damaged) << "in the way";
        spoil();
        CHECK(kept.spool.contains(id));
        CHECK_THAT(kept.reports(), Catch::Contains("stays in the spool"));
        if (own_file) CHECK(fs::exists(stored->message.content.file));
        fs::remove(damaged);

        kept.plan([](const Asked& asked) {
            return asked.is(Operation::read, segment_suffix) ? code(EIO) : std::error_code();
        });
        spoil();
        CHECK(kept.spool.contains(id));
        kept.mend();

        spoil();
        CHECK_FALSE(kept.spool.contains(id));
        CHECK(fs::exists(damaged / (id.text() + ".message")));
        CHECK(fs::exists(damaged / (id.text() + ".content")) == own_file);
        fs::remove_all(damaged);
    }
}

TEST_CASE("descriptors that are used up for a moment put mail off, and nothing else", "[spool]") {
    if (sanitized) return;
    Folder folder;
    in_a_life_that_is_cut_off([&] {
        Kept kept(folder.path());
        const auto stored = message(kept.spool, true);
        bool put_off = false;
        {
            const NoDescriptors none;
            put_off = bool(kept.accept(stored));
        }
        return put_off && kept.spool.unhealthy().empty() && !kept.accept(message(kept.spool, true)) &&
               kept.reports().find("can be written again") != std::string::npos;
    });
}

TEST_CASE("no room for what is written puts mail off, and takes none out of delivery", "[spool]") {
    for (const int error : {ENOSPC, EDQUOT}) {
        CAPTURE(error);
        Folder folder;
        std::vector<StoredPtr> accepted;
        {
            Kept kept(folder.path());
            accepted.push_back(message(kept.spool, false));
            REQUIRE_FALSE(kept.accept(accepted.back()));
            kept.plan([error](const Asked& asked) {
                return asked.is(Operation::write, segment_suffix) ? code(error) : std::error_code();
            });
            for (int tries = 0; tries < 2; ++tries) {
                CHECK(kept.accept(message(kept.spool, false)).value() == error);
                CHECK(kept.spool.load(accepted.front()->message.id)->stored);
                CHECK(kept.spool.count() == 1);
            }
            kept.mend();
            accepted.push_back(message(kept.spool, false));
            CHECK_FALSE(kept.accept(accepted.back()));
            CHECK(kept.spool.unhealthy().empty());
            CHECK(kept.reports().empty());
        }
        Kept kept(folder.path());
        CHECK(kept.spool.count() == 2);
        for (const auto& stored : accepted) {
            const auto loaded = kept.spool.load(stored->message.id);
            REQUIRE((loaded && loaded->stored));
            CHECK(kept.spool.load_content(loaded->stored->message));
        }
        CHECK(kept.reports().empty());
        CHECK(files_in(folder.path() / "damaged") == 0);
    }
}

TEST_CASE("mail that fills one segment after the other is not put off for want of the next", "[spool]") {
    Folder folder;
    Kept kept(folder.path());
    int refused = 0;
    for (std::uint64_t filled = 0; filled < 8 * KeptSpool::options.segment_size; filled += 200'000)
        refused += bool(kept.accept(message_with(kept.spool, std::string(200'000, 'x'), false)));
    CHECK(refused == 0);
    CHECK(kept.reports().empty());
}

TEST_CASE("on a failing disk mail leaves as long as that can be noted", "[spool]") {
    Folder folder;
    Kept kept(folder.path());
    auto first = message(kept.spool, false);
    REQUIRE_FALSE(kept.accept(first));
    kept.plan([](const Asked& asked) {
        return asked.is(Operation::sync, segment_suffix) ? code(EIO) : std::error_code();
    });
    CHECK(kept.accept(message(kept.spool, false)));
    CHECK_THAT(kept.spool.unhealthy(), Catch::Contains("check the disk, then restart"));
    kept.mend();
    CHECK(kept.accept(message(kept.spool, false)));  // a failed sync is final
    CHECK(kept.spool.set_aside_so_far() == 0);
    kept.spool.note_delivered(first->message.id, {0});
    kept.spool.wait_for_notes();
    CHECK_FALSE(kept.spool.stuck());
    kept.plan([](const Asked& asked) {
        return asked.is(Operation::write, segment_suffix) ? code(EIO) : std::error_code();
    });
    kept.spool.note_delivered(first->message.id, {0});
    kept.spool.wait_for_notes();
    // Told an instant after it is so, on another thread.
    const std::string told = "deliveries pause until postern is restarted";
    while (kept.reports().find(told) == std::string::npos)
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    CHECK(kept.spool.stuck());
}

TEST_CASE("what was refused because it could not be synced is not found by the next start", "[spool]") {
    Folder folder;
    {
        Kept kept(folder.path());
        REQUIRE_FALSE(kept.accept(message(kept.spool, false)));
        kept.plan([](const Asked& asked) {
            return asked.is(Operation::sync, segment_suffix) ? code(EIO) : std::error_code();
        });
        REQUIRE(kept.accept(message(kept.spool, false)));
        kept.mend();
    }
    Kept kept(folder.path());
    CHECK(kept.spool.count() == 1);
    CHECK(kept.grave_reports() == 0);
}

TEST_CASE("what is wanted is told to whoever can help", "[spool]") {
    Folder folder;
    Kept kept(folder.path());
    CHECK(kept.spool.want(0).empty());
    CHECK_THAT(kept.spool.want(std::numeric_limits<std::uint64_t>::max()),
               Catch::Contains("accept.minimum_free") && Catch::Contains(folder.path().string()));
    kept.plan([](const Asked& asked) {
        return asked.operation == Operation::room ? code(ENOENT) : std::error_code();
    });
    CHECK_THAT(kept.spool.want(0), Catch::Contains("does not tell") && Catch::Contains("No such file"));
}
