// What versions before the journal kept is taken over whole, however often that is begun.
#include "relay/queue/earlier_spool.h"

#include <lmdb.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <iostream>
#include <iterator>
#include <map>
#include <optional>
#include <random>
#include <set>

#include "tests/unit/relay/failing_disk.h"
#include "tests/unit/relay/kept_spool.h"
#include "tests/unit/shortage.h"

using namespace postern::relay;
using namespace postern::tests;
namespace fs = std::filesystem;

namespace {

using Operation = FailingDisk::Operation;
const postern::base::SystemClock machine;
const RouteKey route = RouteKey::exchangers("dest.example");
const Time due = machine.steady() + std::chrono::hours(1);

std::string big_endian(std::uint64_t value) {
    std::string out(8, '\0');
    for (std::size_t at = 8; at > 0; --at, value >>= 8) out[at - 1] = static_cast<char>(value & 0xff);
    return out;
}

template <typename T>
void append(std::string& out, T value) {
    out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

/// A volume as the earlier version wrote it.
class EarlierVolume {
public:
    explicit EarlierVolume(const fs::path& file) {
        REQUIRE(mdb_env_create(&env_) == 0);
        REQUIRE(mdb_env_set_maxdbs(env_, 5) == 0);
        REQUIRE(mdb_env_set_mapsize(env_, 64 << 20) == 0);
        REQUIRE(mdb_env_open(env_, file.c_str(), MDB_NOSUBDIR | MDB_NOTLS | MDB_NORDAHEAD | MDB_NOMEMINIT,
                             0600) == 0);
        REQUIRE(mdb_txn_begin(env_, nullptr, 0, &txn_) == 0);
        for (const char* name : {"message", "content", "progress", "fresh", "waiting"})
            REQUIRE(mdb_dbi_open(txn_, name, MDB_CREATE, &tables_[name]) == 0);
    }
    ~EarlierVolume() {
        mdb_txn_commit(txn_);
        mdb_env_close(env_);
    }
    EarlierVolume(const EarlierVolume&) = delete;
    EarlierVolume& operator=(const EarlierVolume&) = delete;

    void put(const std::string& table, std::string key, std::string value) {
        MDB_val k{key.size(), key.data()}, v{value.size(), value.data()};
        REQUIRE(mdb_put(txn_, tables_.at(table), &k, &v, 0) == 0);
    }
    void put(const Message& message, const std::optional<Progress>& progress, bool fresh) {
        const std::string key = big_endian(message.id.value);
        put("message", key, encode_message(message));
        if (message.content.bytes) put("content", key, *message.content.bytes);
        if (progress) put("progress", key, encode_progress(*progress));
        if (fresh) put("fresh", key, "");
        for (const auto& place : places_of(progress))
            put("waiting", route.text() + '\0' + big_endian(place) + key, "");
    }

private:
    static std::set<std::uint64_t> places_of(const std::optional<Progress>& progress) {
        std::set<std::uint64_t> out;
        if (progress)
            for (const auto& one : *progress)
                if (one.pending() && !one.route.empty())
                    out.insert(static_cast<std::uint64_t>(
                        std::chrono::duration_cast<std::chrono::microseconds>(one.next.time_since_epoch())
                            .count()));
        return out;
    }

    MDB_env* env_ = nullptr;
    MDB_txn* txn_ = nullptr;
    std::map<std::string, MDB_dbi> tables_;
};

/// What becomes known of a message in the spool.
struct Held {
    std::string content;
    std::vector<std::string> recipients;
    std::vector<bool> pending;
    std::vector<std::uint16_t> attempts;
    bool fresh = false, waits = false;

    bool operator==(const Held&) const = default;
};
using AllHeld = std::map<std::uint64_t, Held>;

fs::path volume_file(const fs::path& folder, int number) {
    return folder / "spool" / ("0000000" + std::to_string(number) + ".volume");
}

void note(const fs::path& file, MessageId id, const std::vector<std::uint16_t>& recipients) {
    std::string record;
    append(record, id.value);
    append(record, static_cast<std::uint16_t>(recipients.size()));
    for (const auto one : recipients) append(record, one);
    append(record, checksum(record));
    std::ofstream(file, std::ios::binary | std::ios::app) << record;
}

/// Writes an earlier spool of two volumes, and gives what must be found of each.
std::map<int, AllHeld> make_earlier(const fs::path& folder) {
    std::map<int, AllHeld> out;
    fs::create_directories(folder / "spool/content");
    std::uint64_t id = MessageId::first_at(machine.wall()).value;
    for (const int number : {1, 2}) {
        EarlierVolume volume(volume_file(folder, number));
        for (int at = 0; at < (number == 1 ? 230 : 30); ++at) {
            Message message;
            message.id = MessageId{++id};
            message.envelope.reverse_path = {"s", "example.com"};
            message.envelope.forward_paths = {{"a" + std::to_string(at), "dest.example"},
                                              {"b", "dest.example"}};
            message.arrived = machine.wall();
            Held held;
            held.content = message.id.text() + std::string(static_cast<std::size_t>(at) * 40, 'x') + "\r\n";
            for (const auto& one : message.envelope.forward_paths) held.recipients.push_back(one.text());
            held.pending = {true, true};
            held.attempts = {0, 0};
            held.fresh = at % 5 == 0;
            message.content.size = held.content.size();
            message.content.checksum = checksum(held.content);
            if (at % 10 == 3) {
                message.content.file = folder / "spool/content" / message.id.text();
                written(message.content.file, held.content);
            } else {
                message.content.bytes = std::make_shared<const std::string>(held.content);
            }
            std::optional<Progress> progress;
            if (!held.fresh) {
                progress.emplace(2);
                for (auto& one : *progress) {
                    one.route = route;
                    one.next = due;
                    one.attempts = 3;
                }
                held.attempts = {3, 3};
                held.waits = true;
                if (at % 5 == 1) {
                    progress->front().status = RecipientStatus::delivered;
                    held.pending[0] = false;
                }
            }
            volume.put(message, progress, held.fresh);
            // What was delivered, and noted behind that.
            const fs::path log = folder / "spool" / ("settled." + std::to_string(at % 2));
            if (at % 7 == 2) {
                note(log, message.id, {1});
                held.pending[1] = false;
            } else if (at % 7 == 4) {
                note(log, message.id, {0, 1});
                held.pending = {false, false};
            }
            if (held.pending != std::vector{false, false}) out[number][message.id.value] = held;
        }
    }
    std::ofstream(folder / "spool/reserve") << "room";
    return out;
}

AllHeld all_of(std::map<int, AllHeld> volumes) {
    AllHeld out;
    for (auto& [number, held] : volumes) out.merge(held);
    return out;
}

AllHeld look_at(const Spool& spool) {
    AllHeld out;
    std::set<MessageId> fresh;
    for (const MessageId id : spool.fresh({}, 100'000)) fresh.insert(id);
    for (const MessageId id : spool.messages({}, 100'000)) {
        const auto loaded = spool.load(id);
        REQUIRE((loaded && loaded->stored));
        const auto content = spool.load_content(loaded->stored->message);
        REQUIRE(content);
        Held held{**content, {}, {}, {}, fresh.contains(id), spool.waits({route, due}, id)};
        for (const auto& one : loaded->stored->message.envelope.forward_paths)
            held.recipients.push_back(one.text());
        for (const auto& one : loaded->progress) {
            held.pending.push_back(one.pending());
            held.attempts.push_back(one.attempts);
        }
        out[id.value] = std::move(held);
    }
    return out;
}

std::vector<std::string> names_in(const fs::path& folder, const std::string& suffix) {
    std::vector<std::string> out;
    std::error_code none;
    for (fs::directory_iterator each(folder, none); each != fs::directory_iterator(); ++each)
        if (each->path().filename().string().find(suffix) != std::string::npos)
            out.push_back(each->path().filename().string());
    return out;
}

/// Nothing of the earlier version is left.
void check_gone(const fs::path& folder) {
    for (const char* name : {".volume", "settled.", "reserve"})
        CHECK(names_in(folder / "spool", name).empty());
}

void overwrite(const fs::path& file, std::uint64_t from, std::uint64_t to) {
    std::fstream out(file, std::ios::binary | std::ios::in | std::ios::out);
    out.seekp(static_cast<std::streamoff>(from));
    out << std::string(to - from, '\xee');
}

}  // namespace

TEST_CASE("an earlier version's spool is taken over whole", "[spool][earlier]") {
    Folder folder;
    const AllHeld expected = all_of(make_earlier(folder.path()));
    postern::base::SystemDisk disk;
    for (int starts = 0; starts < 2; ++starts) {
        KeptSpool kept(folder.path(), machine, disk);
        CHECK(look_at(kept.spool) == expected);
        CHECK((kept.reports().find("was taken over: 260 messages") != std::string::npos) == (starts == 0));
        CHECK(kept.grave_reports() == 0);
        CHECK(kept.spool.new_id().value > expected.rbegin()->first);
        check_gone(folder.path());
        CHECK_FALSE(fs::exists(folder.path() / "damaged"));
    }
}

TEST_CASE("taking over that is cut off goes on from wherever it was", "[spool][earlier]") {
    Folder folder;
    const AllHeld expected = all_of(make_earlier(folder.path()));
    bool complete = false;
    int operations = 0;
    for (; !complete; operations += sanitized ? 3 : 1) {
        Folder copy;
        fs::copy(folder.path(), copy.path(), fs::copy_options::recursive);
        // The contents are where their messages say, in the folder that was copied.
        for (int lives = 0; lives < 2; ++lives) {
            const pid_t child = fork();
            REQUIRE(child >= 0);
            if (child == 0) {
                int left = operations;
                FailingDisk disk([&left](const FailingDisk::Asked& asked) {
                    const bool changes = asked.operation != Operation::read &&
                                         asked.operation != Operation::open &&
                                         asked.operation != Operation::names;
                    if (changes && left-- == 0) _exit(0);
                    return std::error_code();
                });
                Spool(copy.path(), machine, disk, KeptSpool::options, {}, [](std::string_view, bool) {});
                _exit(1);
            }
            int status = 0;
            REQUIRE(waitpid(child, &status, 0) == child);
            REQUIRE(WIFEXITED(status));
            complete = lives == 0 && WEXITSTATUS(status) == 1;
            if (complete) break;
        }
        CAPTURE(operations);
        postern::base::SystemDisk disk;
        KeptSpool kept(copy.path(), machine, disk);
        REQUIRE(look_at(kept.spool) == expected);
        REQUIRE(kept.grave_reports() == 0);
        check_gone(copy.path());
    }
    CHECK(operations > 10);
}

TEST_CASE("a damaged volume is set aside with the contents it may need, and the rest is taken over",
          "[spool][earlier][damage]") {
    Folder folder;
    const auto made = make_earlier(folder.path());
    struct Way {
        const char* what;
        std::function<void(const fs::path&)> spoil;
    };
    const Way ways[] = {
        {"both first pages", [](const fs::path& file) { overwrite(file, 0, 8192); }},
        {"all but the first pages", [](const fs::path& file) { overwrite(file, 8192, fs::file_size(file)); }},
        {"cut short", [](const fs::path& file) { fs::resize_file(file, 3 * 4096); }},
        {"empty", [](const fs::path& file) { fs::resize_file(file, 0); }},
        {"no volume",
         [](const fs::path& file) { std::ofstream(file, std::ios::trunc) << "something else"; }}};
    for (const auto& way : ways) {
        CAPTURE(way.what);
        Folder copy;
        fs::copy(folder.path(), copy.path(), fs::copy_options::recursive);
        way.spoil(volume_file(copy.path(), 2));
        postern::base::SystemDisk disk;
        for (int starts = 0; starts < 2; ++starts) {
            KeptSpool kept(copy.path(), machine, disk);
            CHECK(look_at(kept.spool) == made.at(1));
            if (starts == 0)
                CHECK_THAT(kept.reports(), Catch::Contains("spool volume 00000002.volume cannot be used") &&
                                               Catch::Contains("was set aside in"));
            else
                CHECK(kept.reports().empty());
            CHECK(names_in(copy.path() / "damaged", "").size() == 1 + 3);
            check_gone(copy.path());
        }
    }
}

TEST_CASE("whatever is damaged in an earlier volume, what is taken over is as it was, and the rest is told",
          "[spool][earlier][damage]") {
    const char* given = std::getenv("POSTERN_SEED");
    const unsigned seed =
        given != nullptr ? static_cast<unsigned>(std::stoul(given)) : std::random_device{}();
    std::cout << "earlier damage: POSTERN_SEED=" << seed << std::endl;
    CAPTURE(seed);
    std::mt19937 random(seed);
    constexpr std::uint64_t page = 4096;
    Folder folder;
    const AllHeld expected = all_of(make_earlier(folder.path()));
    for (int trial = 0; trial < 12; ++trial) {
        CAPTURE(trial);
        Folder copy;
        fs::copy(folder.path(), copy.path(), fs::copy_options::recursive);
        const fs::path volume = volume_file(copy.path(), 1);
        const std::uint64_t at = random() % (fs::file_size(volume) / page) * page;
        // All of a page, or some of what it says about itself.
        overwrite(volume, at, at + (trial % 2 == 0 ? page : 1 + random() % 40));
        const pid_t child = fork();
        REQUIRE(child >= 0);
        if (child == 0) {
            postern::base::SystemDisk disk;
            KeptSpool kept(copy.path(), machine, disk);
            std::size_t whole = 0;
            for (const MessageId id : kept.spool.messages({}, 100'000)) {
                const auto known = expected.find(id.value);
                const auto loaded = kept.spool.load(id);
                if (known == expected.end() || !loaded || !loaded->stored) _exit(1);
                for (std::size_t one = 0; one < loaded->progress.size(); ++one)
                    if (loaded->progress[one].pending() != known->second.pending[one]) _exit(2);
                const auto content = kept.spool.load_content(loaded->stored->message);
                if (content && **content != known->second.content) _exit(3);
                ++whole;
            }
            _exit(whole < expected.size() && kept.grave_reports() == 0 ? 4 : 0);
        }
        int status = 0;
        REQUIRE(waitpid(child, &status, 0) == child);
        REQUIRE(WIFEXITED(status));
        CHECK(WEXITSTATUS(status) == 0);
    }
}

TEST_CASE("a damaged volume whose contents cannot be moved away stays, and so do they",
          "[spool][earlier][damage]") {
    Folder folder;
    const auto made = make_earlier(folder.path());
    overwrite(volume_file(folder.path(), 2), 0, 8192);
    std::ofstream(folder.path() / "damaged") << "in the way of the folder";
    postern::base::SystemDisk disk;
    for (int starts = 0; starts < 2; ++starts) {
        KeptSpool kept(folder.path(), machine, disk);
        CHECK(look_at(kept.spool) == made.at(1));
        CHECK_THAT(kept.reports(), Catch::Contains("00000002.volume") && Catch::Contains("stays in"));
        CHECK(fs::exists(volume_file(folder.path(), 2)));
    }
    fs::remove(folder.path() / "damaged");
    KeptSpool kept(folder.path(), machine, disk);
    CHECK(names_in(folder.path() / "damaged", "").size() == 1 + 3);
}

TEST_CASE("messages of an earlier volume that cannot be read are kept with it, the others taken over",
          "[spool][earlier][damage]") {
    Folder folder;
    auto made = make_earlier(folder.path());
    const std::uint64_t last = made.at(2).rbegin()->first;
    {
        EarlierVolume volume(volume_file(folder.path(), 2));
        volume.put("message", big_endian(last), "no record");
    }
    made.at(2).erase(last);
    const AllHeld expected = all_of(made);
    postern::base::SystemDisk disk;
    for (int starts = 0; starts < 2; ++starts) {
        KeptSpool kept(folder.path(), machine, disk);
        CHECK(look_at(kept.spool) == expected);
        if (starts == 0)
            CHECK_THAT(kept.reports(), Catch::Contains("1 messages of spool volume 00000002.volume"));
        else
            CHECK(kept.reports().empty());
        check_gone(folder.path());
        CHECK(names_in(folder.path() / "damaged", ".volume").size() == 1);
    }
}

TEST_CASE("an earlier volume or log that cannot be had refuses the start, and is taken over later",
          "[spool][earlier]") {
    Folder folder;
    const AllHeld expected = all_of(make_earlier(folder.path()));
    postern::base::SystemDisk disk;
    for (const fs::path& file : {volume_file(folder.path(), 2), folder.path() / "spool/settled.0"}) {
        const fs::path away = folder.path() / "away";
        fs::rename(file, away);
        fs::create_symlink(file.filename(), file);  // to itself: ELOOP, whoever asks
        CHECK_THROWS_WITH(KeptSpool(folder.path(), machine, disk),
                          Catch::Contains("state_dir: cannot use") && Catch::Contains("symbolic links"));
        CHECK(fs::is_symlink(file));
        fs::remove(file);
        fs::rename(away, file);
    }
    {
        FailingDisk failing([](const FailingDisk::Asked& asked) {
            return asked.is(Operation::remove, ".volume")
                       ? std::make_error_code(std::errc::read_only_file_system)
                       : std::error_code();
        });
        CHECK_THROWS_WITH(KeptSpool(folder.path(), machine, failing), Catch::Contains(".volume"));
    }
    KeptSpool kept(folder.path(), machine, disk);
    CHECK(look_at(kept.spool) == expected);
}
