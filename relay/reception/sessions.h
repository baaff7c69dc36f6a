// The sessions of one loop.
#pragma once

#include <functional>
#include <list>
#include <memory>

#include "relay/net/asio.h"
#include "relay/net/gate.h"
#include "relay/net/outside.h"
#include "relay/net/tls.h"
#include "relay/reception/session_context.h"
#include "relay/settings.h"
#include "sync/base/clock.h"

namespace postern::relay {

class Session;

/// What they are all to go by, when they begin and from a reload on.
struct SessionTerms {
    SettingsPtr settings;
    std::shared_ptr<const sync::Snapshot> directory;
    net::TlsContext tls;
    std::shared_ptr<const Srs> srs;
    std::shared_ptr<const Marks> marks;
};

/// On its loop, but for the constructor.
class Sessions {
public:
    Sessions(net::io_context& io, unsigned number, Commons& commons, SessionTerms terms);
    ~Sessions();
    Sessions(const Sessions&) = delete;
    Sessions& operator=(const Sessions&) = delete;

    net::io_context& io() { return context_.io; }
    /// `over` is called there when it has ended.
    void begin(net::Arrival arrival, ListenerTls tls, std::function<void()> over);
    /// Clients are told 421 behind the command in hand.
    void leave();
    /// Resumes when all are gone, or cut off at that moment.
    net::awaitable<void> end(base::Moment until);
    /// That moment is now.
    void hurry();

    /// Where TLS could not be had, what is there stays.
    void reload(SettingsPtr settings, const net::PreparedTls& tls, std::shared_ptr<const Srs> srs,
                std::shared_ptr<const Marks> marks);
    void publish(std::shared_ptr<const sync::Snapshot> directory) {
        context_.directory = std::move(directory);
    }
    const SessionContext& context() const { return context_; }

private:
    SessionContext context_;
    std::list<std::shared_ptr<Session>> sessions_;
    net::Gate running_;
    bool hurried_ = false;
};

}  // namespace postern::relay
