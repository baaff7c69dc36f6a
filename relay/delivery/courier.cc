#include "relay/delivery/courier.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <utility>
#include <vector>

#include "relay/delivery/alarms.h"
#include "relay/delivery/destinations.h"
#include "relay/delivery/dispatch.h"
#include "relay/delivery/environment.h"
#include "relay/delivery/sources.h"
#include "relay/delivery/tls_sessions.h"
#include "relay/mail/stage.h"

namespace postern::relay {

namespace {

constexpr std::size_t ready_low = 100;        // below this more is fetched from the spool
constexpr unsigned transactions_max = 1'000;  // over one connection
constexpr std::chrono::minutes age_max{5};    // of a connection that is always busy

}  // namespace

Courier::Courier(Workplace& at, SitePtr site, SourceQueue& from)
    : at_(at), site_(std::move(site)), from_(from), slot_(site_, from, at.connections.traffic()) {}

net::awaitable<void> Courier::run(std::unique_ptr<Courier> courier) {
    std::exception_ptr fault;
    try {
        co_await courier->work();
    } catch (...) {
        fault = std::current_exception();
    }
    courier.reset();  // whoever hears of the end finds its slot free
    if (fault) std::rethrow_exception(fault);
}

net::awaitable<void> Courier::work() {
    std::optional<Job> first;
    for (;;) {
        auto client = co_await open();
        if (!client) break;
        TransactionEnd end;
        {
            Known known(at_.connections.traffic(), *client);
            end = co_await serve(*client, std::move(first));
        }
        first = std::move(end.again);
        if (end.open) co_await ask_elsewhere(std::move(*end.open));
        if (!first) co_return;
        slot_.reopen();
    }
    if (first && !at_.env.stopping) put_back(std::move(*first));
}

/// No connection could be had for it.
void Courier::put_back(Job job) {
    if (!site_->obstacle().down) return at_.dispatch.line_up(std::move(job), site_);
    Outcome why;
    why.stage = Stage::connect;
    why.reason = site_->obstacle().trouble;
    std::vector<Job> jobs;
    jobs.push_back(std::move(job));
    at_.dispatch.settle_all(std::move(jobs), why);
}

// ---- a connection

/// What is thrown is the site's trouble: it is told, and nobody tries again at once.
net::awaitable<std::unique_ptr<Client>> Courier::open() {
    ConnectionSlot::Opening opening(slot_);
    Outcome why;
    Time begun = at_.env.clock.steady();
    try {
        if (!co_await still_there()) co_return nullptr;
        co_return co_await open_to_any();
    } catch (const std::exception& fault) {
        why.reason = fault.what();
    }
    why.stage = Stage::connect;
    at_.env.observer.on(event::Trouble{event::Area::delivery, why.reason, true});
    at_.dispatch.site_fails(site_, why, 0, begun);
    co_return nullptr;
}

/// A site that is always busy hears of changes too. False when its routes lead elsewhere by now.
net::awaitable<bool> Courier::still_there() {
    Reply trouble;
    switch (co_await at_.destinations.look_up_again(site_, trouble)) {
        case Destinations::Again::stopped: co_return false;
        case Destinations::Again::current: co_return true;
        case Destinations::Again::elsewhere: break;
        case Destinations::Again::nowhere: {
            Outcome why;
            why.stage = Stage::dns;
            why.reason = trouble.text;
            at_.dispatch.site_fails(site_, why, 0, at_.env.clock.steady());
            co_return false;
        }
    }
    for (Job& job : site_->queues.drain()) {
        RouteKey way = at_.destinations.way_of(*site_, job);
        at_.dispatch.enter(std::move(job), way);
    }
    co_return false;
}

net::awaitable<std::unique_ptr<Client>> Courier::open_to_any() {
    ConnectFailure failure;
    auto client = co_await connect(at_, site_, from_, failure);
    if (!client) failed(std::move(failure));
    co_return client;
}

void Courier::failed(ConnectFailure failure) {
    const bool refused = failure.refused.code != 0;
    switch (failure.kind) {
        case ConnectFailure::Kind::dropped: return;
        case ConnectFailure::Kind::other_source: return at_.dispatch.redistribute(site_, from_);
        case ConnectFailure::Kind::hosts: break;
    }
    if (failure.all_refused && refused && at_.dispatch.suspect_source(site_, from_, failure.refused)) return;
    if (failure.for_good && refused && site_->established() == 0) {
        // All hosts said that they take no mail of ours: it needs no days of waiting for the sender to hear
        // that.
        failure.why.result = Outcome::Result::failed;
        site_->forget_trouble();
        at_.dispatch.settle_all(from_.ready.drain(), failure.why);
        return at_.dispatch.refill(site_);
    }
    if (at_.sources.family_failed(*site_, from_.source, failure.begun))
        return at_.dispatch.redistribute(site_, from_);
    at_.dispatch.site_fails(site_, failure.why, site_->established(), failure.begun);
}

// ---- what it carries

net::awaitable<TransactionEnd> Courier::serve(Client& client, std::optional<Job> first) {
    TlsSessions sessions(at_);
    while (!leaves(client)) {
        if (!first) first = co_await next(client);
        if (!first) break;
        sessions.carries(*site_, client, *first);
        Handover handover(at_, site_, from_, client, *std::exchange(first, std::nullopt), false);
        TransactionEnd end = co_await handover.run();
        if (!end.usable) {
            client.abort();
            co_return end;
        }
        if (end.open || end.again) {
            co_await client.quit();
            co_return end;
        }
        if (site_->queues.ready() < ready_low) at_.dispatch.refill(site_);
        at_.alarms.arm();
    }
    if (first && !at_.env.stopping) from_.ready.push_front(std::move(*first));
    co_await client.quit();
    co_return TransactionEnd();
}

net::awaitable<std::optional<Job>> Courier::next(Client& client) {
    while (!leaves(client)) {
        if (at_.sources.out_of_use(*site_, from_)) {
            at_.dispatch.redistribute(site_, from_);
            break;
        }
        auto wait = site_->flow.pace.wait(at_.env.clock.steady());
        if (from_.ready.empty() || wait > Time::duration::zero()) {
            if (!from_.ready.empty()) at_.alarms.set(site_, at_.env.clock.steady() + wait);
            if (!co_await at_.connections.rest(from_) || co_await client.stale()) break;
            continue;
        }
        if (client.transactions > 0 && site_->queue_starves()) break;
        site_->flow.pace.take(at_.env.clock.steady());
        co_return from_.ready.pop();
    }
    co_return std::nullopt;
}

bool Courier::leaves(const Client& client) {
    unsigned most = client.extensions().transactions_max;
    most = most > 0 ? std::min(most, transactions_max) : transactions_max;
    if (at_.env.stopping || at_.env.spool.stuck() || client.transactions >= most) return true;
    if (at_.env.clock.steady() >= client.opened() + age_max) return true;
    // Of other settings: neither mail nor a password goes there any more.
    if (client.target().origin != site_->hosts().origin) return true;
    return client.transactions > 0 && at_.connections.gives_way(*site_);
}

/// Asks another host about what one deferred, and nothing else: other mail prefers the first as long as it
/// answers (RFC 5321 §5.1).
net::awaitable<void> Courier::ask_elsewhere(SecondOpinion open) {
    auto client = co_await connect_elsewhere(at_, site_, from_, open.asked);
    if (client && at_.env.stopping) {  // nobody waits for it any more
        client->abort();
        client.reset();
    }
    if (!client) {
        at_.queue.settle(open.job, std::move(open.outcomes));
        co_return;
    }
    Known known(at_.connections.traffic(), *client);
    TlsSessions(at_).carries(*site_, *client, open.job);
    Handover handover(at_, site_, from_, *client, std::move(open.job), true);
    TransactionEnd end = co_await handover.run();
    if (end.usable)
        co_await client->quit();
    else
        client->abort();
}

}  // namespace postern::relay
