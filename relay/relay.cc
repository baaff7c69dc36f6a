#include "relay/relay.h"

#include <pthread.h>

#include <algorithm>
#include <condition_variable>
#include <future>
#include <stdexcept>
#include <stop_token>
#include <thread>

#include "relay/answer.h"
#include "relay/delivery/delivery.h"
#include "relay/delivery/overview.h"
#include "relay/delivery/route.h"
#include "relay/explain.h"
#include "relay/mail/route_key.h"
#include "relay/mail/trace.h"
#include "relay/net/asio.h"
#include "relay/queue/content.h"
#include "relay/queue/lock.h"
#include "relay/queue/search.h"
#include "relay/queue/selection.h"
#include "relay/queue/spool.h"
#include "relay/queue/summary.h"
#include "relay/queue/view.h"
#include "relay/reception/reception.h"

namespace postern::relay {

namespace {

constexpr std::chrono::seconds patience{10};  // for a change to get onto the disk

}  // namespace

struct Relay::Impl {
    Impl(SettingsPtr settings_, DirectoryPtr directory_, Observer& observer_, const base::Clock& clock_)
        : settings(std::move(settings_)),
          directory(std::move(directory_)),
          observer(observer_),
          clock(clock_),
          lock(settings->state_dir),
          spool(
              settings->state_dir, clock, spool_options(),
              [this](Committed done) { committed(std::move(done)); },
              [this](std::string_view what, bool grave) {
                  observer.on(event::Trouble{"spool", what, grave});
              }),
          delivery(delivery_io, clock, spool, settings, directory, observer),
          reception(reception_io, clock, spool, settings, directory, observer) {}

    Spool::Options spool_options() const {
        Spool::Options out;
        out.volume_size = settings->queue.volume_size;
        return out;
    }

    std::uint64_t minimum_free() {
        std::lock_guard guard(mutex);
        return settings->accept.minimum_free;
    }

    /// On the commit thread: one post per batch to each loop.
    void committed(Committed done) {
        // Told before anybody else hears of it: what becomes of a message is told later than its acceptance.
        if (!done.error)
            for (auto& one : done.accepted)
                if (one.stored->told) std::exchange(one.stored->told, {})();
        std::vector<StoredPtr> stored = std::move(done.bounces);
        if (!done.error)
            for (auto& one : done.accepted) stored.push_back(one.stored);
        auto batch = std::make_shared<Committed>(std::move(done));
        if (!batch->accepted.empty())
            asio::post(reception_io, [batch] {
                for (auto& one : batch->accepted)
                    if (one.done) one.done(batch->error);
            });
        {
            std::lock_guard guard(durable_mutex);
            durable = std::max(durable, batch->changes);
        }
        durable_changed.notify_all();
        asio::post(delivery_io, [this, stored = std::move(stored), changes = batch->changes,
                                 unstuck = batch->unstuck]() mutable {
            delivery.committed(std::move(stored), changes, unstuck);
        });
    }

    /// Runs `work` on a loop and waits for what it gives; a default value once the loop has ended.
    template <typename Work>
    auto on(net::io_context& io, Work work) -> decltype(work()) {
        using Value = decltype(work());
        auto answer = std::make_shared<Answer<Value>>();
        const std::stop_callback at_the_end(ended.get_token(),
                                            [answer] { answer->give([] { return Value(); }); });
        asio::post(io, [answer, work = std::move(work)]() mutable { answer->give(work); });
        return answer->wait();
    }

    void run(net::io_context& io, const char* name) {
        pthread_setname_np(pthread_self(), name);
        for (;;) {
            try {
                io.run();
                return;
            } catch (const std::exception& fault) {
                observer.on(event::Trouble{name, fault.what(), true});
            }
        }
    }

    void start() {
        spool.start();
        reception.start();
        asio::post(delivery_io, [this] { delivery.start(); });
        reception_thread = std::thread([this] { run(reception_io, "reception"); });
        delivery_thread = std::thread([this] { run(delivery_io, "delivery"); });
        started = true;
    }

    /// The one place that knows the order: no new mail, what is in hand is committed, what is being sent
    /// ends.
    void stop(std::chrono::seconds grace) {
        if (!started || ended.stop_requested()) return;
        finish(reception_io, reception.stop(grace));
        finish(delivery_io, delivery.stop(grace));
        spool.stop();
        ended.request_stop();
        { const std::lock_guard guard(durable_mutex); }
        durable_changed.notify_all();
        reception_work.reset();
        delivery_work.reset();
        reception_io.stop();
        delivery_io.stop();
        reception_thread.join();
        delivery_thread.join();
    }

    /// A second stop beside the first, without grace: the first then finds nothing left to wait for.
    void hurry() {
        if (!started || ended.stop_requested()) return;
        const auto ignore = [](std::exception_ptr) {};
        asio::co_spawn(reception_io, reception.stop(std::chrono::seconds(0)), ignore);
        asio::co_spawn(delivery_io, delivery.stop(std::chrono::seconds(0)), ignore);
    }

    static void finish(net::io_context& io, net::awaitable<void> work) {
        std::promise<void> over;
        asio::co_spawn(io, std::move(work), [&over](std::exception_ptr) { over.set_value(); });
        over.get_future().wait();
    }

    Search::Router router() {
        return [this](const Envelope& envelope, const Address& recipient) {
            std::lock_guard guard(mutex);
            return choose_route(*settings, *directory, envelope, recipient, clock.wall()).key;
        };
    }

    /// With the queue and each part of what is meant, on the delivery loop: what stands in line hears of it
    /// at once. What an operator is then told is done lasts.
    Applied operate(const QueueFilter& filter,
                    const std::function<Applied(Queue&, const std::vector<MessageId>&)>& work) {
        const Search search(spool, filter, router());
        const Applied done = for_each_part(search, [&](const std::vector<MessageId>& ids) {
            return on(delivery_io, [this, &work, ids] {
                Applied part = work(delivery.queue(), ids);
                delivery.recall();
                delivery.arm();
                awaited = std::max(awaited.load(), delivery.queue().last_change());
                return part;
            });
        });
        wait_until_durable();
        return done;
    }

    /// What operators did is on the disk.
    void wait_until_durable() {
        std::unique_lock guard(durable_mutex);
        clock.wait_until(durable_changed, guard, {}, clock.now() + patience,
                         [this] { return durable >= awaited || ended.stop_requested(); });
    }

    std::mutex durable_mutex;  // over the number below
    std::condition_variable_any durable_changed;
    std::uint64_t durable = 0;              // every change up to it is on the disk
    std::atomic<std::uint64_t> awaited{0};  // by operators
    std::mutex mutex;                       // over the two below, for questions from other threads
    SettingsPtr settings;
    DirectoryPtr directory;
    Observer& observer;
    const base::Clock& clock;
    std::stop_source ended;
    bool started = false;

    Lock lock;
    net::io_context reception_io{1}, delivery_io{1};
    asio::executor_work_guard<net::io_context::executor_type> reception_work{reception_io.get_executor()},
        delivery_work{delivery_io.get_executor()};
    Spool spool;
    Delivery delivery;
    Reception reception;
    std::thread reception_thread, delivery_thread;
};

Relay::Relay(SettingsPtr settings, DirectoryPtr directory, Observer& observer, const base::Clock& clock)
    : impl_(std::make_unique<Impl>(std::move(settings), std::move(directory), observer, clock)) {}

Relay::~Relay() { stop(); }

void Relay::start() { impl_->start(); }
void Relay::stop(std::chrono::seconds grace) { impl_->stop(grace); }
void Relay::hurry() { impl_->hurry(); }

struct Relay::Prepared {
    SettingsPtr settings;
    net::PreparedTls server, client;
    std::shared_ptr<const Srs> srs;
};

std::shared_ptr<const Relay::Prepared> Relay::prepare(SettingsPtr settings) {
    auto out = std::make_shared<Prepared>();
    out->server = net::prepare(net::server_context, settings->tls);
    out->client = net::prepare(net::client_context, settings->tls);
    out->srs = rewriting(*settings);
    out->settings = std::move(settings);
    return out;
}

void Relay::reload(std::shared_ptr<const Prepared> prepared) {
    {
        std::lock_guard guard(impl_->mutex);
        impl_->settings = prepared->settings;
    }
    asio::post(impl_->reception_io, [impl = impl_.get(), prepared] {
        impl->reception.reload(prepared->settings, prepared->server, prepared->srs);
    });
    asio::post(impl_->delivery_io, [impl = impl_.get(), prepared] {
        impl->delivery.reload(prepared->settings, prepared->client);
    });
}

void Relay::ask_with(AskDirectory ask) { impl_->reception.ask_with(std::move(ask)); }
void Relay::notice_with(NoticeSender notice) { impl_->reception.notice_with(std::move(notice)); }

void Relay::publish(DirectoryPtr directory) {
    {
        std::lock_guard guard(impl_->mutex);
        impl_->directory = directory;
    }
    asio::post(impl_->reception_io, [impl = impl_.get(), directory] { impl->reception.publish(directory); });
    asio::post(impl_->delivery_io, [impl = impl_.get(), directory] { impl->delivery.publish(directory); });
}

std::uint64_t Relay::messages() { return impl_->spool.count(); }

State Relay::state() {
    State out;
    out.messages = impl_->spool.count();
    out.bytes = impl_->spool.bytes();
    out.damaged = impl_->spool.set_aside_so_far();
    out.held = impl_->spool.waiting(RouteKey::held());
    for (std::uint32_t volume : impl_->spool.volumes())
        for (MessageId first : impl_->spool.messages(volume, {}, 1))
            if (out.oldest == Time{} || first.arrived() < out.oldest) out.oldest = first.arrived();
    out.not_ready = impl_->spool.unhealthy();
    struct In {
        std::size_t sessions = 0;
        Reply admission;
    };
    In in = impl_->on(impl_->reception_io, [impl = impl_.get()] {
        return In{impl->reception.sessions(), impl->reception.admission(0).reply};
    });
    out.sessions = in.sessions;
    if (out.not_ready.empty()) out.not_ready = impl_->spool.want(impl_->minimum_free());
    if (out.not_ready.empty() && !in.admission.positive()) out.not_ready = in.admission.text;
    struct Out {
        std::size_t connections = 0;
        std::vector<DestinationView> destinations;
        std::chrono::seconds overdue{0};
    };
    Out sent = impl_->on(impl_->delivery_io, [impl = impl_.get()] {
        return Out{impl->delivery.workplace().connections.traffic()->connections,
                   destination_views(impl->delivery.workplace(), 1000), impl->delivery.queue().overdue()};
    });
    out.overdue = sent.overdue;
    out.connections = sent.connections;
    out.destinations = std::move(sent.destinations);
    // Counted outside the mail's threads, and only for what is shown.
    for (auto& one : out.destinations) one.waiting = impl_->spool.waiting(RouteKey::of(one.route));
    return out;
}

QueuePage Relay::list(const QueueFilter& filter, std::size_t limit, std::size_t skip, QueueOrder order) {
    QueuePage out;
    SettingsPtr settings;
    {
        std::lock_guard guard(impl_->mutex);
        settings = impl_->settings;
    }
    const auto route = impl_->router();
    const auto part = Search(impl_->spool, filter, route).list(order, limit, skip);
    out.more = part.more;
    for (const auto& loaded : part.messages) {
        const Message& message = loaded.stored->message;
        out.messages.push_back(
            view_of(message, loaded.progress, *settings, impl_->clock,
                    [&](const Address& recipient) { return route(message.envelope, recipient); }));
    }
    return impl_->on(impl_->delivery_io, [impl = impl_.get(), out = std::move(out)]() mutable {
        impl->delivery.queue().overlay(out.messages);
        return std::move(out);
    });
}

QueueSummary Relay::summary(const QueueFilter& filter, std::size_t most) {
    Summarizer summarizer(impl_->clock.wall());
    const auto route = impl_->router();
    Search(impl_->spool, filter, route).each([&](const Loaded& loaded) {
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
    const auto volume = parsed ? impl_->spool.find(*parsed) : std::nullopt;
    const auto loaded = volume ? impl_->spool.load(*parsed, *volume) : std::nullopt;
    if (loaded && loaded->stored) {
        const Message& message = loaded->stored->message;
        std::string& header = found.front().header;
        if (!message.content.file.empty())
            header = read_header(message.content).value_or(std::string());
        else if (const auto inside = impl_->spool.load_content(message, *volume))
            header = header_of(**inside);
        header.resize(std::min<std::size_t>(header.size(), 64 * 1024));
    }
    return std::move(found.front());
}

Applied Relay::retry(const QueueFilter& filter) {
    Applied done = impl_->operate(
        filter, [](Queue& queue, const std::vector<MessageId>& ids) { return queue.retry(ids); });
    impl_->on(impl_->delivery_io, [impl = impl_.get()] { return impl->delivery.retry_destinations({}); });
    return done;
}

Applied Relay::remove(const QueueFilter& filter) {
    return impl_->operate(filter,
                          [](Queue& queue, const std::vector<MessageId>& ids) { return queue.remove(ids); });
}

Applied Relay::hold(const QueueFilter& filter) {
    return impl_->operate(filter,
                          [](Queue& queue, const std::vector<MessageId>& ids) { return queue.hold(ids); });
}

Applied Relay::release(const QueueFilter& filter) {
    return impl_->operate(filter,
                          [](Queue& queue, const std::vector<MessageId>& ids) { return queue.release(ids); });
}

Applied Relay::bounce(const QueueFilter& filter, const std::string& reason) {
    return impl_->operate(filter, [&reason](Queue& queue, const std::vector<MessageId>& ids) {
        return queue.bounce(ids, reason);
    });
}

Applied Relay::move(const QueueFilter& filter, const std::string& gateway) {
    RouteKey route = gateway.empty() ? RouteKey() : RouteKey::gateway(gateway);
    return impl_->operate(
        filter, [&route](Queue& queue, const std::vector<MessageId>& ids) { return queue.move(ids, route); });
}

std::vector<GatewayView> Relay::gateways() {
    auto out = impl_->on(impl_->delivery_io,
                         [impl = impl_.get()] { return gateway_views(impl->delivery.workplace()); });
    for (auto& one : out) one.waiting = impl_->spool.waiting(RouteKey::gateway(one.name));
    return out;
}

std::vector<EgressView> Relay::egress() {
    return impl_->on(impl_->delivery_io, [impl = impl_.get()] {
        return impl->delivery.workplace().sources.pool().views(impl->clock.wall());
    });
}

std::string Relay::dns_trouble() {
    return impl_->on(impl_->delivery_io,
                     [impl = impl_.get()] { return impl->delivery.workplace().names.trouble(); });
}

bool Relay::forget(const std::string& address, const std::string& site) {
    return impl_->on(impl_->delivery_io, [impl = impl_.get(), address, site] {
        return impl->delivery.forget_listings(address, site);
    });
}

Relay::Explaining Relay::explain(const std::string& from, const std::string& to, const std::string& client,
                                 Explained whole) {
    SettingsPtr settings;
    DirectoryPtr directory;
    {
        std::lock_guard guard(impl_->mutex);
        settings = impl_->settings;
        directory = impl_->directory;
    }
    const auto srs = impl_->on(impl_->reception_io, [impl = impl_.get()] { return impl->reception.srs(); });
    relay::Explained known =
        relay::explain({*settings, *directory, srs.get()}, from, to, client, impl_->clock.wall());
    if (!known.onward) return {std::move(known.so_far), false};
    asio::co_spawn(impl_->delivery_io,
                   explain_delivery(impl_->delivery.workplace(), known.so_far, std::move(known.onward->route),
                                    std::move(known.onward->envelope)),
                   std::move(whole));
    return {std::move(known.so_far), true};
}

}  // namespace postern::relay
