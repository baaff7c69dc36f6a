// What relay consists of, and who of it runs on which thread. Only relay's own sources include this.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "relay/delivery/delivery.h"
#include "relay/durable_mark.h"
#include "relay/loop.h"
#include "relay/net/machine.h"
#include "relay/queue/lock.h"
#include "relay/queue/search.h"
#include "relay/queue/spool.h"
#include "relay/reception/reception.h"
#include "relay/screening/screening.h"
#include "relay/settings.h"
#include "relay/volume/answers.h"
#include "relay/volume/volume.h"
#include "sync/base/clock.h"
#include "sync/base/disk.h"
#include "sync/directory/snapshot.h"

namespace postern::relay {

/// Reception and delivery have loops of their own, the spool has its commit thread; what comes from elsewhere
/// is posted to the one it concerns. One thing: in which order they begin and end is known here alone.
struct RelayParts {
    RelayParts(SettingsPtr settings, std::shared_ptr<const sync::Snapshot> directory, Observer& observer,
               const net::Machine& machine);

    /// All but the loops' threads: whoever has none runs their io() himself.
    void begin();
    /// Throws std::system_error when the system gives no threads; nothing runs then.
    void start();
    /// The one place that knows the order: no new mail, what is in hand is committed, what is being sent
    /// ends.
    void stop(std::chrono::seconds grace);
    /// Whatever a stop() waits for is waited for no longer. Any thread.
    void hurry();

    /// What is gone by at present, for questions from other threads.
    struct InForce {
        SettingsPtr settings;
        std::shared_ptr<const sync::Snapshot> directory;
    };
    InForce in_force();
    void put_in_force(SettingsPtr settings);
    void put_in_force(std::shared_ptr<const sync::Snapshot> directory);

    Search::Router router();
    /// With the queue and each part of what is meant, on the delivery loop: what stands in line hears of it
    /// at once. What an operator is then told is done lasts.
    Applied operate(const QueueFilter& filter,
                    const std::function<Applied(Queue&, const std::vector<MessageId>&)>& work);

    const base::Clock& clock;
    base::Disk& disk;
    Lock lock;
    Loops reception_loops, delivery_loops;
    DurableMark durable;
    Spool spool;
    Volume volume;
    const std::shared_ptr<const Marks> marks;  // at the start
    Screening screening;
    Answers answers;  // what delivery tells
    Delivery delivery;
    Reception reception;
    std::mutex restoring;  // one file of what was set aside at a time

private:
    void committed(Committed done);
    void end_threads();

    std::mutex mutex_;  // over what is in force
    InForce in_force_;
    bool started_ = false;
    std::atomic<bool> stopped_ = false;
};

/// As volume knows it: of an address its account, of a domain itself.
std::string account_named(const std::string& who);

}  // namespace postern::relay
