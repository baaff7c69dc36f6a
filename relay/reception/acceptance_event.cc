#include "relay/reception/acceptance_event.h"

#include <string>

namespace postern::relay {

void tell_accepted(const SessionContext& context, const Stored& stored, std::string_view tls,
                   std::string_view message_id, base::Moment begun) {
    const Message& message = stored.message;
    const StoredPtr& copy = stored.companion;
    const std::string id = message.id.text(), from = message.envelope.reverse_path.text();
    event::Accepted what;
    what.id = id;
    what.from = from;
    what.recipients = message.envelope.forward_paths.size();
    what.size = message.size();
    what.message_id = message_id;
    what.client = message.envelope.client;
    what.helo = message.envelope.helo;
    what.primary = message.envelope.primary;
    what.tls = tls;
    what.commit = std::chrono::duration_cast<std::chrono::microseconds>(context.clock.now() - begun);
    const Envelope& envelope = message.envelope;
    const std::string journal = copy != nullptr ? copy->message.id.text() : std::string();
    const std::string before = envelope.origin == MessageId{} ? std::string() : envelope.origin.text();
    what.journal = journal;
    what.screened = before;
    what.back = envelope.screened;
    if (!before.empty())
        what.again =
            context.commons.screening.returns.came(envelope.origin, what.recipients, context.clock.wall());
    context.observer.on(what);
    if (envelope.restrained.empty()) return;
    if (envelope.held) {
        const std::string to = envelope.forward_paths.front().text();
        context.observer.on(event::Held{id, from, to, what.recipients, false, envelope.restrained});
    } else {
        context.observer.on(event::Throttled{id, from, what.recipients, envelope.restrained,
                                             context.clock.on_the_wall(envelope.not_before)});
    }
}

}  // namespace postern::relay
