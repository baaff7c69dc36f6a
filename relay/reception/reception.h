// Mail comes in: listeners, the sessions they start, and what those share.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "relay/asking.h"
#include "relay/mail/srs.h"
#include "relay/net/asio.h"
#include "relay/net/machine.h"
#include "relay/net/timer.h"
#include "relay/net/tls.h"
#include "relay/observer.h"
#include "relay/queue/spool.h"
#include "relay/reception/places.h"
#include "relay/reception/refusal.h"
#include "relay/reception/session_context.h"
#include "relay/reception/sessions.h"
#include "relay/settings.h"
#include "relay/volume/volume.h"
#include "sync/base/clock.h"
#include "sync/directory/snapshot.h"

namespace postern::relay {

/// On the first of its loops, unless said otherwise, but for the constructor, which binds: there is who may
/// have a session, and the sessions are spread over all of them.
class Reception {
public:
    /// Throws std::runtime_error naming the listener, or the secret, that cannot be had.
    Reception(const std::vector<net::io_context*>& loops, const net::Machine& machine, Spool& spool,
              Volume& volume, Screening& screening, const SettingsPtr& settings,
              std::shared_ptr<const Marks> marks, std::shared_ptr<const sync::Snapshot> directory,
              Observer& observer);

    void start();
    /// Closes the listeners, tells clients 421 behind the command in hand; resumes when all are gone, or cut
    /// off after `grace`.
    net::awaitable<void> stop(std::chrono::seconds grace);
    /// That grace is over.
    void hurry();
    /// What cannot be had anew stays as it is. Any thread.
    void reload(const SettingsPtr& settings, const net::PreparedTls& tls,
                const std::shared_ptr<const Srs>& srs, const std::shared_ptr<const Marks>& marks);
    /// Any thread: what is posted to a loop afterwards finds it there.
    void publish(const std::shared_ptr<const sync::Snapshot>& directory);
    /// See Relay::ask_with; before start().
    void ask_with(AskDirectory ask) { commons_.ask_directory = std::move(ask); }
    void notice_with(NoticeSender notice) { commons_.notice_sender = std::move(notice); }
    void ask_gateways_with(AskGateways ask) { commons_.ask_gateways = std::move(ask); }
    std::size_t sessions() const { return places_.taken(); }
    /// See SessionContext.
    const std::shared_ptr<const Srs>& srs() const { return context().srs; }
    Decision admission(std::uint64_t size) const { return context().admission(size); }

private:
    struct Door {
        std::unique_ptr<net::Listener> listener;
        ListenerTls tls;
    };
    struct Hall {
        std::unique_ptr<Sessions> sessions;
        std::size_t taken = 0;
    };

    const SessionContext& context() const { return halls_.front().sessions->context(); }
    void bind(net::Outside& outside, const ListenerSettings& settings);
    net::awaitable<void> accept(Door& door);
    Hall& emptiest();
    void begin(Hall& hall, net::Arrival arrival, ListenerTls tls);
    void turn_away(net::Socket socket, const std::string& client, bool stranger, Rule rule);
    void tell_of_shortage(const std::error_code& error);
    net::awaitable<void> tell_refusals();
    net::awaitable<void> keep_volume();

    net::io_context& io_;
    Commons commons_;
    std::vector<Hall> halls_;  // one for each loop
    std::vector<Door> doors_;
    Places places_;
    net::Timer tick_, volume_tick_;
    bool stopping_ = false;
    bool turned_off_ = false;  // no connection can be accepted for want of something, which was told
};

}  // namespace postern::relay
