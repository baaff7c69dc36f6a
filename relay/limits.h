// Limits that several parts of relay go by, and how they depend on each other. One that only a single file
// needs stands in that file.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace postern::relay::limits {

// Octets of an address. RFC 5321 §4.5.3.1 asks for a local part of 64; variable envelope return paths are
// often longer.
inline constexpr std::size_t local_part = 256, domain = 255;

/// Of a command line, its CRLF not counted. RFC 5321 asks for 510; paths and parameters may add to it.
inline constexpr std::size_t command_line = 2048;
inline constexpr std::chrono::milliseconds other_gateways{50};  // that mail waits for them
inline constexpr std::size_t envelope_id = 100;                 // RFC 3461 §4.4
inline constexpr std::size_t original_recipient = 500;  // RFC 3461 §4.2, as it came and as it is handed on
static_assert(command_line > local_part + domain + original_recipient + 100,
              "RCPT fits with all it may have");
static_assert(command_line > local_part + domain + 3 * envelope_id + 200, "so does MAIL");

// Recipients of a message: as many as the configuration may allow, and as a record of the spool may have.
inline constexpr std::uint32_t accepted_recipients = 50'000, recorded_recipients = 100'000;
static_assert(accepted_recipients <= recorded_recipients, "what is accepted can be read back");

// Octets of a remote server's reply: all lines as they come, and its text as it is kept.
inline constexpr std::size_t reply = 64 << 10, reply_text = 16 << 10;
static_assert(reply_text < reply, "what is kept was read");

// Messages in the queue's memory: with the first, the rest is for routes with little, and the roll call of
// all that waits waits itself; from the second on nothing is taken up.
inline constexpr std::size_t crowded_messages = 15'000, messages = 20'000;
static_assert(crowded_messages < messages / 8 * 7, "a route with little has room left when it is crowded");

/// Octets of content that are kept with a record; larger content has a file of its own.
inline constexpr std::size_t inline_content = 256 << 10;
/// Octets of content in the queue's memory; what is beyond is read again.
inline constexpr std::uint64_t content_in_memory = 256u << 20;
static_assert(inline_content <= content_in_memory, "one message is not too much");

/// Octets of a message's header that are looked at, or returned with a report.
inline constexpr std::size_t header = 64 << 10;

}  // namespace postern::relay::limits
