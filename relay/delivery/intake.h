// What the queue asks of delivery: where mail goes, whether there is room for it, and what came to nothing.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "relay/delivery/dispatch.h"
#include "relay/delivery/environment.h"
#include "relay/delivery/room.h"
#include "relay/queue/deliverer.h"
#include "sync/directory/snapshot.h"

namespace postern::relay {

/// On the delivery loop. Does not call the queue back.
class Intake : public Deliverer {
public:
    Intake(Environment& env, std::shared_ptr<const sync::Snapshot> directory, Room& room, Dispatch& dispatch)
        : env_(env), directory_(std::move(directory)), room_(room), dispatch_(dispatch) {}

    void publish(std::shared_ptr<const sync::Snapshot> directory) { directory_ = std::move(directory); }

    RouteKey route(const Envelope& envelope, const Address& recipient) override;
    bool exists(const RouteKey& route) const override;
    std::size_t room(const RouteKey& route) override { return room_.of_or_call(route); }
    void offer(Job job) override { dispatch_.offer(std::move(job)); }
    std::string trouble(const RouteKey& route) const override;
    Time next_try(const RouteKey& route) const override;
    StoredPtr report(const Stored& stored, const Progress& progress,
                     const std::vector<Notice>& notices) const override;

private:
    Environment& env_;
    std::shared_ptr<const sync::Snapshot> directory_;
    Room& room_;
    Dispatch& dispatch_;
    std::set<std::pair<std::string, std::string>> between_;  // primaries whose mail goes to another, told
};

}  // namespace postern::relay
