// What of relay several gateways share: limits and histories of senders, what is done about them, what is
// known of addresses.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "relay/egress/news.h"
#include "relay/observer.h"
#include "relay/volume/announced.h"
#include "sync/base/clock.h"
#include "sync/base/cluster.h"

namespace postern::relay {

struct RelayParts;

/// What an operator does, as Relay does it.
struct OperatorActions {
    std::function<void(const std::string& sender, base::Time decided)> release, drop;
    std::function<void(const std::string& address, const std::string& site)> forget;
};

/// Any thread; it may wait for relay's threads. Nothing of the mail waits for it.
class Shared {
public:
    Shared(RelayParts& parts, OperatorActions actions, Observer& observer)
        : parts_(parts), actions_(std::move(actions)), observer_(observer) {}

    /// Who there is; before start() too.
    void reach(const base::Company& company);
    /// Counts to tell and to ask about: see Tally::questions().
    std::vector<base::CountQuestion> questions(bool urgent, std::size_t most);
    void heard(const base::CountAnswer& answer);
    /// The others know nothing of counts any more.
    void tell_counts_again();

    /// What the others were not told yet, about so many octets.
    std::vector<base::Fact> news(std::size_t octets);
    /// What holds now, for one that begins; `histories`: and what is usual for whom.
    std::vector<base::Fact> all_news(bool histories);
    /// What the gateway of that name tells. False: it is not of relay's, or cannot be read.
    bool hear(const std::string& gateway, const base::Fact& fact);

    // What an operator did here, for the others.
    static base::Fact released(const std::string& sender, base::Time decided);
    static base::Fact dropped(const std::string& sender, base::Time decided);
    /// As it stands here.
    std::vector<base::Fact> expected(const std::string& who);
    static base::Fact forgotten(const std::string& address, const std::string& site);

private:
    base::Fact expected(const Announced::Mailing& mailing) const;
    bool hear_operator(const base::Fact& fact);

    RelayParts& parts_;
    const OperatorActions actions_;
    Observer& observer_;
    EgressNews egress_;  // on delivery's thread
};

}  // namespace postern::relay
