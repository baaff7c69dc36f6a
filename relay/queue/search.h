// Which messages an operator means, read from the spool outside the mail's threads.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "relay/queue/spool.h"
#include "relay/views.h"

namespace postern::relay {

class Search {
public:
    /// Where a recipient that waits nowhere would go.
    using Router = std::function<RouteKey(const Envelope&, const Address&)>;

    Search(const Spool& spool, QueueFilter filter, Router route);

    /// All that is meant, the oldest first, until `each` gives false.
    void each(const std::function<bool(const Loaded&)>& each) const;
    struct Part {
        std::vector<Loaded> messages;
        bool more = false;  // others follow
    };
    /// In this order, `limit` of them behind `skip`, or fewer that have very many recipients. In another
    /// order than by age all are read before.
    Part list(QueueOrder order, std::size_t limit, std::size_t skip) const;

private:
    bool meant(const Loaded& loaded) const;
    void look(const std::function<bool(const Loaded&)>& each) const;

    const Spool& spool_;
    QueueFilter filter_;
    Router route_;
};

/// Where a pending recipient goes, also while it is held.
RouteKey way_of(const Envelope& envelope, const Address& recipient, const RecipientProgress& progress,
                const Search::Router& route);

/// The smaller, the further in front.
std::int64_t rank(QueueOrder order, const Message& message, const Progress& progress);

}  // namespace postern::relay
