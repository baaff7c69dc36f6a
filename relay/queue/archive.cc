#include "relay/queue/archive.h"

#include <utility>

#include "relay/mail/stage.h"

namespace postern::relay {

namespace {

constexpr std::chrono::hours told_again{1};
constexpr std::size_t refused_most = 10'000;

/// RFC 3463 §3.3, §3.4: of a system, of a mailbox; RFC 1870 §6.1. Any other 552 may be of a mailbox that is
/// full, and passes.
bool too_large(const Reply& reply, std::string_view stage) {
    const EnhancedStatus& status = reply.status;
    if (status.category == 5 && status.subject == 3 && status.detail == 4) return true;
    if (status.category == 5 && status.subject == 2 && status.detail == 3) return true;
    return reply.code == 552 && !status && stage == text_of(Stage::mail);
}

}  // namespace

bool refused_as_too_large(const RecipientProgress& progress) {
    return progress.status == RecipientStatus::failed && too_large(progress.reply, progress.stage);
}

void Archive::judge(const Message& report, Outcome& outcome, Time now) {
    if (outcome.result == Outcome::Result::delivered) return gone(report.id);
    if (outcome.ours) return;
    const std::string said =
        outcome.reply.code != 0 || outcome.reason.empty() ? outcome.reply.line() : outcome.reason;
    const bool failed = outcome.result == Outcome::Result::failed;
    if (failed && report.envelope.journal == JournalReport::whole &&
        too_large(outcome.reply, text_of(outcome.stage))) {
        const std::string text = "the archive does not take the copy " + report.id.text() + " of " +
                                 report.envelope.origin.text() + ", " + std::to_string(report.size()) +
                                 " bytes, so it gets its envelope and header only: " + said;
        observer_.on(event::Trouble{event::Area::queue, text, false});
        return gone(report.id);
    }
    outcome.result = Outcome::Result::deferred;
    if (refused_.empty()) view_.since = now;
    if (refused_.size() < refused_most) refused_.insert(report.id);
    view_.reason = said;
    if (now >= told_ && now < told_ + told_again) return;
    told_ = now;
    const std::string text = "the archive does not take copies; they wait, for as long as it takes: " + said;
    observer_.on(event::Trouble{event::Area::queue, text, false});
}

void Archive::gone(MessageId report) {
    if (refused_.erase(report) > 0 && refused_.empty()) view_ = {};
}

}  // namespace postern::relay
