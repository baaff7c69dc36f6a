// What the queue asks of whoever delivers its mail.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "relay/mail/message.h"
#include "relay/queue/job.h"

namespace postern::relay {

/// Asked on the delivery thread, by Queue alone. None of these changes anything at the queue before it has
/// returned: what is known at once of an offered job is posted. From within offer() that ends the process, as
/// half of a message's jobs are handed out then.
class Deliverer {
public:
    virtual ~Deliverer() = default;

    /// Which destination a recipient goes to now.
    virtual RouteKey route(const Envelope& envelope, const Address& recipient) = 0;
    /// Whether the configuration has the destination that mail was moved to.
    virtual bool exists(const RouteKey& route) const = 0;
    /// How many jobs a destination takes at present: 0 when it is down or has enough; Queue::refill() is then
    /// called as soon as it takes some again.
    virtual std::size_t room(const RouteKey& route) = 0;
    /// Takes the job; Queue::settle() or give_back() follows.
    virtual void offer(Job job) = 0;
    /// What is wrong with a destination, "" when nothing is; and when one that is down is tried next.
    virtual std::string trouble(const RouteKey& route) const = 0;
    virtual Time next_try(const RouteKey& route) const = 0;
    /// The report to the sender, to be committed with its id; null when none is due.
    virtual StoredPtr report(const Stored& stored, const Progress& progress,
                             const std::vector<Notice>& notices) const = 0;
};

}  // namespace postern::relay
