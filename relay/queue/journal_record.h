// What the journal is made of: records that prove themselves. Pure functions between values and octets; the
// format is told in relay/README.md.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "relay/mail/message.h"

namespace postern::relay {

/// Where a record lies. Compact: the index has two for each message.
struct Place {
    std::uint32_t segment = 0;  // 0: nowhere
    std::uint32_t unit = 0;     // octet / record_alignment
    std::uint32_t length = 0;   // octets, header and body

    std::uint64_t offset() const;
    std::uint64_t end() const;  // where the next record begins
    explicit operator bool() const { return segment != 0; }
    bool operator==(const Place&) const = default;
};

inline constexpr std::size_t record_alignment = 8;
inline constexpr std::size_t record_header_size = 48;

/// Octets rounded up to where a record may begin.
constexpr std::uint64_t aligned(std::uint64_t octets) {
    return (octets + record_alignment - 1) / record_alignment * record_alignment;
}
inline std::uint64_t Place::offset() const { return std::uint64_t{unit} * record_alignment; }
inline std::uint64_t Place::end() const { return offset() + aligned(length); }

struct RecordHeader {
    enum class Kind : std::uint8_t {
        message = 1,    // counted description (record.h), and the content behind it unless that has a file
        progress = 2,   // record.h
        delivered = 3,  // recipients, ahead of the progress that has more to say
        done = 4,       // the message is gone; Graves
    };
    Kind kind = Kind::message;
    bool follows = false;   // counts only together with the record before it
    bool followed = false;  // counts only together with the one behind it
    bool fresh = false;     // of progress: not all of the message was tried
    bool copy = false;      // moved here from another segment
    bool first = false;  // of a process: what had not become durable before it, and is missing, never counts
    std::uint32_t length = 0;  // octets of the body
    MessageId id;
    std::uint64_t sequence = 0;  // one more with each record of the journal
    std::uint64_t durable = 0;   // what has a smaller sequence was on the disk when this was written
    std::uint32_t sum = 0;       // CRC-32 of the body

    bool operator==(const RecordHeader&) const = default;
};

/// `mark` is the segment's own, so that no octets from elsewhere, least of all from a message's content, pass
/// for a record; `unit` is its place there, where alone it proves itself.
std::array<char, record_header_size> encode_header(const RecordHeader& header, std::uint64_t mark,
                                                   std::uint32_t unit);
/// nullopt unless the octets in front are a header of that segment and place, and prove it.
std::optional<RecordHeader> decode_header(std::string_view octets, std::uint64_t mark, std::uint32_t unit);

/// Of a segment's beginning: the mark of what is written there, whatever it is; nullopt where there is none.
std::optional<std::uint64_t> mark_of(std::string_view octets);
/// Of a segment's beginning: the version of its records, where that is one later than ours and is proven.
std::optional<std::uint16_t> later_version(std::string_view octets, std::uint64_t mark);

/// Of two texts, one behind the other, from the sums of each.
std::uint32_t joined_checksum(std::uint32_t first, std::uint32_t second, std::uint64_t second_size);

// Bodies.

/// What stands in front of the content in a message's record: encode_message(), counted.
std::string counted(const std::string& description);
struct MessageBody {
    std::string_view description, content;
};
/// nullopt when it is shorter than it says. `body` may end anywhere behind the description.
std::optional<MessageBody> split_message(std::string_view body);

std::string encode_delivered(const std::vector<std::uint16_t>& recipients);
std::optional<std::vector<std::uint16_t>> decode_delivered(std::string_view body);

/// The segments in which a message that is gone may still have a record: as long as one of them is there, its
/// `done` must be kept.
struct Graves {
    std::uint32_t first = 0, last = 0;
    auto operator<=>(const Graves&) const = default;
};
/// Of a `done` that lies there, and does not tell: what is behind it is not of its message.
inline Graves widest_graves(const Place& done) { return {0, done.segment}; }
std::string encode_graves(const Graves& graves);
std::optional<Graves> decode_graves(std::string_view body);

/// Segments are files named by their number and mark: "0000000012-89abcdef01234567.segment".
struct SegmentName {
    std::uint32_t number = 0;
    std::uint64_t mark = 0;

    std::string text() const;
    static std::optional<SegmentName> parse(std::string_view file_name);
};

struct Segment {
    SegmentName name;
    std::uint64_t size = 0;  // octets of the file
};

}  // namespace postern::relay
