#include "agent/http/token.h"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>

using namespace postern::agent;

TEST_CASE("a token is made once, readable by its owner only") {
    char name[] = "/tmp/postern-token-XXXXXX";
    const std::filesystem::path folder = mkdtemp(name);
    const auto file = folder / "token";
    postern::base::SystemDisk disk;
    const auto made = obtain_token(disk, file);
    REQUIRE(made);
    CHECK(made->size() == 64);
    struct stat status {};
    REQUIRE(stat(file.c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0600);
    CHECK(obtain_token(disk, file) == made);
    CHECK(read_token(file) == made);

    SECTION("a file that holds no token is not taken") {
        std::ofstream(file) << GENERATE("", "\n", "short\n", "two words that are long enough\n");
        CHECK_FALSE(obtain_token(disk, file));
    }
    SECTION("nor is one without end") {
        std::ofstream(file) << std::string(600, 'x');
        CHECK_FALSE(read_token(file));
    }
    SECTION("a missing one is reported with its name") {
        const auto read = read_token(folder / "other");
        REQUIRE_FALSE(read);
        CHECK_THAT(read.error(), Catch::Contains((folder / "other").string()));
    }
    SECTION("one that cannot be read is not made anew") {
        std::filesystem::remove(file);
        std::filesystem::create_directory(file);
        CHECK_THAT(obtain_token(disk, file).error(), Catch::Contains(file.string() + ": Is a directory"));
        CHECK(std::filesystem::is_directory(file));
    }
    std::filesystem::remove_all(folder);
}

TEST_CASE("tokens are the same or not") {
    CHECK(same_token("abc", "abc"));
    CHECK_FALSE(same_token("abc", "abd"));
    CHECK_FALSE(same_token("abc", "abcd"));
    CHECK_FALSE(same_token("abc", ""));
}
