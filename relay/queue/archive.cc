#include "relay/queue/archive.h"

#include <utility>

namespace postern::relay {

namespace {

constexpr std::chrono::hours told_again{1};

/// RFC 3463 §3.3, §3.4, §3.7: too large for a mailbox or a system, no media conversion.
bool of_the_whole(const Reply& reply) {
    const EnhancedStatus& status = reply.status;
    if (status.category == 5 && status.subject == 6) return true;
    if (status.category == 5 && status.subject == 3 && status.detail == 4) return true;
    if (status.category == 5 && status.subject == 2 && status.detail == 3) return true;
    return reply.code == 552 && !status;
}

}  // namespace

bool refused_whole(const RecipientProgress& progress) {
    return progress.status == RecipientStatus::failed && of_the_whole(progress.reply);
}

void Archive::judge(const Message& report, Outcome& outcome, Time now) {
    if (outcome.result == Outcome::Result::delivered) {
        if (view_.since == Time()) return;
        view_ = {};
        return observer_.on(event::Trouble{event::Area::queue, "the archive takes copies again", false});
    }
    if (outcome.ours) return;
    const std::string said =
        outcome.reply.code != 0 || outcome.reason.empty() ? outcome.reply.line() : outcome.reason;
    const bool failed = outcome.result == Outcome::Result::failed;
    if (failed && report.envelope.journal == JournalReport::whole && of_the_whole(outcome.reply)) {
        const std::string text = "the archive does not take the copy " + report.id.text() + " of " +
                                 report.envelope.origin.text() + ", " + std::to_string(report.size()) +
                                 " bytes, so it gets its envelope and header only: " + said;
        return observer_.on(event::Trouble{event::Area::queue, text, false});
    }
    outcome.result = Outcome::Result::deferred;
    if (view_.since == Time()) view_.since = now;
    view_.reason = said;
    if (now < told_ + told_again) return;
    told_ = now;
    const std::string text = "the archive does not take copies; they wait, for as long as it takes: " + said;
    observer_.on(event::Trouble{event::Area::queue, text, false});
}

}  // namespace postern::relay
