// Mail comes in: listeners, the sessions they start, and what those share.
#pragma once

#include <asio/ip/tcp.hpp>
#include <asio/thread_pool.hpp>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "relay/mail/srs.h"
#include "relay/net/asio.h"
#include "relay/net/connection.h"
#include "relay/net/gate.h"
#include "relay/net/timer.h"
#include "relay/net/tls.h"
#include "relay/observer.h"
#include "relay/queue/spool.h"
#include "relay/reception/allowance.h"
#include "relay/reception/places.h"
#include "relay/reception/refusal_events.h"
#include "relay/reception/session_memory.h"
#include "relay/settings.h"
#include "sync/base/clock.h"
#include "sync/directory/snapshot.h"

namespace postern::relay {

class Session;

constexpr unsigned stranger_messages_per_hour = 20;  // to one author, or from one network to the postmaster

/// Is told of each sender that a primary has mail of.
using NoticeSender = std::function<void(std::string_view local_part, std::string_view domain)>;

/// Asks the primary about one mailbox; `done` is called once, on any thread, after what was learned is
/// published.
using AskDirectory = std::function<void(const std::string& local_part, const std::string& domain,
                                        std::function<void(bool answered)> done)>;

/// What rewrites foreign senders; null unless accept.foreign_sender is rewrite. Throws std::runtime_error
/// naming the secret that cannot be had. May wait for the disk.
std::shared_ptr<const Srs> rewriting(const Settings& settings);

/// Everything here happens on the thread of its io_context, but for the constructor, which binds.
class Reception {
public:
    /// Throws std::runtime_error naming the listener, or the secret, that cannot be had.
    Reception(net::io_context& io, const base::Clock& clock, Spool& spool, SettingsPtr settings,
              std::shared_ptr<const sync::Snapshot> directory, Observer& observer);

    void start();
    /// Closes the listeners, tells clients 421 behind the command in hand; resumes when all are gone, or cut
    /// off after `grace`.
    net::awaitable<void> stop(std::chrono::seconds grace);
    /// What cannot be had anew stays as it is.
    void reload(SettingsPtr settings, const net::PreparedTls& tls, std::shared_ptr<const Srs> srs);
    /// See Relay::ask_with.
    void ask_with(AskDirectory ask) { ask_ = std::move(ask); }
    void notice_with(NoticeSender notice) { notice_ = std::move(notice); }
    void notice(const Address& sender) const {
        if (notice_) notice_(sender.mailbox(), sender.domain);
    }
    void publish(std::shared_ptr<const sync::Snapshot> directory) { directory_ = std::move(directory); }
    std::size_t sessions() const { return sessions_.size(); }

    // For sessions.
    net::io_context& io() { return io_; }
    const base::Clock& clock() const { return clock_; }
    Spool& spool() { return spool_; }
    Observer& observer() { return observer_; }
    const SettingsPtr& settings() const { return settings_; }
    const std::shared_ptr<const sync::Snapshot>& directory() const { return directory_; }
    const net::TlsContext& tls() const { return tls_; }
    /// Null unless settings() say that accept.foreign_sender is rewrite.
    const std::shared_ptr<const Srs>& srs() const { return srs_; }
    bool stopping() const { return stopping_; }
    /// Has the primary asked about an address; true when directory() now knows what there is to know.
    net::awaitable<bool> ask(Address address);
    /// 250, or why no message of that size is taken now: 452 4.3.1 or 451 4.3.0. Strangers must leave much
    /// more room, so that what they send never keeps a primary's mail out.
    Decision admission(std::uint64_t size, bool stranger = false) const;
    /// So much is on its way to the disk, which does not show it yet.
    void stored(std::uint64_t octets) { stored_ += octets; }
    /// Where files are written: nothing of the loop waits for a disk.
    asio::thread_pool& files() { return files_; }
    const std::shared_ptr<SessionMemory>& memory() const { return memory_; }
    RefusalEvents& refusals() { return refusals_; }
    /// Their reports for one author, and a network's mail for the postmaster.
    Allowance& from_strangers() { return from_strangers_; }

private:
    struct Listener {
        asio::ip::tcp::acceptor acceptor;
        ListenerTls tls;
    };

    void bind(const ListenerSettings& settings);
    net::awaitable<void> accept(Listener& listener);
    void begin(asio::ip::tcp::socket socket, ListenerTls tls);
    void turn_away(asio::ip::tcp::socket socket, const std::string& client, bool stranger, Rule rule);
    void tell_of_shortage(const std::error_code& error);
    net::awaitable<void> tell_refusals();
    net::awaitable<void> watch_room();
    std::uint64_t room() const;

    net::io_context& io_;
    const base::Clock& clock_;
    Spool& spool_;
    SettingsPtr settings_;
    std::shared_ptr<const sync::Snapshot> directory_;
    Observer& observer_;
    net::TlsContext tls_;
    std::shared_ptr<const Srs> srs_;
    AskDirectory ask_;
    NoticeSender notice_;
    std::vector<std::unique_ptr<Listener>> listeners_;
    std::set<std::shared_ptr<Session>> sessions_;
    net::Gate running_;  // the sessions
    Places places_;
    RefusalEvents refusals_;
    Allowance from_strangers_{stranger_messages_per_hour};
    net::Timer tick_, room_tick_;
    bool stopping_ = false;
    bool turned_off_ = false;  // no connection can be accepted for want of something, which was told
    std::shared_ptr<SessionMemory> memory_ = std::make_shared<SessionMemory>();
    std::uint64_t free_ = 0;                // on the disk, a moment ago
    std::uint64_t stored_ = 0, known_ = 0;  // octets since the start, and those that `free_` knows of
    asio::thread_pool files_{4};
};

}  // namespace postern::relay
