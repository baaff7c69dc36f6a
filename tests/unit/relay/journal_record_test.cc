#include "relay/queue/journal_record.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <limits>
#include <string>

#include "relay/queue/record.h"

using namespace postern::relay;
using namespace std::string_literals;

namespace {

constexpr std::uint64_t mark = 0x89abcdef01234567;
constexpr std::uint32_t unit = 12345;

std::string_view text(const std::array<char, record_header_size>& header) {
    return {header.data(), header.size()};
}

RecordHeader example() {
    RecordHeader out;
    out.kind = RecordHeader::Kind::progress;
    out.length = 0x12345678;
    out.id.value = 0xfedcba9876543210;
    out.sequence = 0x0123456789abcdef;
    out.durable = 0x0123456789abcd00;
    out.sum = 0xdeadbeef;
    return out;
}

}  // namespace

TEST_CASE("a record's header comes back as it was written, whatever its kind and flags") {
    using Kind = RecordHeader::Kind;
    for (const Kind kind : {Kind::message, Kind::progress, Kind::delivered, Kind::done})
        for (unsigned flags = 0; flags < 32; ++flags) {
            RecordHeader header = example();
            header.kind = kind;
            header.follows = (flags & 1) != 0;
            header.followed = (flags & 2) != 0;
            header.fresh = (flags & 4) != 0;
            header.copy = (flags & 8) != 0;
            header.first = (flags & 16) != 0;
            CHECK(decode_header(text(encode_header(header, mark, unit)), mark, unit) == header);
        }
    for (const std::uint64_t value : {std::uint64_t{0}, std::numeric_limits<std::uint64_t>::max()}) {
        RecordHeader header;
        header.id.value = header.sequence = header.durable = value;
        header.length = header.sum = static_cast<std::uint32_t>(value);
        const auto octets = encode_header(header, value, static_cast<std::uint32_t>(value));
        CHECK(decode_header(text(octets), value, static_cast<std::uint32_t>(value)) == header);
    }
    // What follows is not looked at.
    CHECK(decode_header(std::string(text(encode_header(example(), mark, unit))) + "behind", mark, unit) ==
          example());
}

TEST_CASE("any bit of a record's header that changes is noticed, and any two") {
    const auto whole = encode_header(example(), mark, unit);
    for (std::size_t bit = 0; bit < 8 * whole.size(); ++bit) {
        auto octets = whole;
        octets[bit / 8] = static_cast<char>(octets[bit / 8] ^ (1 << bit % 8));
        CHECK_FALSE(decode_header(text(octets), mark, unit));
        for (std::size_t other = 0; other < bit; ++other) {
            auto both = octets;
            both[other / 8] = static_cast<char>(both[other / 8] ^ (1 << other % 8));
            if (decode_header(text(both), mark, unit)) FAIL("bits " << bit << " and " << other);
        }
    }
}

TEST_CASE("a record proves itself in its segment and at its place only") {
    const auto octets = encode_header(example(), mark, unit);
    for (int bit = 0; bit < 64; ++bit)
        CHECK_FALSE(decode_header(text(octets), mark ^ std::uint64_t{1} << bit, unit));
    for (int bit = 0; bit < 32; ++bit)
        CHECK_FALSE(decode_header(text(octets), mark, unit ^ std::uint32_t{1} << bit));
    CHECK_FALSE(decode_header(text(octets), 0, unit));
    for (std::size_t size = 0; size < octets.size(); ++size)
        CHECK_FALSE(decode_header(text(octets).substr(0, size), mark, unit));
    CHECK_FALSE(decode_header(std::string(record_header_size, '\0'), 0, 0));
    CHECK_FALSE(decode_header(std::string(record_header_size, '\xff'), ~std::uint64_t{0}, unit));
}

TEST_CASE("a header of a kind, version or flag that is not known is none, whatever its sum") {
    const auto changed = [](std::size_t at, int value) {
        auto octets = encode_header(example(), mark, unit);
        octets[at] = static_cast<char>(value);
        const auto sum = checksum({octets.data(), record_header_size - 4}, unit);
        for (std::size_t one = 0; one < 4; ++one)
            octets[record_header_size - 4 + one] = static_cast<char>(sum >> 8 * one & 0xff);
        return decode_header(text(octets), mark, unit).has_value();
    };
    CHECK(changed(8, 1));
    CHECK(changed(8, 4));
    CHECK_FALSE(changed(8, 0));
    CHECK_FALSE(changed(8, 5));
    CHECK_FALSE(changed(8, 0x81));
    CHECK(changed(9, 0));
    CHECK_FALSE(changed(9, 0x80));
    CHECK_FALSE(changed(10, 0));
    CHECK_FALSE(changed(10, 2));
    CHECK_FALSE(changed(11, 1));
}

TEST_CASE("a place knows where its record begins and where the next one may") {
    CHECK(aligned(0) == 0);
    CHECK(aligned(1) == 8);
    CHECK(aligned(8) == 8);
    CHECK_FALSE(Place{});
    const Place place{1, 3, 49};
    CHECK(place);
    CHECK(place.offset() == 24);
    CHECK(place.end() == 80);
    // Beyond what 32 bits can say in octets.
    const Place far{1, 0xffffffff, 0xffffffff};
    CHECK(far.offset() == 0x7'ffff'fff8);
    CHECK(far.end() == 0x9'0000'0000 - 8);
}

TEST_CASE("the sum of two texts follows from the sum of each") {
    const std::string all = "The quick brown fox\0jumps over the lazy dog\xff"s;
    for (std::size_t cut = 0; cut <= all.size(); ++cut)
        CHECK(joined_checksum(checksum(all.substr(0, cut)), checksum(all.substr(cut)), all.size() - cut) ==
              checksum(all));
    const std::string big(3 << 20, 'x');
    CHECK(joined_checksum(checksum(all), checksum(big), big.size()) == checksum(all + big));
    CHECK(joined_checksum(0, 0, 0) == checksum(""));
}

TEST_CASE("a message's record is its description, counted, and the content behind it") {
    for (const std::string& description : {""s, "d"s, std::string(70000, '\xfe')})
        for (const std::string& content : {""s, "Subject: x\r\n\r\n"s}) {
            const std::string body = counted(description) + content;
            const auto parts = split_message(body);
            REQUIRE(parts);
            CHECK(parts->description == description);
            CHECK(parts->content == content);
            // Its beginning, as far as the description goes, is enough.
            CHECK(split_message(std::string_view(body).substr(0, 4 + description.size())));
            CHECK_FALSE(split_message(std::string_view(body).substr(0, 3 + description.size())));
        }
    CHECK_FALSE(split_message(""));
    CHECK_FALSE(split_message("abc"));
    CHECK_FALSE(split_message("\xff\xff\xff\xff rest"));
}

TEST_CASE("recipients that were delivered to, and graves, come back as they were written") {
    for (const std::vector<std::uint16_t>& recipients :
         {std::vector<std::uint16_t>{}, {0}, {65535, 0, 1, 256}}) {
        const std::string body = encode_delivered(recipients);
        CHECK(decode_delivered(body) == recipients);
        CHECK_FALSE(decode_delivered(body + "x"));
    }
    for (const Graves& graves : {Graves{}, Graves{1, 0xffffffff}, Graves{0x01020304, 0x05060708}}) {
        const std::string body = encode_graves(graves);
        CHECK(decode_graves(body) == graves);
        CHECK_FALSE(decode_graves(body + "x"));
        CHECK_FALSE(decode_graves(body.substr(1)));
    }
    CHECK_FALSE(decode_graves(""));
}

TEST_CASE("a segment's file is named by number and mark, and nothing else is taken for one") {
    CHECK(SegmentName{12, mark}.text() == "0000000012-89abcdef01234567.segment");
    CHECK(SegmentName{0xffffffff, 1}.text() == "4294967295-0000000000000001.segment");
    for (const SegmentName name : {SegmentName{1, 1}, SegmentName{0xffffffff, ~std::uint64_t{0}}}) {
        const auto parsed = SegmentName::parse(name.text());
        REQUIRE(parsed);
        CHECK(parsed->number == name.number);
        CHECK(parsed->mark == name.mark);
    }
    for (const char* other :
         {"", "0000000012-89abcdef01234567", "0000000012-89abcdef01234567.segmen", "spare-1", "checkpoint",
          "0000000012-89abcdef01234567.segment~", "000000012-89abcdef01234567.segment",
          "0000000000-89abcdef01234567.segment", "4294967296-89abcdef01234567.segment",
          "-000000012-89abcdef01234567.segment", "+000000012-89abcdef01234567.segment",
          "0000000012-89abcdef0123456g.segment", "0000000012_89abcdef01234567.segment",
          "0000000012--9abcdef01234567.segment", "00000000 2-89abcdef01234567.segment"})
        CHECK_FALSE(SegmentName::parse(other));
    // One name for one segment.
    CHECK_FALSE(SegmentName::parse("0000000012-89ABCDEF01234567.segment"));
    // In the order of their numbers.
    CHECK(SegmentName{9, ~std::uint64_t{0}}.text() < SegmentName{10, 1}.text());
}
