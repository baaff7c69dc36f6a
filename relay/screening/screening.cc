#include "relay/screening/screening.h"

#include <asio/post.hpp>
#include <future>
#include <string>

#include "relay/screening/secret.h"
#include "sync/base/file_fault.h"

namespace postern::relay {

namespace {

constexpr const char *secret_file = "marks.secret", *state_file = "screening.state";
constexpr std::size_t state_most = 64u << 20;

}  // namespace

std::shared_ptr<const Marks> marks_for(base::Disk& disk, const Settings& settings) {
    if (settings.journal.to.empty() && settings.screening.gateway.empty()) return nullptr;
    return std::make_shared<const Marks>(
        obtain_secret(disk, settings.state_dir / secret_file, "journal and screening"));
}

Screening::Screening(const net::Machine& machine, const Settings& settings, Observer& observer)
    : clock_(machine.clock),
      observer_(observer),
      kept_{&machine.disk, settings.state_dir},
      keeping_(machine.workers.keeping) {
    recall();
}

/// Where it cannot be read the count begins anew, which is told: no mail waits for that.
void Screening::recall() {
    const auto file = kept_.path / state_file;
    const auto text = base::read_file(*kept_.disk, file, state_most);
    if (text) return returns.restore(*text);
    if (text.error() == std::errc::no_such_file_or_directory) return;
    observer_.on(event::Trouble{
        event::Area::reception,
        "which mail is still in the screening gateway is not known: " + base::file_fault(file, text.error()),
        false});
}

void Screening::keep(const SettingsPtr& settings) {
    asio::post(keeping_, [this, settings] {
        tell_missing(settings->screening);
        write();
    });
}

void Screening::tell_missing(const ScreeningSettings& settings) {
    const auto missing = returns.newly_missing(clock_.wall(), settings.expected_within);
    if (!missing) return;
    const std::string id = missing->example.text();
    observer_.on(
        event::NotBack{settings.gateway, missing->count, id, missing->sender, settings.expected_within});
}

void Screening::keep_at_once() {
    std::promise<void> done;
    asio::post(keeping_, [this, &done] {
        write();
        done.set_value();
    });
    done.get_future().wait();
}

void Screening::write() {
    const auto text = returns.save();
    if (!text) return;
    const auto file = kept_.path / state_file;
    const auto error = base::replace_file(*kept_.disk, file, *text);
    if (!error) return;
    returns.not_saved();
    observer_.on(event::Trouble{
        event::Area::reception,
        "which mail is in the screening gateway cannot be written down: " + base::file_fault(file, error),
        false});
}

}  // namespace postern::relay
