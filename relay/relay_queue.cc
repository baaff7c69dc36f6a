// Relay, as far as an operator decides about the messages in the queue, and about who sends them.
#include <algorithm>

#include "relay/mail/address.h"
#include "relay/mail/trace.h"
#include "relay/parts.h"
#include "relay/queue/content.h"
#include "relay/queue/queue.h"
#include "relay/queue/summary.h"
#include "relay/queue/view.h"
#include "relay/relay.h"
#include "sync/base/ascii.h"

namespace postern::relay {

QueuePage Relay::list(const QueueFilter& filter, std::size_t limit, std::size_t skip, QueueOrder order) {
    QueuePage out;
    const SettingsPtr settings = parts_->in_force().settings;
    const auto route = parts_->router();
    const auto part = Search(parts_->spool, filter, route).list(order, limit, skip);
    out.more = part.more;
    for (const auto& loaded : part.messages) {
        const Message& message = loaded.stored->message;
        out.messages.push_back(
            view_of(message, loaded.progress, *settings, parts_->clock,
                    [&](const Address& recipient) { return route(message.envelope, recipient); }));
    }
    return parts_->delivery_loops.first().ask([parts = parts_.get(), out = std::move(out)]() mutable {
        parts->delivery.queue().overlay(out.messages);
        return std::move(out);
    });
}

QueueSummary Relay::summary(const QueueFilter& filter, std::size_t most) {
    Summarizer summarizer(parts_->clock.wall());
    const auto route = parts_->router();
    Search(parts_->spool, filter, route).each([&](const Loaded& loaded) {
        summarizer.add(loaded.stored->message, loaded.progress, route);
        return true;
    });
    return summarizer.take(most);
}

std::optional<MessageView> Relay::show(const std::string& id) {
    QueueFilter filter;
    filter.id = id.empty() ? "-" : id;
    auto found = list(filter, 1).messages;
    if (found.empty()) return std::nullopt;
    const auto parsed = MessageId::parse(id);
    const auto loaded = parsed ? parts_->spool.load(*parsed) : std::nullopt;
    if (loaded && loaded->stored) {
        const Message& message = loaded->stored->message;
        std::string& header = found.front().header;
        if (!message.content.file.empty())
            header = read_header(parts_->disk, message.content).value_or(std::string());
        else if (const auto inside = parts_->spool.load_content(message))
            header = header_of(**inside);
        header.resize(std::min<std::size_t>(header.size(), 64 * 1024));
    }
    return std::move(found.front());
}

namespace {

/// What was slowed down or held of an account's mail, however it spells itself.
QueueFilter restrained_of(const std::string& account) {
    QueueFilter filter;
    filter.account = account;
    filter.restrained = true;
    return filter;
}

/// The epoch stays what it is.
base::Time steady_of(const base::Clock& clock, base::Time wall) {
    return wall == base::Time() ? wall : std::min(clock.steady(), wall - (clock.wall() - clock.steady()));
}

}  // namespace

std::string account_named(const std::string& who) {
    const auto address = parse_address(who);
    return address ? account_of(address->mailbox(), address->domain) : base::lower(who);
}

std::optional<Applied> Relay::release_sender(const std::string& who, base::Time decided) {
    const std::string account = account_named(who);
    if (!parts_->volume.watch.release(account, parts_->clock.steady(), steady_of(parts_->clock, decided)))
        return std::nullopt;
    parts_->volume.keep_at_once();
    const QueueFilter filter = restrained_of(account);
    parts_->operate(filter,
                    [](Queue& queue, const std::vector<MessageId>& ids) { return queue.release(ids); });
    return parts_->operate(filter,
                           [](Queue& queue, const std::vector<MessageId>& ids) { return queue.retry(ids); });
}

std::optional<Applied> Relay::drop_sender(const std::string& who, base::Time decided) {
    const std::string account = account_named(who);
    if (!parts_->volume.watch.drop(account, parts_->clock.steady(), steady_of(parts_->clock, decided)))
        return std::nullopt;
    parts_->volume.keep_at_once();
    return remove(restrained_of(account));
}

bool Relay::expect(const std::string& who, std::uint64_t recipients, std::chrono::seconds length) {
    auto& tally = parts_->volume.tally;
    const auto now = std::chrono::floor<std::chrono::milliseconds>(parts_->clock.wall().time_since_epoch());
    // What is withdrawn is remembered for as long as others may think that it holds.
    const auto until = parts_->clock.steady() + (recipients == 0 ? std::chrono::hours(24 * 30) : length);
    if (!tally.expect(account_named(who), recipients, until, static_cast<std::uint64_t>(now.count())))
        return false;
    parts_->volume.keep_at_once();
    return true;
}

Applied Relay::retry(const QueueFilter& filter) {
    // What a sender's unusual volume keeps waiting is not meant by whoever wants all to be tried.
    const bool chosen = !filter.id.empty() || !filter.sender.empty();
    Applied done = parts_->operate(filter, [chosen](Queue& queue, const std::vector<MessageId>& ids) {
        return queue.retry(ids, chosen);
    });
    parts_->delivery_loops.first().ask(
        [parts = parts_.get()] { return parts->delivery.retry_destinations({}); });
    return done;
}

Applied Relay::remove(const QueueFilter& filter) {
    return parts_->operate(filter,
                           [](Queue& queue, const std::vector<MessageId>& ids) { return queue.remove(ids); });
}

Applied Relay::hold(const QueueFilter& filter) {
    return parts_->operate(filter,
                           [](Queue& queue, const std::vector<MessageId>& ids) { return queue.hold(ids); });
}

Applied Relay::release(const QueueFilter& filter) {
    return parts_->operate(
        filter, [](Queue& queue, const std::vector<MessageId>& ids) { return queue.release(ids); });
}

Applied Relay::bounce(const QueueFilter& filter, const std::string& reason) {
    return parts_->operate(filter, [&reason](Queue& queue, const std::vector<MessageId>& ids) {
        return queue.bounce(ids, reason);
    });
}

Applied Relay::move(const QueueFilter& filter, const std::string& gateway) {
    RouteKey route = gateway.empty() ? RouteKey() : RouteKey::gateway(gateway);
    return parts_->operate(
        filter, [&route](Queue& queue, const std::vector<MessageId>& ids) { return queue.move(ids, route); });
}

}  // namespace postern::relay
