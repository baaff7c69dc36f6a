#include "sync/directory/cache.h"

#include <openssl/sha.h>
#include <sys/stat.h>
#include <catch2/catch.hpp>

#include "sync/sync.h"
#include "tests/unit/power_cut.h"
#include "tests/unit/shortage.h"
#include "tests/unit/sync/fixture.h"

using namespace postern::sync;
using namespace postern::tests;

namespace {

std::string digest(const std::string& octets) {
    std::string sum(SHA256_DIGEST_LENGTH, '\0');
    SHA256(reinterpret_cast<const unsigned char*>(octets.data()), octets.size(),
           reinterpret_cast<unsigned char*>(sum.data()));
    return sum;
}

Directory sample() {
    PrimaryRecord primary{"main", {}, at(5000), {}};
    DomainRecord& record = primary.domains["example.com"] = read_domain("Example.com", at(4000));
    record.users.content = address_list(Kind::user, {"alice", "bob"});
    record.users.content.add(Kind::user_disabled, "carol");
    record.aliases.content = address_list(Kind::alias, {"sales"});
    record.lists.content = address_list(Kind::mailing_list, {"news"});
    record.resources = {};
    record.options.content = {std::nullopt, "everyone", "listserv"};
    record.domain_aliases.content = {"example.org", "example.net"};
    record.error = "users: \"no\"";
    record.error_at = at(4500);
    primary.domains["off.example"].enabled = false;
    PrimaryRecord empty{"empty", {}, {}, {}};
    empty.lists = false;
    return {primary, empty};
}

void check_same(const Directory& a, const Directory& b) {
    CHECK(encode(a) == encode(b));  // covers every field that is stored
    REQUIRE(b.size() == 2);
    const DomainRecord& record = b[0].domains.at("example.com");
    CHECK(record.spelling == "Example.com");
    CHECK(record.listed == at(4000));
    CHECK(record.users.content == a[0].domains.at("example.com").users.content);
    CHECK(record.options.content.catch_all == "everyone");
    CHECK(record.domain_aliases.content == std::vector<std::string>{"example.org", "example.net"});
    CHECK(record.error == "users: \"no\"");
    CHECK(record.complete() == at(4000));
    CHECK_FALSE(record.resources.known());
    CHECK_FALSE(b[0].domains.at("off.example").enabled);
    CHECK(b[0].listed == at(5000));
    CHECK(b[1].listed == Time{});
    CHECK(b[0].lists);
    CHECK_FALSE(b[1].lists);
}

}  // namespace

TEST_CASE("what is saved comes back", "[cache]") {
    const Folder folder;
    const Cache cache(system_disk, folder.path() / "directory.cache");
    const auto none = cache.load();
    REQUIRE(none);
    CHECK(none->empty());
    REQUIRE(cache.save(sample()));
    const auto loaded = cache.load();
    REQUIRE(loaded);
    check_same(sample(), *loaded);
    struct stat status {};
    REQUIRE(::stat(cache.file().c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0600);
    REQUIRE(cache.save(Directory{}));
    CHECK(cache.load()->empty());
}

TEST_CASE("what the version before saved is read: all primaries listed their addresses", "[cache]") {
    using namespace std::string_literals;
    const std::string body = "postern directory"s + "\1\0\0\0"s + "\27\0\0\0\0\0\0\0"s +  // 23 octets follow:
                             "\1\0\0\0"s +                                                // one primary,
                             "\3\0\0\0old"s + "\210\23\0\0\0\0\0\0"s + "\0\0\0\0"s;       // without domains
    const auto loaded = decode(body + digest(body));
    REQUIRE(loaded);
    REQUIRE(loaded->size() == 1);
    CHECK((*loaded)[0].name == "old");
    CHECK((*loaded)[0].listed == at(5000));
    CHECK((*loaded)[0].lists);
}

TEST_CASE("every truncation is noticed", "[cache]") {
    const std::string content = encode(sample());
    for (std::size_t size = 0; size < content.size(); ++size) {
        CAPTURE(size);
        REQUIRE_FALSE(decode(std::string_view(content).substr(0, size)));
    }
    CHECK_FALSE(decode(content + "x"));
}

TEST_CASE("every changed octet is noticed", "[cache]") {
    std::string content = encode(sample());
    for (std::size_t i = 0; i < content.size(); ++i) {
        for (const int bit : {0, 7}) {
            content[i] = static_cast<char>(content[i] ^ (1 << bit));
            CAPTURE(i, bit);
            REQUIRE_FALSE(decode(content));
            content[i] = static_cast<char>(content[i] ^ (1 << bit));
        }
    }
    CHECK(decode(content));
}

TEST_CASE("a damaged file is set aside and said to be", "[cache]") {
    const Folder folder;
    const Cache cache(system_disk, folder.path() / "directory.cache");
    const std::string content = encode(sample());
    std::string other_version = content;
    other_version[17] = 3;
    struct Row {
        std::string content, reason;
    };
    for (const Row& row :
         {Row{"", "it is cut short"}, Row{std::string(500, '\0'), "it is not a directory file"},
          Row{content.substr(0, content.size() - 1), "its length is wrong"},
          Row{content.substr(0, 60), "it is cut short"}, Row{other_version, "it has version 3, not 2"}}) {
        CAPTURE(row.reason);
        folder.write("directory.cache", row.content);
        const auto loaded = cache.load();
        REQUIRE_FALSE(loaded);
        CHECK(loaded.error().reason.starts_with(row.reason.substr(0, 10)));
        CHECK(loaded.error().set_aside == folder.path() / "directory.cache.damaged");
        CHECK(folder.read("directory.cache.damaged") == row.content);
        CHECK_FALSE(std::filesystem::exists(cache.file()));
        CHECK(cache.load()->empty());
    }
}

TEST_CASE("a file that cannot be read stays where it is and is not said to be damaged", "[cache]") {
    const Folder folder;
    const Cache cache(system_disk, folder.path() / "directory.cache");
    REQUIRE(cache.save(sample()));
    if (!sanitized) {
        const auto loaded = [&] {
            const NoDescriptors none;
            return cache.load();
        }();
        REQUIRE_FALSE(loaded);
        CHECK_FALSE(loaded.error().damaged);
        CHECK_THAT(loaded.error().reason, Catch::Contains(cache.file().string() + ": Too many open files"));
        check_same(sample(), *cache.load());
    }
    std::filesystem::remove(cache.file());
    std::filesystem::create_directory(cache.file());
    CHECK_FALSE(cache.load().error().damaged);
    CHECK(std::filesystem::exists(cache.file()));

    Recorder recorder;
    const auto start = [&] { Sync({}, folder.path(), recorder, machine, system_disk, {}); };
    CHECK_THROWS_WITH(start(), Catch::Contains(cache.file().string() + ": Is a directory"));
    std::filesystem::remove(cache.file());
    start();
    const std::string name = folder.read("client-id");
    CHECK(name.size() == 41);
    start();
    CHECK(folder.read("client-id") == name);
    std::filesystem::remove(folder.path() / "client-id");
    std::filesystem::create_directory(folder.path() / "client-id");
    CHECK_THROWS_WITH(start(), Catch::Contains("client-id: Is a directory"));
}

TEST_CASE("a save that fails leaves the old file", "[cache]") {
    const Folder folder;
    const Cache cache(system_disk, folder.path() / "directory.cache");
    REQUIRE(cache.save(sample()));
    std::filesystem::create_directory(folder.path() / "directory.cache.new");  // in the way
    CHECK_FALSE(cache.save(Directory{}));
    const auto loaded = cache.load();
    REQUIRE(loaded);
    check_same(sample(), *loaded);
}

TEST_CASE("a file half written by a crash does not count", "[cache]") {
    const Folder folder;
    const Cache cache(system_disk, folder.path() / "directory.cache");
    REQUIRE(cache.save(sample()));
    folder.write("directory.cache.new", "half");
    CHECK(cache.load()->size() == 2);
    REQUIRE(cache.save(sample()));
    CHECK_FALSE(std::filesystem::exists(folder.path() / "directory.cache.new"));
}

TEST_CASE("after a power cut there is the directory as saved before, or as saved last", "[cache]") {
    const std::string small = encode(Directory{}), large = encode(sample());
    const Keeping keeping{[](postern::base::Disk& disk, const std::string& content) {
                              return Cache(disk, "/state/directory.cache").save(*decode(content)).has_value();
                          },
                          [&](postern::base::Disk& disk) {
                              return encode(Cache(disk, "/state/directory.cache").load().value());
                          }};
    check_power_cuts(keeping, small, large);
    check_power_cuts(keeping, large, small);
}
