#include "relay/queue/search.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "sync/base/ascii.h"

namespace postern::relay {

namespace {

constexpr std::size_t part = 256;  // ids read at once
/// After which a list ends: what is shown of them takes memory, and the delivery loop's time.
constexpr std::size_t recipients_max = 20'000;

bool matches(const std::string& wanted, const Address& address) {
    if (wanted.empty()) return true;
    std::string text = base::lower(wanted);
    return text == base::lower(address.text()) || text == address.domain || (text == "<>" && address.null());
}

struct Ranked {
    std::int64_t rank;
    MessageId id;
    bool operator<(const Ranked& other) const {
        return std::pair(rank, id) < std::pair(other.rank, other.id);
    }
};

/// Keeps the `most` in front, and no more than about twice as many at any time.
void keep_front(std::vector<Ranked>& all, std::size_t most) {
    if (all.size() <= most) return;
    std::nth_element(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(most), all.end());
    all.resize(most);
}

}  // namespace

Search::Search(const Spool& spool, QueueFilter filter, Router route)
    : spool_(spool), filter_(std::move(filter)), route_(std::move(route)) {}

RouteKey way_of(const Envelope& envelope, const Address& recipient, const RecipientProgress& progress,
                const Search::Router& route) {
    if (!progress.route.empty() && progress.route != RouteKey::held()) return progress.route;
    return progress.pinned.empty() ? route(envelope, recipient) : progress.pinned;
}

std::int64_t rank(QueueOrder order, const Message& message, const Progress& progress) {
    const auto ticks = [](Time time) { return static_cast<std::int64_t>(time.time_since_epoch().count()); };
    switch (order) {
        case QueueOrder::oldest: return ticks(message.arrived);
        case QueueOrder::newest: return -ticks(message.arrived);
        case QueueOrder::size: return -static_cast<std::int64_t>(message.size());
        case QueueOrder::next: {
            // What waits nowhere is on its way now, what is held is never due.
            std::int64_t soonest = std::numeric_limits<std::int64_t>::max();
            for (const auto& one : progress) {
                if (!one.pending() || one.route == RouteKey::held()) continue;
                soonest = std::min(soonest, one.route.empty() ? std::int64_t{0} : ticks(one.next));
            }
            return soonest;
        }
        case QueueOrder::attempts: {
            std::int64_t most = 0;
            for (const auto& one : progress)
                if (one.pending()) most = std::max(most, static_cast<std::int64_t>(one.attempts));
            return -most;
        }
    }
    return 0;
}

bool Search::meant(const Loaded& loaded) const {
    if (!loaded.stored) return false;
    const Message& message = loaded.stored->message;
    const auto& recipients = message.envelope.forward_paths;
    if (!filter_.id.empty() && filter_.id != message.id.text()) return false;
    const Address& sender = message.envelope.reverse_path;
    if (!matches(filter_.sender, sender)) return false;
    if (!filter_.account.empty() && filter_.account != account_of(sender.mailbox(), sender.domain))
        return false;
    if (filter_.restrained && message.envelope.restrained.empty()) return false;
    if (!filter_.recipient.empty() &&
        std::none_of(recipients.begin(), recipients.end(),
                     [&](const Address& one) { return matches(filter_.recipient, one); }))
        return false;
    if (filter_.before != Time{} && message.arrived >= filter_.before) return false;
    const auto& progress = loaded.progress;
    if (filter_.held && std::none_of(progress.begin(), progress.end(), [](const auto& one) {
            return one.pending() && one.route == RouteKey::held();
        }))
        return false;
    if (filter_.route.empty()) return true;
    for (std::size_t at = 0; at < progress.size(); ++at) {
        if (progress[at].status != RecipientStatus::pending) continue;
        const RouteKey way = way_of(message.envelope, recipients[at], progress[at], route_);
        if (way.text() == filter_.route || way.name == filter_.route) return true;
    }
    return false;
}

void Search::look(const std::function<bool(const Loaded&)>& each) const {
    if (!filter_.id.empty()) {
        auto id = MessageId::parse(filter_.id);
        auto loaded = id ? spool_.load(*id) : std::nullopt;
        if (loaded) each(*loaded);
        return;
    }
    for (MessageId after;;) {
        auto ids = spool_.messages(after, part);
        for (MessageId id : ids) {
            auto loaded = spool_.load(id);
            if (loaded && !each(*loaded)) return;
        }
        if (ids.size() < part) return;
        after = ids.back();
    }
}

void Search::each(const std::function<bool(const Loaded&)>& each) const {
    look([&](const Loaded& loaded) { return !meant(loaded) || each(loaded); });
}

Search::Part Search::list(QueueOrder order, std::size_t limit, std::size_t skip) const {
    Part out;
    std::size_t recipients = 0;
    const auto take = [&](Loaded loaded) {
        out.more = out.messages.size() == limit || recipients >= recipients_max;
        if (out.more) return false;
        recipients += loaded.progress.size();
        out.messages.push_back(std::move(loaded));
        return true;
    };
    if (order == QueueOrder::oldest) {
        each([&](const Loaded& loaded) { return skip > 0 ? (--skip, true) : take(loaded); });
        return out;
    }
    const std::size_t most = skip + limit + 1;  // the last one only tells that there are more
    std::vector<Ranked> front;
    each([&](const Loaded& loaded) {
        const Message& message = loaded.stored->message;
        front.push_back({rank(order, message, loaded.progress), message.id});
        if (front.size() >= 2 * most + part) keep_front(front, most);
        return true;
    });
    keep_front(front, most);
    std::sort(front.begin(), front.end());
    for (std::size_t at = skip; at < front.size(); ++at)
        if (auto loaded = spool_.load(front[at].id); loaded && loaded->stored && !take(std::move(*loaded)))
            break;
    return out;
}

}  // namespace postern::relay
