// What all parts of delivery are given: their loop, the settings as they are now, and what is random.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "relay/mail/marks.h"
#include "relay/net/asio.h"
#include "relay/net/machine.h"
#include "relay/observer.h"
#include "relay/queue/spool.h"
#include "relay/screening/returns.h"
#include "relay/settings.h"
#include "sync/base/clock.h"
#include "sync/base/disk.h"

namespace postern::relay {

/// The loops that connections live on.
class Carriers {
public:
    explicit Carriers(std::vector<net::io_context*> loops) : loops_(std::move(loops)) {}
    /// That of the next connection: each has its turn.
    net::io_context& next() { return *loops_[turn_++ % loops_.size()]; }

private:
    std::vector<net::io_context*> loops_;
    std::size_t turn_ = 0;
};

/// One for all of them, on the thread of `io`. Delivery alone changes it. One thing: it keeps nothing that
/// follows from something else.
struct Environment {
    net::io_context& io;
    Carriers carriers;
    const base::Clock& clock;
    base::Disk& disk;
    net::Outside& outside;
    net::Workers workers;
    Spool& spool;
    Observer& observer;
    SettingsPtr settings;
    std::minstd_rand random;
    std::function<bool(const Envelope&)> suspected;  // its sender's volume is unusual
    std::shared_ptr<const Marks> marks;  // null unless `settings` say that mail is copied or screened
    Returns& returns;                    // what goes to a screening gateway is counted there
    bool stopping = false;               // nothing new is begun
    Time next_trouble{};                 // when our own trouble is told again

    /// Lets `work` go on by itself, never at once; `after` comes at its end, however that is, on the loop.
    void run(net::awaitable<void> work, std::function<void()> after = {});
    /// Once a minute: it concerns everything that is going on.
    void tell_our_trouble(const std::string& what);
    double spread() { return std::uniform_real_distribution<>(0, 1)(random); }
};

}  // namespace postern::relay
