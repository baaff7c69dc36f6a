// Mail comes in: listeners, the sessions they start, and what those share.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "relay/asking.h"
#include "relay/mail/srs.h"
#include "relay/net/asio.h"
#include "relay/net/gate.h"
#include "relay/net/machine.h"
#include "relay/net/timer.h"
#include "relay/net/tls.h"
#include "relay/observer.h"
#include "relay/queue/spool.h"
#include "relay/reception/places.h"
#include "relay/reception/refusal.h"
#include "relay/reception/session_context.h"
#include "relay/settings.h"
#include "sync/base/clock.h"
#include "sync/directory/snapshot.h"

namespace postern::relay {

class Session;

/// Everything here happens on the thread of its io_context, but for the constructor, which binds.
class Reception {
public:
    /// Throws std::runtime_error naming the listener, or the secret, that cannot be had.
    Reception(net::io_context& io, const net::Machine& machine, Spool& spool, SettingsPtr settings,
              std::shared_ptr<const sync::Snapshot> directory, Observer& observer);

    void start();
    /// Closes the listeners, tells clients 421 behind the command in hand; resumes when all are gone, or cut
    /// off after `grace`.
    net::awaitable<void> stop(std::chrono::seconds grace);
    /// What cannot be had anew stays as it is.
    void reload(SettingsPtr settings, const net::PreparedTls& tls, std::shared_ptr<const Srs> srs);
    /// See Relay::ask_with.
    void ask_with(AskDirectory ask) { context_.ask_directory = std::move(ask); }
    void notice_with(NoticeSender notice) { context_.notice_sender = std::move(notice); }
    void publish(std::shared_ptr<const sync::Snapshot> directory) {
        context_.directory = std::move(directory);
    }
    std::size_t sessions() const { return sessions_.size(); }
    /// See SessionContext.
    const std::shared_ptr<const Srs>& srs() const { return context_.srs; }
    Decision admission(std::uint64_t size) const { return context_.admission(size); }

private:
    struct Door {
        std::unique_ptr<net::Listener> listener;
        ListenerTls tls;
    };

    void bind(net::Outside& outside, const ListenerSettings& settings);
    net::awaitable<void> accept(Door& door);
    void begin(net::Arrival arrival, ListenerTls tls);
    void turn_away(net::Socket socket, const std::string& client, bool stranger, Rule rule);
    void tell_of_shortage(const std::error_code& error);
    net::awaitable<void> tell_refusals();

    SessionContext context_;
    std::vector<Door> doors_;
    std::set<std::shared_ptr<Session>> sessions_;
    net::Gate running_;  // the sessions
    Places places_;
    net::Timer tick_;
    bool turned_off_ = false;  // no connection can be accepted for want of something, which was told
};

}  // namespace postern::relay
