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
#include "relay/mail/route_key.h"

namespace postern::relay {

enum class RecipientStatus : std::uint8_t { pending, delivered, failed };

/// What an operator wants of a recipient that was in hand when it was said: done as soon as it is not.
enum class Order : std::uint8_t { none, hold, bounce, move };

/// What has become of one recipient so far.
struct RecipientProgress {
    RecipientStatus status = RecipientStatus::pending;
    bool reported = false;  // the sender has been told that it failed, or that it was relayed
    bool relayed = false;   // delivered to a host that will not say so, to a sender who asked to be told
    bool delay_reported = false;
    RouteKey pinned;  // a route chosen by the operator, instead of the rules
    std::uint16_t attempts = 0;
    RouteKey route;  // of a pending one that waits: the destination it waits for, else empty
    Time next{};     // of a waiting one: not before; steady time
    Time tried{};    // the last attempt, by the wall clock
    Order order = Order::none;
    std::string order_reason;  // of a bounce: what the sender is told; of a move: the route
    Reply reply;               // the last reply that concerned this recipient, code 0 if there was none
    std::string reason;        // the last error in words, when there was no reply
    std::string host, stage;   // where and when that was
    std::string egress;        // our address then, "" for the system's choice
    std::string tls;           // what was wanted and what was reached

    bool pending() const { return status == RecipientStatus::pending; }
    bool resolved() const {
        return status == RecipientStatus::delivered ? !relayed || reported
                                                    : status == RecipientStatus::failed && reported;
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
