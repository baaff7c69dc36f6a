// One connection of a site: opened, fed with what is ready, rested and closed.
#pragma once

#include <memory>
#include <optional>

#include "relay/delivery/connect.h"
#include "relay/delivery/connections.h"
#include "relay/delivery/handover.h"
#include "relay/delivery/site.h"
#include "relay/delivery/workplace.h"
#include "relay/net/asio.h"

namespace postern::relay {

/// Has its slot from the beginning to the end, and may open several connections in it, one after the other:
/// for what one was not fit for, and to another host for what one deferred. Whatever it has in hand when it
/// ends is in line again, settled or given back.
class Courier {
public:
    Courier(Workplace& at, SitePtr site, SourceQueue& from);
    /// To its end.
    static net::awaitable<void> run(std::unique_ptr<Courier> courier);

private:
    net::awaitable<void> work();
    net::awaitable<std::unique_ptr<Client>> open();
    net::awaitable<bool> still_there();
    net::awaitable<std::unique_ptr<Client>> open_to_any();
    void failed(ConnectFailure failure);  // settles or moves what that concerns
    /// Works off what is ready, `first` before all. Comes back with what another connection should carry.
    net::awaitable<TransactionEnd> serve(Client& client, std::optional<Job> first);
    /// Waits for the next job; nullopt when the connection is better closed.
    net::awaitable<std::optional<Job>> next(Client& client);
    net::awaitable<void> ask_elsewhere(SecondOpinion open);
    /// Whether it is better closed between two transactions: others wait, or it is old.
    bool leaves(const Client& client);
    void put_back(Job job);

    Workplace& at_;
    SitePtr site_;
    SourceQueue& from_;
    ConnectionSlot slot_;
};

}  // namespace postern::relay
