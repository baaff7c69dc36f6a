#include "relay/queue/content.h"

#include <catch2/catch.hpp>
#include <fstream>

#include "relay/queue/record.h"
#include "tests/unit/relay/folder.h"
#include "tests/unit/shortage.h"

using namespace postern::relay;
using namespace postern::tests;
namespace fs = std::filesystem;

namespace {

Content written(const fs::path& file, const std::string& octets) {
    std::ofstream(file, std::ios::binary) << octets;
    Content out;
    out.file = file;
    out.size = octets.size();
    out.checksum = checksum(octets);
    return out;
}

}  // namespace

TEST_CASE("a content is proven, damaged, or cannot be read now", "[content]") {
    Folder folder;
    postern::base::SystemDisk disk;
    const std::string octets = "A: b\r\n\r\n" + std::string(300'000, 'x') + "\r\n";
    Content content = written(folder.path() / "content", octets);
    auto read = read_content(disk, content);
    REQUIRE(read);
    CHECK(**read == octets);

    SECTION("no descriptor is left: nothing is known about it") {
        if (sanitized) return;
        NoDescriptors none;
        auto now = read_content(disk, content);
        auto header = read_header(disk, content);
        REQUIRE_FALSE(now);
        REQUIRE_FALSE(header);
        CHECK_FALSE(now.error().damaged());
        CHECK(now.error().error == std::errc::too_many_files_open);
        CHECK_FALSE(header.error().damaged());
    }
    SECTION("it is a folder, which cannot be read") {
        content.file = folder.path();
        auto now = read_content(disk, content);
        REQUIRE_FALSE(now);
        CHECK_FALSE(now.error().damaged());
    }
    SECTION("it is gone") {
        fs::remove(content.file);
        CHECK(read_content(disk, content).error().damaged());
        CHECK(read_header(disk, content).error().damaged());
    }
    SECTION("an octet is another") {
        ++content.checksum;
        CHECK(read_content(disk, content).error().damaged());
        CHECK(read_header(disk, content).error().damaged());
    }
    SECTION("it is cut short") {
        fs::resize_file(content.file, octets.size() - 1);
        CHECK(read_content(disk, content).error().damaged());
    }
    SECTION("two read one file without a name, each by itself") {
        auto one = ContentFile::open(disk, content);
        REQUIRE(one);
        fs::remove(content.file);
        ContentFile other = *one;
        std::string all, space;
        for (;;) {
            auto part = one->next(space, 1000);
            REQUIRE(part);
            if (part->empty()) break;
            all += *part;
            std::string more;
            REQUIRE(other.next(more, 7));
        }
        CHECK(all == octets);
    }
}

TEST_CASE("the header of a content in a file", "[content]") {
    Folder folder;
    postern::base::SystemDisk disk;
    auto header_in = [&](const std::string& octets) {
        return read_header(disk, written(folder.path() / "content", octets)).value();
    };
    CHECK(header_in("").empty());
    CHECK(header_in("A: b\r\n\r\nbody\r\n") == "A: b\r\n");
    CHECK(header_in("\r\nbody\r\n").empty());

    // A header longer than what is kept: only whole lines of it, so that no half CRLF goes into a report.
    std::string line = "X-Filler: " + std::string(50, 'x') + "\r\n";
    for (std::size_t shift = 0; shift < line.size(); ++shift) {
        std::string content = "S: " + std::string(shift, 's') + "\r\n";
        while (content.size() < 80'000) content += line;
        std::string header = header_in(content + "\r\nbody\r\n");
        REQUIRE(header.size() <= 64 * 1024);
        REQUIRE(header.size() > 60'000);
        REQUIRE(header.ends_with("\r\n"));
        REQUIRE(content.starts_with(header));
    }
    std::string endless = header_in("X: " + std::string(100'000, 'x') + "\r\n\r\n");
    CHECK(endless.size() <= 64 * 1024);
    CHECK((endless.empty() || endless.back() != '\r'));
}
