// What a message has beside it, or gets back, as it is accepted: its copy for the archive, and the envelope
// it had before a screening gateway.
#pragma once

#include "relay/mail/marks.h"
#include "relay/queue/stored.h"
#include "relay/reception/incoming.h"
#include "relay/reception/session_context.h"
#include "sync/directory/snapshot.h"

namespace postern::relay {

/// Whether `client`, an address literal, hands mail back from screening.
bool screens(const Settings& settings, std::string_view client);

/// The journal report on a message, to be accepted together with it; null where none is wanted. Never of one
/// that came back from screening, of another report, or of mail for the archive itself. Where the content is
/// in a file, the report's is to be linked to it.
StoredPtr journal_report_on(const SessionContext& context, const Message& message,
                            const Incoming::Header& header);

/// Gives a message back what the way through the screening gateway lost: by our mark, or where that was lost
/// too, by the domain's primary.
void restore_envelope(const SessionContext& context, Message& message, const Incoming::Header& header);

}  // namespace postern::relay
