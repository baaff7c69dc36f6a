// Delivery status notifications (RFC 3461, RFC 3464, RFC 6533), marked as RFC 3834 asks.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "relay/mail/message.h"
#include "relay/queue/record.h"
#include "relay/queue/spool.h"

namespace postern::relay {

enum class ReportAction : std::uint8_t { failed, delayed, relayed };

struct ReportedRecipient {
    Address address;
    RecipientOptions options;
    RecipientProgress progress;
    ReportAction action = ReportAction::failed;
    Time next{};     // of a delayed one: the next attempt
    Time give_up{};  // of a delayed one: when it will be given up
};

struct ReportContent {
    std::string_view header;  // of the original, our trace field in front
    /// The rest of it, its empty line in front; "" when only the header is to be returned.
    std::string_view body;
};

/// What a report returns of a message, as octets of its own.
struct Returned {
    std::string header, body;
    ReportContent content() const { return {header, body}; }
};
/// The header as it came, at most 64 KiB of it; "" when it cannot be read. Waits for the disk.
std::string header_octets(const Spool& spool, const Message& message);

/// Reads it: the header, and the rest where one of `recipients` has failed, RET=FULL asked for it and it is
/// at most `most` bytes. What cannot be read is left out. Waits for the disk.
Returned read_returned(const Spool& spool, const Stored& original,
                       const std::vector<ReportedRecipient>& recipients, std::uint64_t most);

/// A message to `original`'s reverse-path with an envelope of its own: null reverse-path, NOTIFY=NEVER,
/// SMTPUTF8 when something in it needs that, to be handed to the same primary. Of the header at most 64 KiB
/// are returned, the body only as `content` has it, and never of a message with REQUIRETLS, whose report
/// requires TLS itself (RFC 8689 §5). What remote servers said is quoted with control characters replaced.
/// The sender's ENVID and each recipient's ORCPT are given back. Of very many recipients the first are named,
/// the others counted.
///
/// Loops: `original`'s reverse-path must not be null, for a report is never answered: where `original` is one
/// that its reader could not be named for, it is the postmaster's, who is asked to pass it on. A report that
/// comes back as something else is stopped at reception, which counts Received fields.
Message make_report(const std::string& hostname, const Message& original, const ReportContent& content,
                    const std::vector<ReportedRecipient>& recipients, MessageId id, Time now);

/// The status a report gives for a recipient (RFC 3463): the remote one, or one that fits the reply's class.
EnhancedStatus report_status(const RecipientProgress& progress);

}  // namespace postern::relay
