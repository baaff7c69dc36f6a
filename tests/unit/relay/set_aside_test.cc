// What cannot be used is told apart from what cannot be had, and nothing is taken away that is not kept
// elsewhere.
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <condition_variable>
#include <csignal>
#include <fstream>
#include <future>
#include <limits>
#include <mutex>
#include <thread>

#include "relay/queue/inspection.h"
#include "relay/queue/spool.h"
#include "relay/queue/volume.h"
#include "tests/unit/relay/failing_writes.h"
#include "tests/unit/relay/folder.h"
#include "tests/unit/shortage.h"

using namespace postern::relay;
using namespace postern::tests;
namespace fs = std::filesystem;

namespace {

const postern::base::SystemClock machine;

/// A spool whose reports are kept.
class Kept {
public:
    explicit Kept(const fs::path& folder)
        : spool(
              folder, machine, {4 << 20, std::chrono::microseconds(0), std::chrono::milliseconds(1)},
              [this](Committed done) { committed(std::move(done)); },
              [this](std::string_view what, bool) {
                  std::lock_guard lock(mutex_);
                  reports_ += std::string(what) + '\n';
              }) {
        spool.start();
    }
    ~Kept() { spool.stop(); }

    std::error_code accept(StoredPtr stored) {
        std::promise<std::error_code> done;
        spool.accept(std::move(stored), [&done](std::error_code error) { done.set_value(error); });
        return done.get_future().get();
    }
    /// Until the change is durable.
    void change(Change change) {
        std::uint64_t number = spool.change(std::move(change));
        std::unique_lock lock(mutex_);
        more_.wait(lock, [&] { return durable_ >= number; });
    }
    std::string reports() {
        std::lock_guard lock(mutex_);
        return reports_;
    }

private:
    void committed(Committed done) {
        for (auto& one : done.accepted)
            if (one.done) one.done(done.error);
        std::lock_guard lock(mutex_);
        durable_ = std::max(durable_, done.changes);
        more_.notify_all();
    }
    std::mutex mutex_;
    std::condition_variable more_;
    std::uint64_t durable_ = 0;
    std::string reports_;

public:
    Spool spool;
};

StoredPtr message(Spool& spool, bool own_file) {
    auto out = std::make_shared<Stored>();
    Message& mail = out->message;
    mail.id = spool.new_id();
    mail.envelope.reverse_path = {"s", "example.com"};
    mail.envelope.forward_paths = {{"r", "dest.example"}};
    std::string content = "Subject: kept\r\n\r\nbody\r\n";
    mail.content.size = content.size();
    mail.content.checksum = checksum(content);
    if (own_file) {
        mail.content.file = spool.content_file(mail.id);
        out->written = written(mail.content.file, content);
    } else {
        mail.content.bytes = std::make_shared<const std::string>(std::move(content));
    }
    return out;
}

std::size_t files_in(const fs::path& folder) {
    std::error_code none;
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(folder, none), fs::directory_iterator()));
}

/// No file grows while it lives.
class NoLongerFiles {
public:
    NoLongerFiles() {
        before_ = std::signal(SIGXFSZ, SIG_IGN);
        getrlimit(RLIMIT_FSIZE, &limit_);
        rlimit none{0, limit_.rlim_max};
        setrlimit(RLIMIT_FSIZE, &none);
    }
    ~NoLongerFiles() {
        setrlimit(RLIMIT_FSIZE, &limit_);
        std::signal(SIGXFSZ, before_);
    }
    NoLongerFiles(const NoLongerFiles&) = delete;
    NoLongerFiles& operator=(const NoLongerFiles&) = delete;

private:
    rlimit limit_{};
    void (*before_)(int) = nullptr;
};

const char* const first_volume = "spool/00000001.volume";

}  // namespace

TEST_CASE("a content is synced through what it was written through", "[spool]") {
    Folder folder;
    Kept kept(folder.path());
    auto stored = message(kept.spool, true);
    const Syncs syncs;
    const int descriptor = stored->written->get();
    REQUIRE_FALSE(kept.accept(stored));
    CHECK(syncs.contain(descriptor));
    CHECK_FALSE(stored->written);
}

TEST_CASE("a volume that cannot be had refuses the start, and stays where it is", "[spool]") {
    Folder folder;
    MessageId id;
    {
        Kept kept(folder.path());
        auto stored = message(kept.spool, true);
        id = stored->message.id;
        REQUIRE_FALSE(kept.accept(stored));
    }
    fs::path volume = folder.path() / first_volume;
    fs::rename(volume, volume.string() + ".away");
    fs::create_symlink(volume.filename(), volume);  // to itself: ELOOP, whoever asks
    CHECK_THROWS_WITH(Kept(folder.path()),
                      Catch::Contains("00000001.volume") && Catch::Contains("symbolic links"));
    CHECK(fs::is_symlink(volume));
    CHECK(files_in(folder.path() / "spool/content") == 1);
    CHECK_FALSE(fs::exists(folder.path() / "damaged"));
    fs::remove(volume);
    fs::rename(volume.string() + ".away", volume);
    Kept kept(folder.path());
    CHECK(kept.spool.find(id));
}

TEST_CASE("beside a volume that is set aside nothing is lost, at later starts neither", "[spool][damage]") {
    Folder folder;
    {
        Kept kept(folder.path());
        for (int at = 0; at < 4; ++at) REQUIRE_FALSE(kept.accept(message(kept.spool, true)));
    }
    {
        std::fstream volume(folder.path() / first_volume, std::ios::binary | std::ios::in | std::ios::out);
        volume << std::string(8192, '\0');
    }
    CHECK(inspect_volume(folder.path() / first_volume, 4 << 20) == Soundness::damaged);
    for (int starts = 0; starts < 2; ++starts) {
        Kept kept(folder.path());
        CHECK(kept.spool.count() == static_cast<std::uint64_t>(starts));
        CHECK(files_in(folder.path() / "damaged") == 5);
        // What is accepted now, and what was never accepted, is told apart from it.
        if (starts == 0) REQUIRE_FALSE(kept.accept(message(kept.spool, true)));
    }
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
    for (bool own_file : {false, true}) {
        auto stored = message(kept.spool, own_file);
        MessageId id = stored->message.id;
        REQUIRE_FALSE(kept.accept(stored));
        auto spoil = [&] {
            Change change;
            change.id = id;
            change.volume = stored->volume;
            change.damage = "its content is damaged";
            change.file = stored->message.content.file;
            kept.change(std::move(change));
        };
        std::ofstream(folder.path() / "damaged") << "in the way";
        spoil();
        CHECK(kept.spool.find(id));
        CHECK_THAT(kept.reports(), Catch::Contains("stays in the spool"));
        if (own_file) CHECK(fs::exists(stored->message.content.file));

        fs::remove(folder.path() / "damaged");
        spoil();
        CHECK_FALSE(kept.spool.find(id));
        CHECK(fs::exists(folder.path() / "damaged" / (id.text() + ".message")));
        CHECK(fs::exists(folder.path() / "damaged" / (id.text() + ".content")));
        fs::remove_all(folder.path() / "damaged");
    }
}

TEST_CASE("a volume's lock file has its space before it is mapped", "[volume]") {
    Folder folder;
    Volume volume(folder.path() / "00000001.volume", 1, 1 << 20);
    struct stat status {};
    REQUIRE(::stat((folder.path() / "00000001.volume-lock").c_str(), &status) == 0);
    CHECK(status.st_blocks * 512 >= status.st_size);
    CHECK(status.st_size >= 8192);
}

TEST_CASE("descriptors that are used up for a moment put mail off, and nothing else", "[spool]") {
    if (sanitized) return;
    Folder folder;
    pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        int result = 0;
        {
            Kept kept(folder.path());
            auto stored = message(kept.spool, true);
            {
                NoDescriptors none;
                if (!kept.accept(stored)) result |= 1;
            }
            if (!kept.spool.unhealthy().empty()) result |= 2;
            if (kept.accept(message(kept.spool, true))) result |= 4;
            if (kept.reports().find("can be written again") == std::string::npos) result |= 8;
        }
        _exit(result);
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    REQUIRE(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("no room for the first pages of a volume puts mail off, and takes none out of delivery",
          "[spool]") {
    constexpr long first_pages = 8192;
    for (int error : {ENOSPC, EDQUOT}) {
        CAPTURE(error);
        Folder folder;
        Kept kept(folder.path());
        auto before = message(kept.spool, false), late = message(kept.spool, false);
        REQUIRE_FALSE(kept.accept(before));
        {
            // Each is written once more, to take back what may have been half of it.
            FailingWrites full(".volume", first_pages, error, 4);
            CHECK(kept.accept(message(kept.spool, false)).value() == error);
            CHECK(kept.spool.load(before->message.id, before->volume));
            CHECK(kept.accept(message(kept.spool, false)).value() == error);
            CHECK(kept.spool.count() == 1);
            CHECK(full.failed() == 4);
        }
        CHECK_FALSE(kept.accept(late));
        for (const auto& stored : {before, late}) {
            auto loaded = kept.spool.load(stored->message.id, stored->volume);
            REQUIRE((loaded && loaded->stored));
            CHECK(kept.spool.load_content(loaded->stored->message, stored->volume));
        }
        CHECK(kept.spool.unhealthy().empty());
        CHECK(kept.reports().empty());
        CHECK(files_in(folder.path() / "damaged") == 0);
    }
}

TEST_CASE("a volume that was given up and cannot be opened anew is waited for", "[spool]") {
    if (sanitized) return;
    Folder folder;
    Kept kept(folder.path());
    auto before = message(kept.spool, false), late = message(kept.spool, false);
    REQUIRE_FALSE(kept.accept(before));
    {
        FailingWrites full(".volume", 8192, ENOSPC, 2);
        NoDescriptors none;
        CHECK(kept.accept(message(kept.spool, false)) == std::errc::no_space_on_device);
        CHECK_THROWS_AS(kept.spool.load(before->message.id, before->volume), std::system_error);
        CHECK(kept.accept(message(kept.spool, false)) == std::errc::too_many_files_open);
    }
    CHECK_FALSE(kept.accept(late));
    CHECK(kept.spool.load(before->message.id, before->volume));
    CHECK(kept.spool.count() == 2);
    CHECK(files_in(folder.path() / "damaged") == 0);
}

TEST_CASE("content that no message has stays while it cannot be seen what was set aside", "[spool]") {
    Folder folder;
    { const Kept made(folder.path()); }
    const fs::path orphan = folder.path() / "spool" / "content" / MessageId{77}.text();
    std::ofstream(orphan) << "perhaps of a volume that was set aside";
    std::ofstream(folder.path() / "damaged") << "in the way of the folder";
    {
        Kept kept(folder.path());
        CHECK(fs::exists(orphan));
        CHECK_THAT(kept.reports(),
                   Catch::Contains((folder.path() / "damaged").string() + ": Not a directory"));
    }
    fs::remove(folder.path() / "damaged");
    { const Kept kept(folder.path()); }
    CHECK_FALSE(fs::exists(orphan));
}

TEST_CASE("on a failing disk mail leaves as long as that can be noted", "[spool]") {
    Folder folder;
    Kept kept(folder.path());
    auto first = message(kept.spool, false);
    REQUIRE_FALSE(kept.accept(first));
    {
        FailingWrites broken(".volume", std::numeric_limits<long>::max(), EIO, 1000);
        CHECK(kept.accept(message(kept.spool, false)));
    }
    CHECK_FALSE(kept.spool.unhealthy().empty());
    CHECK(kept.spool.set_aside_so_far() == 0);
    kept.spool.note_delivered(first->message.id, {0});
    CHECK_FALSE(kept.spool.stuck());
    {
        NoLongerFiles full;
        kept.spool.note_delivered(first->message.id, {0});
        for (int round = 0; !kept.spool.stuck() && round < 6000; ++round)
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    CHECK(kept.spool.stuck());
    CHECK_THAT(kept.reports(), Catch::Contains("deliveries pause until postern is restarted"));
}

TEST_CASE("what is wanted is told to whoever can help", "[spool]") {
    Folder folder;
    Kept kept(folder.path());
    CHECK(kept.spool.want(0).empty());
    CHECK_THAT(kept.spool.want(std::numeric_limits<std::uint64_t>::max()),
               Catch::Contains("accept.minimum_free") && Catch::Contains(folder.path().string()));
    fs::rename(folder.path() / "spool", folder.path() / "away");
    CHECK_THAT(kept.spool.want(0), Catch::Contains("does not tell") && Catch::Contains("No such file"));
    fs::rename(folder.path() / "away", folder.path() / "spool");
}
