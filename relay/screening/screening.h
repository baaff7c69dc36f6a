// What goes out through a screening gateway and comes back: the count of it, kept from one start to the next,
// and the secret that it is known by.
#pragma once

#include <asio/any_io_executor.hpp>
#include <chrono>
#include <memory>

#include "relay/mail/marks.h"
#include "relay/net/machine.h"
#include "relay/observer.h"
#include "relay/screening/returns.h"
#include "relay/settings.h"
#include "sync/base/kept_file.h"

namespace postern::relay {

/// What journal reports and screened mail are marked with; null where `settings` want neither. The secret is
/// made at the first time. Throws std::runtime_error naming the file that cannot be had. May wait for the
/// disk.
std::shared_ptr<const Marks> marks_for(base::Disk& disk, const Settings& settings);

/// Any thread, but for keep(), which is for one.
class Screening {
public:
    Screening(const net::Machine& machine, const Settings& settings, Observer& observer);

    /// Now and then: what stays away is told, and what has changed is written down, beside the loop.
    void keep(const SettingsPtr& settings);
    /// What has changed is on the disk when this returns, or told to be in trouble. Not for a loop's thread.
    void keep_at_once();

    Returns returns;

private:
    void recall();
    void tell_missing(const ScreeningSettings& settings);
    void write();

    const base::Clock& clock_;
    Observer& observer_;
    const base::StateFolder kept_;
    const asio::any_io_executor keeping_;
};

}  // namespace postern::relay
