// Segments that no gateway left like that are neither read nor removed: a start refuses them in words.
#include "relay/queue/segment_files.h"

#include <catch2/catch.hpp>
#include <cstring>

#include "relay/queue/inspection.h"
#include "relay/queue/octets.h"
#include "tests/unit/relay/folder.h"
#include "tests/unit/relay/kept_spool.h"
#include "tests/unit/relay/memory_disk.h"
#include "tests/unit/relay/segment_image.h"

using namespace postern;
using namespace postern::relay;
using namespace postern::tests;
using Catch::Contains;

namespace {

constexpr std::uint64_t segment_size = 16 << 10;

/// Two of one spool.
struct Files {
    Files() {
        std::filesystem::create_directories(spool);  // an earlier spool is looked for there
        disk.make_folder(spool);
        first.add(RecordHeader::Kind::delivered, 1, "");
        first.add(RecordHeader::Kind::delivered, 2, "");
        second.next = first.next;
        second.add(RecordHeader::Kind::delivered, 3, "");
    }
    void put(const SegmentImage& image, const std::string& name) {
        std::string octets = image.octets;
        octets.resize(segment_size);
        disk.put(spool / name, octets);
    }
    void put(const SegmentImage& image) { put(image, image.name.text()); }
    std::vector<std::string> faults() {
        return list_segments(disk, spool, disk.names(spool).value_or(std::vector<std::string>())).faults;
    }
    void is_refused(const std::string& word) {
        const auto found = faults();
        REQUIRE(found.size() == 1);
        CHECK_THAT(found.front(), Contains(word));
        const auto before = disk.names(spool);
        auto options = KeptSpool::options;
        options.segment_size = segment_size;
        CHECK_THROWS_WITH(KeptSpool(folder.path(), clock, disk, options), "state_dir: " + found.front());
        CHECK(disk.names(spool) == before);
        const auto check = inspect_spool(disk, folder.path(), segment_size);
        REQUIRE(check);
        REQUIRE(check->faults.size() == 1);
        CHECK_THAT(check->faults.front(), Contains(word));
    }

    const Folder folder;
    const std::filesystem::path spool = folder.path() / "spool";
    const base::SystemClock clock;
    MemoryDisk disk;
    SegmentImage first{1}, second{2};
};

}  // namespace

TEST_CASE("segments as they were left are sound") {
    Files files;
    files.put(files.first);
    files.put(files.second);
    CHECK(files.faults().empty());
    files.disk.put(files.spool / SegmentImage(3).name.text(), std::string(segment_size, '\0'));
    files.disk.put(files.spool / SegmentImage(4).name.text(), "");
    SegmentImage used(5);
    used.octets = SegmentImage(77).octets + std::string(100, 'x');  // the space of one that is gone
    files.put(used);
    CHECK(files.faults().empty());
}

TEST_CASE("two files with one number are refused") {
    Files files;
    files.put(files.first);
    SegmentImage other(1, 99);
    other.add(RecordHeader::Kind::delivered, 9, "");
    files.put(other);
    files.is_refused("two files are segment 1");
}

TEST_CASE("files that have each other's names are refused") {
    Files files;
    files.put(files.first, files.second.name.text());
    files.put(files.second, files.first.name.text());
    const auto found = files.faults();
    REQUIRE(found.size() == 2);
    CHECK_THAT(found.front(), Contains("has the octets of " + files.second.name.text()));
}

TEST_CASE("a copy under another number is refused") {
    Files files;
    files.put(files.first);
    files.put(files.first, SegmentName{3, 12345}.text());
    files.is_refused("has the octets of " + files.first.name.text());
}

TEST_CASE("files that have each other's numbers are refused") {
    Files files;
    files.put(files.first, SegmentName{2, files.first.name.mark}.text());
    files.put(files.second, SegmentName{1, files.second.name.mark}.text());
    files.is_refused("was written before those with smaller numbers");
}

TEST_CASE("a number that no segment comes to is refused") {
    Files files;
    files.put(files.first);
    files.put(SegmentImage(4294967290));
    files.is_refused("no spool comes to segment 4294967290");
}

TEST_CASE("a later version's segments are left to it; a damaged version is not taken for that") {
    Files files;
    std::string octets = files.first.octets;
    octets[10] = 2;
    files.disk.put(files.spool / files.first.name.text(), octets);
    CHECK(files.faults().empty());
    put_number(octets.data() + record_header_size - 4,
               checksum(std::string_view(octets).substr(0, record_header_size - 4), 0));
    files.disk.put(files.spool / files.first.name.text(), octets);
    files.is_refused("later version of postern (2)");
}
