#include "sync/base/file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <catch2/catch.hpp>

#include "sync/base/file_fault.h"
#include "tests/unit/shortage.h"
#include "tests/unit/sync/fixture.h"

using namespace postern;
using namespace postern::base;
using postern::tests::Folder;
using postern::tests::Nobody;
using postern::tests::NoDescriptors;
namespace fs = std::filesystem;

TEST_CASE("a file is read whole or not at all", "[file]") {
    const Folder folder;
    for (const std::size_t size : {0u, 1u, 99u, 100u, 300'000u})
        CHECK(read_file(folder.write("some", std::string(size, 'x')), size) == std::string(size, 'x'));
    const auto file = folder.write("some", std::string(101, 'x'));
    CHECK(read_file(file, 100).error() == std::errc::file_too_large);
    CHECK(read_file("/proc/self/environ", 1 << 20));  // of no size beforehand
    CHECK(read_file("/dev/zero", 100'000).error() == std::errc::file_too_large);
    REQUIRE(::mkfifo((folder.path() / "pipe").c_str(), 0600) == 0);
    CHECK(read_file(folder.path() / "pipe", 100) == "");  // nobody is waited for
}

TEST_CASE("missing is what is not there, and nothing else", "[file]") {
    const Folder folder;
    CHECK(read_file(folder.path() / "none", 100).error() == std::errc::no_such_file_or_directory);
    const auto file = folder.write("some", "x");
    CHECK(read_file(folder.path(), 100).error() == std::errc::is_a_directory);
    CHECK(read_file(file / "below", 100).error() == std::errc::not_a_directory);
    fs::create_symlink("itself", folder.path() / "itself");
    CHECK(read_file(folder.path() / "itself", 100).error() == std::errc::too_many_symbolic_link_levels);
    if (!tests::sanitized) {
        const auto read = [&] {
            const NoDescriptors none;
            return read_file(file, 100);
        }();
        CHECK(read.error() == std::errc::too_many_files_open);
        CHECK(is_passing(read.error()));
    }
    REQUIRE(::chmod(folder.path().c_str(), 0700) == 0);
    const Nobody nobody;
    if (nobody.lacks) CHECK(read_file(file, 100).error() == std::errc::permission_denied);
}

TEST_CASE("a fault of a file says what happened, whose it is and what helps", "[file]") {
    const Folder folder;
    const auto file = folder.write("some", "x");
    const auto word = [&](std::errc error) { return file_fault(file, std::make_error_code(error)); };
    CHECK(word(std::errc::io_error).starts_with(file.string() + ": Input/output error ("));
    CHECK_THAT(word(std::errc::no_space_on_device), Catch::Contains("make room"));
    CHECK_THAT(word(std::errc::too_many_files_open), Catch::Contains("LimitNOFILE"));
    CHECK(file_fault(file, std::make_error_code(std::errc::is_a_directory)) ==
          file.string() + ": Is a directory");

    REQUIRE(::chmod(file.c_str(), 0600) == 0);
    REQUIRE(::chmod(folder.path().c_str(), 0755) == 0);
    const Nobody nobody;
    if (!nobody.lacks) return;
    const auto denied = [&](FileUse use) { return file_fault(file, read_file(file, 100).error(), use); };
    CHECK_THAT(denied(FileUse::own),
               Catch::Contains("Permission denied (" + file.string() + " belongs to root") &&
                   Catch::Contains("chown -R nobody " + folder.path().string()));
    CHECK_THAT(denied(FileUse::read), Catch::Contains("belongs to root and has mode 0600") &&
                                          Catch::Contains("chmod g+r " + file.string()));
    const auto fresh = folder.path() / "fresh";
    CHECK_THAT(file_fault(fresh, open_file(fresh, O_WRONLY | O_CREAT).error()),
               Catch::Contains(folder.path().string() + " belongs to root"));
}

TEST_CASE("a descriptor has one owner", "[file]") {
    const auto open = [](int number) { return ::fcntl(number, F_GETFD) != -1; };
    auto first = open_file("/dev/null", O_RDONLY);
    REQUIRE(first);
    const int number = first->get();
    Descriptor second = std::move(*first);
    CHECK_FALSE(*first);
    CHECK(second.get() == number);
    CHECK(open(number));
    Descriptor third(::dup(number));
    const int other = third.get();
    third = std::move(second);
    CHECK_FALSE(open(other));
    CHECK(open(number));
    errno = ENOSPC;
    third.close();
    CHECK(errno == ENOSPC);
    CHECK_FALSE(open(number));
    Descriptor fourth(::dup(0));
    const int kept = fourth.release();
    CHECK(open(kept));
    ::close(kept);
}
