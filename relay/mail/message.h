// A message in our care: its envelope, and its content as it will be sent on.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "relay/mail/address.h"

namespace postern::relay {

using Time = std::chrono::system_clock::time_point;

/// Unique for the life of a state_dir and ordered by arrival: microseconds since 1970 times 256, plus a
/// counter.
struct MessageId {
    std::uint64_t value = 0;

    std::string text() const;  // 13 characters, sorted as the value is
    Time arrived() const { return Time(std::chrono::microseconds(value >> 8)); }
    static MessageId first_at(Time time);
    static std::optional<MessageId> parse(std::string_view text);
    auto operator<=>(const MessageId&) const = default;
};

enum class BodyType : std::uint8_t { seven_bit, eight_bit };  // RFC 6152

struct Envelope {
    Address reverse_path;
    std::vector<Address> forward_paths;
    BodyType body = BodyType::seven_bit;
    std::string client;  // address the mail came from, "" for our own bounces
    std::string helo;
    std::string primary;  // name of the primary that handed it over, or that a bounce goes back through
    bool bounce = false;  // our own report, to be handed to `primary`
};

/// The content in transmission form without dot-stuffing: every line ends with CRLF, no bare CR or LF.
/// Either held in memory, or in a file of its own when it is large.
struct Content {
    std::string trace;  // our Received field, sent in front
    std::shared_ptr<const std::string> bytes;
    std::filesystem::path file;  // used when `bytes` is null
    std::uint64_t size = 0;      // of bytes or file, without trace
    std::uint32_t checksum = 0;  // CRC-32 of bytes or file
    bool dots = false;           // some line begins with a dot and needs stuffing (RFC 5321 §4.5.2)
};

struct Message {
    MessageId id;
    Envelope envelope;
    Content content;

    std::uint64_t size() const { return content.size + content.trace.size(); }
};

}  // namespace postern::relay
