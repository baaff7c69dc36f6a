#include "relay/delivery/reporter.h"

#include <algorithm>
#include <string>
#include <utility>

#include "relay/delivery/report.h"
#include "relay/mail/journal_report.h"
#include "relay/mail/trace.h"
#include "relay/queue/archive.h"
#include "relay/queue/schedule.h"

namespace postern::relay {

namespace {

/// Of one that was too large for the archive; null where it was something else, that an operator ended.
StoredPtr smaller_copy(const base::Clock& clock, Spool& spool, Stored stored, const Progress& progress,
                       const std::vector<Notice>& notices) {
    const bool whole = stored.message.envelope.journal == JournalReport::whole &&
                       std::any_of(notices.begin(), notices.end(), [&](const Notice& one) {
                           return refused_as_too_large(progress[one.recipient]);
                       });
    if (!whole) return nullptr;
    auto out = std::make_shared<Stored>();
    out->message.id = spool.new_id();
    out->complete = [&clock, &spool, stored = std::move(stored)](Stored& copy) {
        const Time arrived = copy.message.arrived;
        const auto header = header_octets(spool, stored.message);
        copy.message = without_content(stored.message, header, copy.message.id, clock.wall());
        copy.message.content.checksum = checksum(*copy.message.content.bytes);
        if (arrived != Time()) copy.message.arrived = arrived;
    };
    return out;
}

}  // namespace

StoredPtr report_on(const base::Clock& clock, Spool& spool, SettingsPtr settings, Stored stored,
                    const Progress& progress, const std::vector<Notice>& notices) {
    Message& original = stored.message;
    if (original.envelope.journal != JournalReport::none)
        return smaller_copy(clock, spool, std::move(stored), progress, notices);
    if (original.envelope.reverse_path.null()) {
        if (!original.envelope.bounce)
            return nullptr;  // what has no sender is never answered (RFC 5321 §6.1)
        // One of our reports, which goes on to the postmaster instead.
        original.envelope.reverse_path = {"postmaster", original.envelope.forward_paths.front().domain};
        original.envelope.return_content = ReturnContent::full;
    }
    std::vector<ReportedRecipient> recipients;
    for (const auto& notice : notices) {
        ReportedRecipient one;
        one.address = original.envelope.forward_paths[notice.recipient];
        one.options = original.envelope.options_of(notice.recipient);
        one.progress = progress[notice.recipient];
        switch (notice.kind) {
            case Notice::Kind::failed: one.action = ReportAction::failed; break;
            case Notice::Kind::relayed: one.action = ReportAction::relayed; break;
            case Notice::Kind::delayed:
                one.action = ReportAction::delayed;
                one.next = clock.on_the_wall(one.progress.next);
                one.give_up = expiry(settings->queue, original);
                break;
        }
        recipients.push_back(std::move(one));
    }
    auto out = std::make_shared<Stored>();
    out->message.id = spool.new_id();
    // What is returned of the message has to be read first, where waiting for a disk holds up nobody.
    out->complete = [&clock, &spool, settings = std::move(settings), stored = std::move(stored),
                     recipients = std::move(recipients)](Stored& report) {
        Returned returned = read_returned(spool, stored, recipients, settings->queue.report_size);
        Time arrived = report.message.arrived;
        report.message = make_report(settings->hostname, stored.message, returned.content(), recipients,
                                     report.message.id, clock.wall());
        report.message.arrived = arrived;
    };
    return out;
}

}  // namespace postern::relay
