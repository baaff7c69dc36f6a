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

/// Which reports a sender asked for about one recipient (RFC 3461 §4.1); nothing given: failures, and delays.
struct Notify {
    bool given = false, success = false, failure = false,
         delay = false;  // NEVER: given and none of the others

    bool wants_failure() const { return !given || failure; }
    bool wants_delay() const { return !given || delay; }
    bool operator==(const Notify&) const = default;
};

/// RCPT parameters of one recipient.
struct RecipientOptions {
    Notify notify;
    std::string original;  // ORCPT as it came, "rfc822;user+2Bx@example.com" (RFC 3461 §4.2); "" for none

    bool operator==(const RecipientOptions&) const = default;
};

enum class ReturnContent : std::uint8_t { unspecified, full, headers };  // RET (RFC 3461 §4.3)

/// What a journal report of ours, a copy for the archive, has of the message that it is about.
enum class JournalReport : std::uint8_t { none, whole, without_content };

struct Envelope {
    Address reverse_path;
    std::vector<Address> forward_paths;
    std::vector<RecipientOptions> options;  // of forward_paths, in their order; empty: none has any
    std::string envelope_id;                // ENVID as it came, in xtext (RFC 3461 §4.4); "" for none
    ReturnContent return_content = ReturnContent::unspecified;
    bool utf8 = false;          // SMTPUTF8 was given (RFC 6531)
    bool require_tls = false;   // REQUIRETLS was given (RFC 8689 §2)
    bool tls_optional = false;  // the header says "TLS-Required: No" (RFC 8689 §5)
    /// The reverse-path that is told to mail exchangers and gateways when the sender is foreign (SRS); null:
    /// `reverse_path` itself. Reports go to `reverse_path`.
    Address sent_as;
    BodyType body = BodyType::seven_bit;
    std::string client;  // address the mail came from, "" for our own bounces
    std::string helo;
    /// Since its sender's volume is unusual it is not sent before that steady time, or, where `held`, before
    /// an operator releases it; but for those recipients that are in the primaries' domains.
    Time not_before{};
    bool held = false;
    std::string restrained;             // why, in words; "": neither
    std::vector<std::uint16_t> exempt;  // numbers of those recipients, in their order
    std::string primary;  // name of the primary that handed it over, or that a bounce goes back through
    bool bounce = false;  // our own report, to be handed to `primary`
    /// Not `none`: ours, waits for the archive until that takes it, and nobody is ever told of it.
    JournalReport journal = JournalReport::none;
    bool screened = false;  // it has been through the screening gateway
    MessageId origin{};     // whom a journal report is about; what came back from screening left as this

    /// Whether it goes over proven TLS or not at all. Mail without a sender, which is a report and would be
    /// lost without a word, takes what TLS there is (RFC 8689 §5).
    bool demands_tls() const { return require_tls && !reverse_path.null(); }

    /// Whether a primary handed it over, and a screening gateway has not had it.
    bool unscreened() const { return !primary.empty() && !bounce && !screened; }

    const RecipientOptions& options_of(std::size_t recipient) const {
        static const RecipientOptions none;
        return recipient < options.size() ? options[recipient] : none;
    }
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
    std::string tail;            // of our own, sent behind it; no line of it begins with a dot
};

struct Message {
    MessageId id;
    Envelope envelope;
    Content content;
    Time arrived{};  // when it was accepted, by the wall clock; the id may be later than that

    std::uint64_t size() const { return content.size + content.trace.size() + content.tail.size(); }
};

}  // namespace postern::relay
