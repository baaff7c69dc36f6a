#include "relay/queue/view.h"

#include "relay/queue/schedule.h"

namespace postern::relay {

MessageView view_of(const Message& message, const Progress& progress, const Settings& settings,
                    const base::Clock& clock, const std::function<RouteKey(const Address&)>& route) {
    MessageView out;
    out.id = message.id.text();
    out.from = message.envelope.reverse_path.text();
    out.client = message.envelope.client;
    out.primary = message.envelope.primary;
    out.arrived = message.arrived;
    const Envelope& envelope = message.envelope;
    const bool journal = envelope.journal != JournalReport::none;
    if (!journal) out.expires = expiry(settings.queue, message);
    if (journal) out.origin = "a copy of " + envelope.origin.text() + " for the archive";
    if (envelope.screened)
        out.origin =
            envelope.origin == MessageId{}
                ? "it came back from the screening gateway"
                : "it came back from the screening gateway, where it went as " + envelope.origin.text();
    out.size = message.size();
    for (std::size_t at = 0; at < progress.size(); ++at) {
        const RecipientProgress& one = progress[at];
        RecipientView recipient;
        recipient.address = message.envelope.forward_paths[at].text();
        recipient.attempts = one.attempts;
        recipient.next = one.pending() && !one.route.empty() ? clock.on_the_wall(one.next) : Time{};
        recipient.egress = one.egress;
        recipient.tls = one.tls;
        recipient.pinned = !one.pinned.empty();
        switch (one.status) {
            case RecipientStatus::pending:
                recipient.state = one.route.empty() ? RecipientState::ready : RecipientState::waiting;
                break;
            case RecipientStatus::delivered: recipient.state = RecipientState::delivered; break;
            case RecipientStatus::failed: recipient.state = RecipientState::failed; break;
        }
        bool held = one.pending() && one.route == RouteKey::held();
        if (held) {
            recipient.state = RecipientState::held;
            recipient.next = {};
        }
        recipient.route = (!one.route.empty() && !held ? one.route
                           : one.pinned.empty()        ? route(message.envelope.forward_paths[at])
                                                       : one.pinned)
                              .text();
        recipient.why = one.reply.code != 0 ? one.reply.line() : one.reason;
        if (one.reply.code != 0 && !one.reason.empty()) recipient.why = one.reason + ": " + recipient.why;
        if (!recipient.why.empty() && !one.host.empty())
            recipient.why += " (" + one.host + ", " + one.stage + ")";
        out.recipients.push_back(std::move(recipient));
    }
    return out;
}

}  // namespace postern::relay
