#include "relay/reception/companions.h"

#include <algorithm>
#include <utility>

#include "relay/mail/journal_report.h"
#include "relay/net/address_range.h"
#include "sync/base/ascii.h"

namespace postern::relay {

namespace {

bool same(const Address& one, const Address& other) {
    return base::equal_ignoring_case(one.text(), other.text());
}

bool wants_journal(const JournalSettings& journal, const Envelope& envelope, const Address& archive) {
    using Direction = JournalSettings::Direction;
    const bool outgoing = !envelope.primary.empty();
    if (journal.direction == (outgoing ? Direction::incoming : Direction::outgoing)) return false;
    const auto& to = envelope.forward_paths;
    if (std::all_of(to.begin(), to.end(), [&](const Address& one) { return same(one, archive); }))
        return false;
    return is_meant(journal.of, envelope.reverse_path) ||
           std::any_of(to.begin(), to.end(), [&](const Address& one) { return is_meant(journal.of, one); });
}

}  // namespace

bool screens(const Settings& settings, std::string_view client) {
    const auto& from = settings.screening.addresses;
    return std::any_of(from.begin(), from.end(),
                       [&](const Network& network) { return contains(network, client); });
}

StoredPtr journal_report_on(const SessionContext& context, const Message& message,
                            const Incoming::Header& header) {
    const Settings& settings = *context.settings;
    const auto archive = parse_address(settings.journal.to);
    if (!context.marks || !archive || message.envelope.screened) return nullptr;
    if (!wants_journal(settings.journal, message.envelope, *archive)) return nullptr;
    if (header.journal && context.marks->is_journal(*header.journal)) return nullptr;
    JournalOrder order;
    order.archive = *archive;
    order.hostname = settings.hostname;
    order.id = context.spool.new_id();
    order.mark = context.marks->journal(order.id);
    order.subject = header.subject;
    order.message_id = header.message_id;
    order.headerless = header.missing;
    const bool in_file = !message.content.bytes;
    auto out = std::make_shared<Stored>();
    out->message = make_journal_report(
        message, order, in_file ? context.spool.content_file(order.id) : std::filesystem::path(),
        context.clock.wall());
    return out;
}

void restore_envelope(const SessionContext& context, Message& message, const Incoming::Header& header) {
    Envelope& envelope = message.envelope;
    envelope.screened = true;
    const auto before =
        header.screening && context.marks ? context.marks->read_screening(*header.screening) : std::nullopt;
    if (!before) {
        envelope.primary =
            context.directory->domain(envelope.reverse_path.domain, context.clock.wall()).primary;
        return;
    }
    envelope.origin = before->id;
    envelope.primary = before->primary;
    envelope.envelope_id = before->envelope_id;
    envelope.return_content = before->return_content;
    envelope.require_tls = envelope.require_tls || before->require_tls;
    envelope.options.clear();
    if (!before->recipients.empty())
        for (const auto& path : envelope.forward_paths) {
            const RecipientOptions* options = before->options_of(path);
            envelope.options.push_back(options != nullptr ? *options : RecipientOptions());
        }
    if (!before->author.null() && same(envelope.reverse_path, before->sent_as)) {
        envelope.reverse_path = before->author;
        envelope.sent_as = before->sent_as;
    }
}

}  // namespace postern::relay
