// Who sends how much: what has been counted, what is usual, and the files that both are kept in.
#pragma once

#include <asio/any_io_executor.hpp>

#include "relay/mail/message.h"
#include "relay/net/machine.h"
#include "relay/observer.h"
#include "relay/settings.h"
#include "relay/volume/tally.h"
#include "relay/volume/watch.h"
#include "sync/base/kept_file.h"

namespace postern::relay {

void tell_unusual(Observer& observer, const VolumeChange& change);

/// Any thread, but for keep(), which is for one.
class Volume {
public:
    Volume(const net::Machine& machine, const Settings& settings, Observer& observer);

    void reload(const Settings& settings);
    /// Now and then: what is over is told, and what has changed written down beside the loop; `all`: however
    /// little that is.
    void keep(bool all);
    /// What an operator has just said is on the disk when this returns, or told to be in trouble. Not for a
    /// loop's thread.
    void keep_at_once(bool all = false);
    /// Whether a primary handed it over whose sender is slowed down, or worse.
    bool suspects(const Envelope& mail) const;

    Tally tally;
    Watch watch;

private:
    void recall();
    void write_changed(bool all);
    void write(const char* file, std::string_view octets, const std::function<void()>& not_saved);

    const base::Clock& clock_;
    Observer& observer_;
    const base::StateFolder kept_;
    const asio::any_io_executor keeping_;
    base::Moment written_whole_;
};

}  // namespace postern::relay
