#include "relay/queue/settled_log.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <fstream>
#include <iterator>
#include <thread>

#include "tests/unit/relay/folder.h"
#include "tests/unit/shortage.h"

using namespace postern::relay;
using namespace postern::tests;
namespace fs = std::filesystem;

namespace {

const postern::base::SystemClock machine;

void ignore(const std::error_code&) {}

const SettledLog::Delivered noted{{MessageId{5}, {0, 2, 65535}}, {MessageId{7}, {1}}};

fs::path only_file(const fs::path& folder) {
    REQUIRE(std::distance(fs::directory_iterator(folder), fs::directory_iterator()) == 1);
    return fs::directory_iterator(folder)->path();
}

std::string read(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

SettledLog::Delivered read(SettledLog& log, const Folder& folder) {
    log.wait();
    return SettledLog::read(folder.path());
}

void write_example(const fs::path& folder) {
    SettledLog log(folder, machine, ignore);
    log.note(MessageId{5}, {0, 2});
    log.note(MessageId{7}, {1});
    log.note(MessageId{5}, {65535});
}

}  // namespace

TEST_CASE("what was noted is read back at least until it is committed", "[settled]") {
    Folder folder;
    CHECK(SettledLog::read(folder.path()).empty());
    write_example(folder.path());
    CHECK(SettledLog::read(folder.path()) == noted);
    SettledLog::clear(folder.path());
    CHECK(fs::is_empty(folder.path()));

    SettledLog log(folder.path(), machine, ignore);
    log.note(MessageId{5}, {0});
    log.recorded(MessageId{5}, 10);
    log.note(MessageId{6}, {0});
    log.recorded(MessageId{6}, 11);
    log.committed(10);
    CHECK(read(log, folder).contains(MessageId{6}));
    log.committed(11);
    log.note(MessageId{8}, {3});
    CHECK(read(log, folder).at(MessageId{8}) == std::set<std::uint16_t>{3});
}

TEST_CASE("a torn or changed log never says more than was noted", "[settled]") {
    Folder folder;
    write_example(folder.path());
    fs::path file = only_file(folder.path());
    const std::string whole = read(file);
    auto check = [&](const std::string& octets) {
        std::ofstream(file, std::ios::binary | std::ios::trunc) << octets;
        for (const auto& [id, recipients] : SettledLog::read(folder.path())) {
            REQUIRE(noted.contains(id));
            for (auto one : recipients) REQUIRE(noted.at(id).contains(one));
        }
    };
    for (std::size_t size = 0; size < whole.size(); ++size) check(whole.substr(0, size));
    for (std::size_t at = 0; at < whole.size(); ++at)
        for (int bit = 0; bit < 8; bit += 3) {
            std::string changed = whole;
            changed[at] = static_cast<char>(changed[at] ^ (1 << bit));
            check(changed);
        }
    check(whole + std::string(100, '\0'));
    check(std::string(100'000, '\xff'));
}

TEST_CASE("a long log goes on in further files, and they go when they are committed", "[settled]") {
    Folder folder;
    const std::vector<std::uint16_t> many(1000, 1);
    SettledLog log(folder.path(), machine, ignore);
    for (std::uint64_t change = 1; change <= 700; ++change) {
        log.note(MessageId{change}, many);
        log.recorded(MessageId{change}, change);
    }
    auto files = [&] {
        log.wait();
        return std::distance(fs::directory_iterator(folder.path()), fs::directory_iterator());
    };
    CHECK(files() > 1);
    CHECK(read(log, folder).size() == 700);
    log.committed(600);
    auto left = read(log, folder);
    for (std::uint64_t change = 601; change <= 700; ++change) REQUIRE(left.contains(MessageId{change}));
    log.committed(700);
    CHECK(files() == 1);
}

TEST_CASE("what no change has recorded yet stays noted, whatever is committed", "[settled]") {
    Folder folder;
    const std::vector<std::uint16_t> many(1000, 1);
    SettledLog log(folder.path(), machine, ignore);
    log.note(MessageId{1}, many);
    for (std::uint64_t change = 2; change <= 700; ++change) {
        log.note(MessageId{change}, many);
        log.recorded(MessageId{change}, change);
    }
    log.committed(700);
    CHECK(read(log, folder).contains(MessageId{1}));
    log.recorded(MessageId{1}, 701);
    log.committed(700);
    CHECK(read(log, folder).contains(MessageId{1}));
    log.committed(701);
    CHECK_FALSE(read(log, folder).contains(MessageId{1}));
}

TEST_CASE("without descriptors what was delivered is kept, and noted before all else when there are some",
          "[settled]") {
    if (sanitized) return;
    Folder folder;
    std::atomic<int> begun{0}, over{0};
    const std::vector<std::uint16_t> many(1000, 1);
    SettledLog log(folder.path(), machine, [&](const std::error_code& error) {
        if (error == std::errc::too_many_files_open)
            ++begun;
        else if (!error)
            ++over;
    });
    std::uint64_t id = 0;
    {
        NoDescriptors none;
        // The file goes on to its end, which is not there for ever.
        while (!log.behind() && id < 2000) {
            log.note(MessageId{++id}, many);
            log.wait();
        }
        CHECK(log.behind());
        for (int more = 0; more < 10; ++more) log.note(MessageId{++id}, many);
    }
    for (int round = 0; over == 0 && round < 6000; ++round)
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    CHECK_FALSE(log.behind());
    CHECK(begun == 1);
    CHECK(read(log, folder).size() == id);
}

TEST_CASE("a log that cannot be read is told, not taken for an empty one", "[settled]") {
    Folder folder;
    write_example(folder.path());
    fs::path file = only_file(folder.path());
    if (!sanitized) {
        const NoDescriptors none;
        CHECK_THROWS_WITH(SettledLog::read(folder.path()),
                          Catch::Contains(folder.path().string()) && Catch::Contains("Too many open files"));
    }
    CHECK(SettledLog::read(folder.path()) == noted);
    fs::remove(file);
    fs::create_directory(file);
    CHECK_THROWS_WITH(SettledLog::read(folder.path()),
                      Catch::Contains(file.string() + ": Is a directory") && Catch::Contains("twice"));
    CHECK_THROWS(SettledLog::read(folder.path() / "none"));
}

TEST_CASE("a note that could be written in part only is written whole when there is room", "[settled]") {
    Folder folder;
    SettledLog log(folder.path(), machine, ignore);
    log.note(MessageId{5}, {0, 2});
    log.wait();
    {
        const FilesUpTo small(fs::file_size(only_file(folder.path())) + 3);  // a part of the next
        log.note(MessageId{6}, {0});
        log.wait();
    }
    log.note(MessageId{7}, {1});
    SettledLog::Delivered found;
    for (int round = 0; found.size() < 3 && round < 6000; ++round) {
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
        found = SettledLog::read(folder.path());
    }
    CHECK(found == SettledLog::Delivered{{MessageId{5}, {0, 2}}, {MessageId{6}, {0}}, {MessageId{7}, {1}}});
}
