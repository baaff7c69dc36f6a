// How messages and their recipients' progress are written down: pure functions between values and octets.
// Every record ends with a CRC-32 of itself; one that does not match, or does not parse to its end, is
// damaged.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "relay/mail/message.h"
#include "relay/mail/reply.h"

namespace postern::relay {

enum class RecipientStatus : std::uint8_t { pending, delivered, failed };

/// What has become of one recipient so far.
struct RecipientProgress {
    RecipientStatus status = RecipientStatus::pending;
    bool reported = false;  // of a failed one: the sender has been told
    std::uint16_t attempts = 0;
    std::string route;        // of a pending one that waits: the destination it waits for, else ""
    Time next{};              // of a waiting one: not before
    Reply reply;              // the last reply that concerned this recipient, code 0 if there was none
    std::string reason;       // the last error in words, when there was no reply
    std::string host, stage;  // where and when that was

    bool pending() const { return status == RecipientStatus::pending; }
    bool resolved() const {
        return status == RecipientStatus::delivered || (status == RecipientStatus::failed && reported);
    }
};

/// One entry for each of Envelope::forward_paths, in their order.
using Progress = std::vector<RecipientProgress>;

/// Envelope, trace field and description of the content; neither the content itself nor the message id.
std::string encode_message(const Message& message);
std::optional<Message> decode_message(MessageId id, std::string_view record);

std::string encode_progress(const Progress& progress);
std::optional<Progress> decode_progress(std::string_view record);

std::uint32_t checksum(std::string_view octets, std::uint32_t before = 0);

}  // namespace postern::relay
