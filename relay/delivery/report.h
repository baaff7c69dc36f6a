// Delivery status notifications (RFC 3461, RFC 3464, RFC 6533), marked as RFC 3834 asks.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "relay/mail/message.h"
#include "relay/queue/record.h"

namespace postern::relay {

enum class ReportAction : std::uint8_t { failed, delayed, relayed };

struct ReportedRecipient {
    Address address;
    RecipientOptions options;
    RecipientProgress progress;
    ReportAction action = ReportAction::failed;
    Time next{};       // of a delayed one: the next attempt
    Time give_up{};    // of a delayed one: when it will be given up
};

struct ReportContent {
    std::string_view header;  // of the original, our trace field in front
    std::string_view body;    // the rest of it; "" when only the header is to be returned
};

/// A message to `original`'s reverse-path, which must not be null, with an envelope of its own: null reverse-path,
/// SMTPUTF8 when an address in it needs that, to be handed to the same primary. Of the header at most 64 KiB are
/// returned, the body only as `content` has it. What remote servers said is quoted with control characters
/// replaced. The sender's ENVID and each recipient's ORCPT are given back.
Message make_report(const std::string& hostname, const Message& original, const ReportContent& content,
                    const std::vector<ReportedRecipient>& recipients, MessageId id, Time now);

/// The status a report gives for a recipient (RFC 3463): the remote one, or one that fits the reply's class.
EnhancedStatus report_status(const RecipientProgress& progress);

}  // namespace postern::relay
