#include "sync/base/kept_file.h"

#include <sys/stat.h>

#include <catch2/catch.hpp>

#include "tests/unit/power_cut.h"
#include "tests/unit/shortage.h"
#include "tests/unit/sync/fixture.h"

using namespace postern::base;
using postern::tests::FilesUpTo;
using postern::tests::Folder;
namespace fs = std::filesystem;

TEST_CASE("what is kept is read whole or not at all", "[file]") {
    const Folder folder;
    SystemDisk disk;
    const auto read = [&](const fs::path& file, std::size_t most) { return read_file(disk, file, most); };
    for (const std::size_t size : {0u, 1u, 99u, 100u, 300'000u})
        CHECK(read(folder.write("some", std::string(size, 'x')), size) == std::string(size, 'x'));
    const auto file = folder.write("some", std::string(101, 'x'));
    CHECK(read(file, 100).error() == std::errc::file_too_large);
    CHECK(read("/proc/self/environ", 1 << 20));  // of no size beforehand
    CHECK(read("/dev/zero", 100'000).error() == std::errc::file_too_large);
    CHECK(read(folder.path() / "none", 100).error() == std::errc::no_such_file_or_directory);
    CHECK(read(folder.path(), 100).error() == std::errc::is_a_directory);
    CHECK(read(file / "below", 100).error() == std::errc::not_a_directory);
}

TEST_CASE("a file is replaced or stays as it was", "[file]") {
    const Folder folder;
    SystemDisk disk;
    const auto file = folder.path() / "some";
    CHECK_FALSE(replace_file(disk, file, "first"));
    struct stat status {};
    REQUIRE(::stat(file.c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0600);
    {
        const FilesUpTo few(10);
        CHECK(replace_file(disk, file, std::string(100, 'x')) == std::errc::file_too_large);
    }
    CHECK(folder.read("some") == "first");
    CHECK_FALSE(fs::exists(folder.path() / "some.new"));
    folder.write("some.new", "half of somebody's");
    CHECK_FALSE(replace_file(disk, file, "second"));
    CHECK(folder.read("some") == "second");
    fs::create_symlink(file, folder.path() / "some.new");
    CHECK(replace_file(disk, file, "third") == std::errc::too_many_symbolic_link_levels);
    CHECK(folder.read("some") == "second");
    CHECK(replace_file(disk, folder.path() / "none" / "some", "x") == std::errc::no_such_file_or_directory);
    fs::create_directories(folder.path() / "full" / "below");
    CHECK(replace_file(disk, folder.path() / "full", "x") == std::errc::is_a_directory);
    CHECK_FALSE(fs::exists(folder.path() / "full.new"));
}

TEST_CASE("what is made once is made where there is none, not where it cannot be read", "[file]") {
    const Folder folder;
    SystemDisk disk;
    const auto file = folder.path() / "some";
    int made = 0;
    const auto obtain = [&](const fs::path& path) {
        return obtain_file(disk, path, 100, [&] { return "made " + std::to_string(++made); });
    };
    CHECK(obtain(file) == "made 1");
    CHECK(obtain(file) == "made 1");
    CHECK(folder.read("some") == "made 1");
    CHECK(obtain(folder.path()).error() == std::errc::is_a_directory);
    CHECK(obtain(folder.write("large", std::string(101, 'x'))).error() == std::errc::file_too_large);
    CHECK(made == 1);
    {
        const FilesUpTo few(3);
        CHECK(obtain(folder.path() / "other").error() == std::errc::file_too_large);
    }
    CHECK_FALSE(fs::exists(folder.path() / "other"));
}

TEST_CASE("after a power cut the old is there or the new, whole", "[file]") {
    const postern::tests::Keeping keeping{
        [](Disk& disk, const std::string& octets) { return !replace_file(disk, "/state/some", octets); },
        [](Disk& disk) { return read_file(disk, "/state/some", 1 << 20).value_or(""); }};
    const std::string large(5000, 'x');
    for (const std::string before : {"", "old"}) postern::tests::check_power_cuts(keeping, before, large);
    postern::tests::check_power_cuts(keeping, large, "new");
}

TEST_CASE("what was made and told is the same after a power cut", "[file]") {
    const auto obtain = [](Disk& disk, const std::string& fresh) {
        return obtain_file(disk, "/state/some", 100, [&] { return fresh; });
    };
    const postern::tests::Keeping keeping{
        [&](Disk& disk, const std::string& fresh) { return obtain(disk, fresh) == fresh; },
        [&](Disk& disk) {
            const auto left = obtain(disk, "again");
            return left == "again" ? "" : left.value();
        }};
    postern::tests::check_power_cuts(keeping, "", "first");
}

TEST_CASE("what is damaged makes place and is found again", "[file]") {
    const Folder folder;
    SystemDisk disk;
    folder.write("some.damaged", "earlier");
    const auto aside = set_aside_damaged(disk, folder.write("some", "x"));
    CHECK(aside == folder.path() / "some.damaged");
    CHECK(folder.read("some.damaged") == "x");
    CHECK_FALSE(fs::exists(folder.path() / "some"));
    CHECK(set_aside_damaged(disk, folder.path() / "some").error() == std::errc::no_such_file_or_directory);
}
