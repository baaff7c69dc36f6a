// The report to a sender whose mail could not be delivered (RFC 3464, marked as RFC 3834 asks).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "relay/mail/message.h"
#include "relay/queue/record.h"

namespace postern::relay {

struct FailedRecipient {
    Address address;
    RecipientProgress progress;
};

/// A message to `original`'s reverse-path, which must not be null, with an envelope of its own: null
/// reverse-path, to be handed to the same primary. `header` is the original's; of it at most 64 KiB are
/// returned. What remote servers said is quoted with control and non-ASCII characters replaced.
Message make_bounce(const std::string& hostname, const Message& original, std::string_view header,
                    const std::vector<FailedRecipient>& failed, MessageId id, Time now);

/// The status a report gives for a recipient (RFC 3463): the remote one, or one that fits the reply's class.
EnhancedStatus report_status(const RecipientProgress& progress);

}  // namespace postern::relay
