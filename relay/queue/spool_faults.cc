// What the spool says and does when the disk fails it.
#include <utility>

#include "relay/queue/journal.h"
#include "relay/queue/spool.h"
#include "sync/base/file.h"
#include "sync/base/file_fault.h"

namespace postern::relay {

namespace {

/// Something was moved away or taken from us. No write and no sync says this: nothing is known to be lost,
/// and all is well when it is back.
bool is_out_of_reach(const std::error_code& error) {
    return error == std::errc::no_such_file_or_directory || error == std::errc::not_a_directory ||
           error == std::errc::permission_denied;
}

}  // namespace

bool short_of_room(const std::error_code& error) { return base::is_full(error) || base::is_passing(error); }

void Spool::pause_deliveries(const std::error_code& error) {
    if (stuck_.exchange(true)) return;
    std::string why = base::is_full(error) ? "the disk is full" : base::file_fault(dir_, error);
    report_(why + ": what was delivered cannot be written down, so deliveries pause until it can be", true);
}

/// Whether everything could be written that could not be before.
bool Spool::over_again() {
    if (full_ || !stuck_.exchange(false)) return false;
    report_("what was delivered can be written down again: deliveries go on", false);
    return true;
}

/// What was delivered and could not be noted, or only late. Nothing of it is forgotten meanwhile.
void Spool::tell_of_notes(const std::error_code& error) {
    if (error && !short_of_room(error)) {
        // As long as changes are committed only a crash would deliver again.
        if (unhealthy().empty() || stuck_.exchange(true)) return;
        return report_(base::file_fault(dir_, error) +
                           ": what is delivered cannot be written down anywhere on the disk, so deliveries "
                           "pause until postern is restarted",
                       true);
    }
    if (error)
        return report_(base::file_fault(dir_, error) +
                           ": what was delivered cannot be noted, so deliveries pause until it can be",
                       true);
    report_("what was delivered is noted again: deliveries go on", false);
    Committed out;
    out.unstuck = true;
    committed_(std::move(out));
}

/// What is left of a message that cannot be used, copied before it is gone. False when it cannot be copied:
/// it stays then.
bool Spool::set_aside(const Change& change, const Place& message, const Place& progress) {
    const std::string id = change.id.text();
    std::error_code error;
    bool any = false;  // of it is left
    const auto keep = [&](const Place& place, const char* suffix) {
        if (error || !place) return;
        const auto octets = journal_->raw(place.segment, place.offset(), place.length);
        any = any || (octets && octets->find_first_not_of('\0') != std::string::npos);
        if (octets)
            error = damaged_.keep(id + suffix, *octets);
        else if (!octets.error().damaged())
            error = octets.error().error;
    };
    keep(message, ".message");
    keep(progress, ".progress");
    if (!error && !change.file.empty()) {
        error = disk_.rename(change.file, damaged_.path() / (id + ".content"));
        any = any || !error;
        if (error == std::errc::no_such_file_or_directory) error.clear();  // that is its damage
        if (!error) error = disk_.sync_folder(damaged_.path());
    }
    report_("message " + id + " is damaged (" + change.damage + ") and " +
                (error ? "stays in the spool, untried, since it cannot be copied to " +
                             damaged_.path().string() + ": " + error.message()
                 : any ? "was set aside in " + damaged_.path().string()
                       : "nothing of it is left to be set aside in " + damaged_.path().string()),
            true);
    if (!error) ++set_aside_;
    return !error;
}

/// `final`: whatever the error is.
bool Spool::fatal(const std::error_code& error, bool final) {
    if (!final && base::is_full(error)) return false;
    if (!final && (base::is_passing(error) || is_out_of_reach(error))) {
        // Put off, not given up: clients come again, and what is to be written down is kept.
        if (!std::exchange(short_, true))
            report_("the spool cannot be written at this moment: " + base::file_fault(dir_, error) +
                        "; mail is put off until it can be",
                    false);
        return false;
    }
    std::string why = "the spool could not be written: " + error.message() + "; check the disk, then restart";
    {
        std::lock_guard lock(mutex_);
        if (!unhealthy_.empty()) return true;
        unhealthy_ = why;
    }
    report_(why, true);
    return true;
}

}  // namespace postern::relay
