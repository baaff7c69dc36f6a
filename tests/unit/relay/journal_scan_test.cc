#include "relay/queue/journal_scan.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <random>
#include <string>

#include "memory_disk.h"
#include "segment_image.h"

using namespace postern::relay;
using namespace postern::tests;
using What = Scanned::What;
using Access = postern::base::Disk::Access;

namespace {

constexpr const char* path = "/spool/segment";
constexpr std::uint64_t sector = 4096;

std::string random_octets(std::mt19937& random, std::size_t size) {
    std::string out(size, '\0');
    for (char& one : out) one = static_cast<char>(random() & 0xff);
    return out;
}

SegmentImage filled(std::mt19937& random, std::size_t records, std::size_t largest) {
    SegmentImage out(7);
    for (std::size_t at = 0; at < records; ++at)
        out.add(static_cast<RecordHeader::Kind>(1 + random() % 4), random(),
                random_octets(random, random() % (largest + 1)));
    return out;
}

ScanResult scan(MemoryDisk& disk, const SegmentImage& image, std::uint64_t from, std::uint64_t end) {
    const auto file = disk.open(path, Access::read);
    REQUIRE(file);
    return scan_all(**file, image.name, from, end);
}

ScanResult scan(const SegmentImage& image, const std::string& octets) {
    MemoryDisk disk;
    disk.put(path, octets);
    return scan(disk, image, 0, octets.size());
}

bool touches(const SegmentImage::Entry& entry, std::uint64_t from, std::uint64_t to) {
    return entry.place.offset() < to && from < entry.place.offset() + entry.place.length;
}

/// The records are those of the image but for what has octets in [`from`, `to`), in order, as they were
/// written.
void check_all_but(const SegmentImage& image, const ScanResult& result, std::uint64_t from,
                   std::uint64_t to) {
    const auto given = result.of(What::record);
    std::size_t at = 0;
    bool good = !result.error;
    for (const auto& entry : image.entries) {
        if (touches(entry, from, to)) continue;
        good = good && at < given.size() && given[at].place == entry.place &&
               given[at].header == entry.header && given[at].body == entry.body;
        ++at;
    }
    if (!good || at != given.size())
        FAIL("without octets " << from << " to " << to << ": " << given.size() << " records for " << at);
}

}  // namespace

TEST_CASE(
    "a segment's records are given in their order, also large ones and those across what is read at once") {
    std::mt19937 random(1);
    SegmentImage image(7);
    constexpr std::size_t piece = 256 << 10;
    for (int round = 0; round < 30; ++round) {
        image.add(RecordHeader::Kind::message, 1, random_octets(random, random() % 20000));
        image.add(RecordHeader::Kind::done, 1, random_octets(random, 8));
    }
    for (const std::size_t size :
         {piece, piece - record_header_size, piece - 1, 3 * piece + 5, std::size_t{0}}) {
        image.add(RecordHeader::Kind::message, 2, random_octets(random, size));
        image.add(RecordHeader::Kind::delivered, 2, {});
    }
    // Every position of a header's and a body's beginning and end around the end of a piece.
    for (std::size_t near = 0; near < 2 * record_header_size; near += record_alignment) {
        const std::size_t left = piece - image.octets.size() % piece;
        image.add(RecordHeader::Kind::message, 3,
                  random_octets(random, left + piece - 2 * record_header_size - near));
        image.add(RecordHeader::Kind::progress, 3, random_octets(random, 5));
    }
    MemoryDisk disk;
    disk.put(path, image.octets);
    const auto result = scan(disk, image, 0, image.octets.size());
    check_all_but(image, result, 0, 0);
    CHECK(result.steps.size() == image.entries.size());
    CHECK(result.position == image.octets.size());

    for (const std::size_t first : {std::size_t{1}, std::size_t{31}, image.entries.size() - 1}) {
        const auto rest = scan(disk, image, image.entries[first].place.offset(), image.octets.size());
        CHECK(rest.steps.size() == image.entries.size() - first);
        CHECK(rest.steps.front().header == image.entries[first].header);
    }
    const auto none = scan(disk, image, image.octets.size(), image.octets.size());
    CHECK(none.steps.empty());
    CHECK(none.position == image.octets.size());
}

TEST_CASE("any bit that changes costs the record that has it, and no other") {
    std::mt19937 random(2);
    const SegmentImage image = filled(random, 24, 60);
    for (std::size_t bit = 0; bit < 8 * image.octets.size(); ++bit) {
        std::string octets = image.octets;
        octets[bit / 8] = static_cast<char>(octets[bit / 8] ^ (1 << bit % 8));
        const auto result = scan(image, octets);
        check_all_but(image, result, bit / 8, bit / 8 + 1);
        const auto hit = std::find_if(image.entries.begin(), image.entries.end(),
                                      [&](const auto& one) { return touches(one, bit / 8, bit / 8 + 1); });
        const auto gaps = result.of(What::gap), damaged = result.of(What::damaged);
        if (!result.of(What::unreadable).empty()) FAIL("bit " << bit << " is told as unreadable");
        if (hit == image.entries.end()) {
            if (!gaps.empty() || !damaged.empty()) FAIL("bit " << bit << " is none of a record");
        } else if (bit / 8 >= hit->place.offset() + record_header_size) {
            if (!gaps.empty() || damaged.size() != 1 || damaged[0].place != hit->place ||
                damaged[0].header != hit->header || !damaged[0].body.empty())
                FAIL("bit " << bit << " of a body");
        } else if (hit != image.entries.end() - 1) {
            // From where the record began to where the next one does.
            if (!damaged.empty() || gaps.size() != 1 || gaps[0].place.offset() != hit->place.offset() ||
                gaps[0].place.end() != hit->place.end())
                FAIL("bit " << bit << " of a header");
        }
    }
}

TEST_CASE("octets that are overwritten, by zeros or by anything, cost the records they were of") {
    std::mt19937 random(3);
    for (int round = 0; round < 400; ++round) {
        const SegmentImage image = filled(random, 40, round % 10 == 0 ? 40000 : 500);
        const std::uint64_t from = random() % image.octets.size();
        const std::uint64_t to = std::min<std::uint64_t>(
            image.octets.size(), from + 1 + random() % (round % 2 == 0 ? 300 : image.octets.size()));
        std::string octets = image.octets;
        // The first and last octet are not by chance what they were.
        for (std::uint64_t at = from; at < to; ++at)
            octets[at] = at == from || at + 1 == to ? static_cast<char>(~octets[at])
                         : round % 4 < 2            ? '\0'
                                                    : static_cast<char>(random() & 0xff);
        check_all_but(image, scan(image, octets), from, to);
    }
}

TEST_CASE("several damaged places in one segment are told each for itself") {
    std::mt19937 random(4);
    const SegmentImage image = filled(random, 20, 300);
    std::string octets = image.octets;
    for (const std::size_t at : {0U, 5U, 11U, 12U}) octets[image.entries[at].place.offset() + 20] ^= 1;
    for (const std::size_t at : {3U, 17U}) octets[image.entries[at].place.offset() + 47] ^= 1;
    const auto gaps = scan(image, octets).of(What::gap);
    REQUIRE(gaps.size() == 5);
    const auto check = [&](std::size_t gap, std::size_t first, std::size_t last) {
        CHECK(gaps[gap].place.offset() == image.entries[first].place.offset());
        CHECK(gaps[gap].place.end() == image.entries[last].place.end());
        CHECK(gaps[gap].place.segment == 7);
        CHECK(gaps[gap].header.sequence == 0);
    };
    check(0, 0, 0);
    check(1, 3, 3);
    check(2, 5, 5);
    check(3, 11, 12);
    check(4, 17, 17);
}

TEST_CASE("what the disk does not give is unreadable, never damaged, and all else is given") {
    std::mt19937 random(5);
    for (int round = 0; round < 150; ++round) {
        const SegmentImage image = filled(random, 60, round % 3 == 0 ? 50000 : 2000);
        const std::uint64_t from = random() % (image.octets.size() / sector + 1) * sector;
        const std::uint64_t to = from + sector * (1 + random() % (round % 2 == 0 ? 2 : 40));
        MemoryDisk disk;
        disk.put(path, image.octets);
        disk.make_unreadable(path, from, to);
        const auto result = scan(disk, image, 0, image.octets.size());
        check_all_but(image, result, from, to);
        if (!result.of(What::gap).empty() || !result.of(What::damaged).empty())
            FAIL("octets " << from << " to " << to << " are told as damaged");
        // Each touched record lies in what is told, and if its header could be read that is told too.
        const auto told = result.of(What::unreadable);
        for (const auto& entry : image.entries) {
            if (!touches(entry, from, to)) continue;
            const auto found = std::find_if(told.begin(), told.end(), [&](const auto& one) {
                return one.place.offset() <= entry.place.offset() &&
                       std::min(entry.place.end(), to) <= one.place.end();
            });
            if (found == told.end()) FAIL("octets " << from << " to " << to << ": a record is not told");
            const std::uint64_t begin = entry.place.offset();
            if (begin + record_header_size <= from && found->header != entry.header)
                FAIL("octets " << from << " to " << to << ": whose body is unreadable is not told");
        }
        // When they can be read again, all is well.
        disk.make_readable(path);
        check_all_but(image, scan(disk, image, 0, image.octets.size()), 0, 0);
    }
}

TEST_CASE("where the end of a segment cannot be read, that is told: there may be mail") {
    std::mt19937 random(6);
    SegmentImage image(7);
    for (int at = 0; at < 3; ++at) image.add(RecordHeader::Kind::message, 1, random_octets(random, sector));
    const std::uint64_t written = image.octets.size();
    image.octets.resize(16 * sector);
    MemoryDisk disk;
    disk.put(path, image.octets);
    disk.make_unreadable(path, 3 * sector, 5 * sector);
    REQUIRE(written < 4 * sector);
    const auto result = scan(disk, image, 0, image.octets.size());
    CHECK(result.of(What::record).size() == 2);
    REQUIRE_FALSE(result.steps.empty());

    // None of it has a header that is known: behind the last record may be others.
    disk.make_readable(path);
    disk.make_unreadable(path, 4 * sector, 5 * sector);
    const auto behind = scan(disk, image, 0, image.octets.size());
    CHECK(behind.of(What::record).size() == 3);
    REQUIRE(behind.of(What::unreadable).size() == 1);
    CHECK(behind.of(What::unreadable)[0].place.offset() == written);
    CHECK(behind.of(What::unreadable)[0].place.end() == image.octets.size());
    CHECK(behind.of(What::unreadable)[0].header.sequence == 0);
}

TEST_CASE("the disk is not asked again and again for what it does not give") {
    std::mt19937 random(7);
    SegmentImage image(7);
    image.octets.resize(8 * sector);  // nothing there: a gap
    for (int at = 0; at < 100; ++at) image.add(RecordHeader::Kind::message, 1, random_octets(random, 100));
    const std::uint64_t bad = (image.octets.size() / sector + 1) * sector;
    for (int at = 0; at < 100; ++at) image.add(RecordHeader::Kind::message, 1, random_octets(random, 100));
    MemoryDisk disk;
    disk.put(path, image.octets);
    disk.make_unreadable(path, bad, bad + sector);
    check_all_but(image, scan(disk, image, 0, image.octets.size()), bad, bad + sector);
    // Each sector by itself at the most, and a record or two across their borders.
    CHECK(disk.count(MemoryDisk::Act::read) < 3 * (image.octets.size() / sector));
}

TEST_CASE("a segment that was cut short gives what is whole of it") {
    std::mt19937 random(8);
    const SegmentImage image = filled(random, 12, 100);
    for (std::uint64_t size = 0; size < image.octets.size(); ++size) {
        MemoryDisk disk;
        disk.put(path, image.octets.substr(0, size));
        for (const std::uint64_t end : {size, std::uint64_t{image.octets.size()}}) {
            const auto result = scan(disk, image, 0, end);
            check_all_but(image, result, size, image.octets.size());
            if (!result.of(What::gap).empty() || !result.of(What::unreadable).empty())
                FAIL("cut at " << size);
            std::uint64_t last = 0;
            for (const auto& one : result.steps) last = one.place.end();
            if (result.position != last) FAIL("cut at " << size);
        }
    }
}

TEST_CASE("nothing behind the last record passes for one, whatever it is") {
    std::mt19937 random(9);
    const SegmentImage image = filled(random, 10, 200);
    SegmentImage other(7, image.name.mark + 1), elsewhere(8, image.name.mark);
    for (const auto& one : image.entries) {
        other.add(one.header, one.body);
        elsewhere.add(one.header, one.body);
    }
    const auto zeros = std::string(image.octets.size(), '\0');
    for (const std::string& tail :
         {zeros, random_octets(random, 300000), random_octets(random, 1), other.octets, zeros + other.octets,
          // Its own octets at another place.
          image.octets, "12345678" + image.octets, std::string(4, '\0') + image.octets}) {
        const auto result = scan(image, image.octets + tail);
        check_all_but(image, result, 0, 0);
        CHECK(result.steps.size() == image.entries.size());
        CHECK(result.position == image.octets.size());
    }
    CHECK(scan(SegmentImage(7), random_octets(random, 100000)).steps.empty());
    // A record in a content is none, even where the sender knows the number of the segment.
    SegmentImage outer(7, image.name.mark);
    outer.add(RecordHeader::Kind::message, 1, "12345678" + other.octets);
    const auto result = scan(outer, outer.octets);
    CHECK(result.steps.size() == 1);
    std::string damaged = outer.octets;
    damaged[3] ^= 1;
    CHECK(scan(outer, damaged).of(What::record).empty());
}

TEST_CASE("a record that says it is longer than the segment is none, and hides none behind it") {
    SegmentImage image(7);
    image.add(RecordHeader::Kind::message, 1, "first");
    RecordHeader endless;
    endless.length = 0xffffffff;
    const auto front = encode_header(endless, image.name.mark,
                                     static_cast<std::uint32_t>(image.octets.size() / record_alignment));
    image.octets.append(front.data(), front.size());
    image.add(RecordHeader::Kind::message, 2, "second");
    const auto result = scan(image, image.octets);
    check_all_but(image, result, 0, 0);
    CHECK(result.of(What::gap).size() == 1);
}

TEST_CASE("an error that is none of the octets' ends a scan, and says nothing about them") {
    std::mt19937 random(10);
    const SegmentImage image = filled(random, 100, 9000);
    for (const auto error :
         {std::errc::too_many_files_open, std::errc::not_enough_memory, std::errc::permission_denied}) {
        MemoryDisk disk;
        disk.put(path, image.octets);
        const auto file = disk.open(path, Access::read);
        JournalScan scan(**file, image.name, 0, image.octets.size());
        disk.fail(MemoryDisk::Act::read, error);
        const auto failed = scan.next();
        REQUIRE_FALSE(failed);
        CHECK(failed.error() == error);
        // Asked again, it goes on where it was.
        for (std::size_t at = 0; at < image.entries.size(); ++at) {
            const auto step = scan.next();
            REQUIRE(step);
            REQUIRE(*step);
            CHECK((*step)->place == image.entries[at].place);
            if (at % 10 == 5) {
                disk.fail(MemoryDisk::Act::read, error);
                for (++at; at < image.entries.size(); ++at) {
                    const auto next = scan.next();
                    if (!next) {
                        CHECK(next.error() == error);
                        --at;
                        break;
                    }
                    REQUIRE((*next)->place == image.entries[at].place);
                }
            }
        }
        CHECK_FALSE(*scan.next());
    }
}
