// relay as a whole, as the agent sees it: start, reload, stop, and what can be asked of it while it runs.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "relay/mail/reply.h"
#include "relay/observer.h"
#include "relay/settings.h"
#include "sync/snapshot.h"

namespace postern::relay {

using DirectoryPtr = std::shared_ptr<const sync::Snapshot>;

/// Which messages a queue command means; empty fields match everything, given ones must all match.
struct QueueFilter {
    std::string id;
    std::string sender;     // whole reverse-path or its domain
    std::string recipient;  // whole forward-path or its domain
    std::string route;      // gateway name or recipient domain as shown in RecipientView::route
};

struct RecipientView {
    std::string address;
    std::string state;  // "ready", "delivering", "waiting", "delivered", "failed"
    std::string route;  // "mx:example.net", "gateway:archive", "primary:main"
    unsigned attempts = 0;
    std::chrono::system_clock::time_point next;  // of waiting recipients
    std::string why;                             // in words: remote reply or error, host and stage
};

struct MessageView {
    std::string id, from, client, primary;
    std::chrono::system_clock::time_point arrived, expires;
    std::uint64_t size = 0;
    std::vector<RecipientView> recipients;
};

struct DestinationView {
    std::string route;
    std::size_t ready = 0, delivering = 0, waiting = 0, connections = 0;
    std::string trouble;                               // "" when healthy
    std::chrono::system_clock::time_point next_try{};  // when trouble is set
};

struct State {
    std::uint64_t messages = 0;  // in the spool
    std::uint64_t bytes = 0;     // the spool's files on disk
    std::uint64_t sessions = 0;  // incoming, open now
    std::uint64_t connections = 0;  // outgoing, open now
    std::uint64_t damaged = 0;      // records set aside since the start
    std::string not_ready;          // why mail is not accepted, "" when it is
    std::vector<DestinationView> destinations;  // at most 1000, those with trouble first
};

/// What would happen to a message, in words. Sends nothing.
struct Explanation {
    Reply sender;     // 250 or the refusal
    Reply recipient;  // 250 or the refusal
    std::string sender_why, recipient_why;
    std::string route;      // as in RecipientView::route, "" when refused
    std::string route_why;  // which rule chose it
    std::vector<std::string> hosts;  // next hops in the order they would be tried, name[address]:port
    std::string tls;
};

class Relay {
public:
    /// Takes the state_dir's lock, opens the spool, binds the listeners. Throws std::runtime_error in words an
    /// administrator understands. `observer` outlives the Relay.
    Relay(SettingsPtr settings, DirectoryPtr directory, Observer& observer);
    ~Relay();  // stop()

    void start();  // threads; returns at once
    /// Refuses new mail with 421, lets transactions in hand finish within `grace`, closes the spool. Idempotent.
    void stop(std::chrono::seconds grace = std::chrono::seconds(30));

    // Safe from any thread while started; answers come from relay's own threads.
    void reload(SettingsPtr settings);          // listeners and state_dir are taken only at start
    void publish(DirectoryPtr directory);       // readers switch to it at their next look-up
    State state();
    std::vector<MessageView> list(const QueueFilter& filter, std::size_t limit);
    std::optional<MessageView> show(const std::string& id);
    std::size_t retry(const QueueFilter& filter);   // due now; gives how many messages
    std::size_t remove(const QueueFilter& filter);  // without a bounce; gives how many messages
    Explanation explain(const std::string& from, const std::string& to, const std::string& client);

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace postern::relay
