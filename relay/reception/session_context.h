// What every session is given, and what sessions share.
#pragma once

#include <asio/any_io_executor.hpp>
#include <cstdint>
#include <memory>

#include "relay/asking.h"
#include "relay/mail/address.h"
#include "relay/mail/srs.h"
#include "relay/net/asio.h"
#include "relay/net/machine.h"
#include "relay/net/tls.h"
#include "relay/observer.h"
#include "relay/queue/spool.h"
#include "relay/reception/allowance.h"
#include "relay/reception/disk_room.h"
#include "relay/reception/refusal.h"
#include "relay/reception/refusal_events.h"
#include "relay/reception/session_memory.h"
#include "relay/screening/screening.h"
#include "relay/settings.h"
#include "relay/volume/volume.h"
#include "sync/base/clock.h"
#include "sync/directory/snapshot.h"

namespace postern::relay {

constexpr unsigned stranger_messages_per_hour = 20;  // to one author, or from one network to the postmaster

/// One for the sessions of all loops. Any thread, but for `room`, which watches on the loop it is given.
/// One thing: a place for what they have in common, which decides nothing.
struct Commons {
    Commons(net::io_context& io, const net::Machine& machine, Spool& spool, Volume& volume,
            Screening& screening, Observer& observer);

    const base::Clock& clock;
    Spool& spool;
    Observer& observer;
    AskDirectory ask_directory;  // these may be empty; set before the first session
    NoticeSender notice_sender;
    AskGateways ask_gateways;
    RefusalEvents refusals;
    Allowance from_strangers{stranger_messages_per_hour};  // their reports for one author, and a network's
                                                           // mail for the postmaster
    Volume& volume;                                        // how much each sender handed in
    Screening& screening;                                  // what of it is away and comes back
    const std::shared_ptr<SessionMemory> memory = std::make_shared<SessionMemory>();
    const asio::any_io_executor files;  // where they are written: nothing of a loop waits for a disk
    DiskRoom room;
};

/// One for all sessions of a loop, on its thread. Its Sessions alone change what it is told: settings,
/// directory, TLS, and that it ends.
struct SessionContext {
    net::io_context& io;
    const unsigned loop;  // its number among reception's
    Commons& commons;
    const base::Clock& clock;
    Spool& spool;
    Observer& observer;
    SettingsPtr settings;
    std::shared_ptr<const sync::Snapshot> directory;
    net::TlsContext tls;
    std::shared_ptr<const Srs> srs;      // null unless `settings` say that accept.foreign_sender is rewrite
    std::shared_ptr<const Marks> marks;  // null unless `settings` say that mail is copied or screened
    bool stopping = false;

    /// Has the primary asked about an address; true when `directory` now knows what there is to know.
    net::awaitable<bool> ask(Address address);
    /// Has other gateways asked what they counted; false when it is too late to ask once more.
    net::awaitable<bool> ask_gateways(base::Moment until);
    /// 250, or why no message of that size is taken now: 452 4.3.1 or 451 4.3.0. Strangers must leave much
    /// more room, so that what they send never keeps a primary's mail out.
    Decision admission(std::uint64_t size, bool stranger = false) const;
};

}  // namespace postern::relay
