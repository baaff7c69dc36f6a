// The connections of a destination: opened, fed with what is ready, rested and closed.
#include <algorithm>

#include "relay/delivery/delivery.h"

namespace postern::relay {

namespace {

constexpr std::size_t ready_low = 100;        // below this more is fetched from the spool
constexpr unsigned transactions_max = 1'000;  // over one connection

Time now() { return std::chrono::system_clock::now(); }

}  // namespace

Client::Options Delivery::client_options() const {
    return Client::Options{settings_->hostname, settings_->delivery, tls_};
}

net::awaitable<std::unique_ptr<Client>> Delivery::connect(SitePtr site) {
    Outcome why;
    why.stage = "dns";
    Targets targets = co_await find_targets(*resolver_, settings_, site->key);
    if (targets.list.empty()) {
        why.reply = targets.trouble;
        why.reason = targets.trouble.text;
        why.result = targets.trouble.status.klass == 5 ? Outcome::Result::failed : Outcome::Result::deferred;
        fails(site, why, site->connections - site->opening);
        co_return nullptr;
    }
    std::stable_partition(targets.list.begin(), targets.list.end(), [&](const Target& target) {
        auto bad = site->bad.find(target.endpoint);
        return bad == site->bad.end() || bad->second <= now();
    });
    site->targets = targets.list;
    auto options = client_options();
    for (const Target& target : targets.list) {
        if (stopping_) co_return nullptr;
        Refusal refusal;
        auto client = co_await Client::open(io_, target, options, refusal);
        if (client) {
            site->bad.erase(target.endpoint);
            co_return client;
        }
        site->bad[target.endpoint] = now() + settings_->queue.retry_first;
        why.host = target.text();
        why.stage = refusal.stage;
        why.reply = refusal.reply;
        why.reason = refusal.reason;
        // A host that refuses the session has not refused this mail: others may take it, now or later.
        if (why.reply.permanent()) why.reason = "the host refuses our connection";
    }
    fails(site, why, site->connections - site->opening);
    co_return nullptr;
}

net::awaitable<void> Delivery::work(SitePtr site) {
    std::unique_ptr<Client> client;
    {
        struct Opening {
            Site& site;
            ~Opening() { --site.opening; }
        } opening{*site};
        client = co_await connect(site);
    }
    std::optional<SecondOpinion> open;
    while (client) {
        clients_.insert(client.get());
        open = co_await serve(site, *client, std::move(open));
        clients_.erase(client.get());
        if (!open) co_return;
        client = co_await connect_elsewhere(site, *open);
        if (!client) queue_.settle(open->job, std::move(open->outcomes));
    }
}

/// Works off what is ready. Comes back with what another host of the destination should be asked about.
net::awaitable<std::optional<Delivery::SecondOpinion>> Delivery::serve(SitePtr site, Client& client,
                                                                       std::optional<SecondOpinion> first) {
    if (first) {
        Job job = std::move(first->job);
        Turn turn = co_await transact(site, client, std::move(job), true);
        if (!turn.usable) {
            client.abort();
            co_return std::nullopt;
        }
    }
    while (!stopping_ && !spool_.stuck() && client.transactions < transactions_max) {
        if (site->ready.empty()) {
            if (co_await rest(site, client)) continue;
            break;
        }
        Job job = std::move(site->ready.front());
        site->ready.pop_front();
        Turn turn = co_await transact(site, client, std::move(job), false);
        if (!turn.usable) {
            client.abort();
            co_return std::move(turn.open);
        }
        if (turn.open) {
            co_await client.quit();
            co_return std::move(turn.open);
        }
        if (site->ready.size() < ready_low) refill(site);
        arm();
    }
    co_await client.quit();
    co_return std::nullopt;
}

net::awaitable<std::unique_ptr<Client>> Delivery::connect_elsewhere(SitePtr site, const SecondOpinion& open) {
    auto options = client_options();
    std::vector<Target> others = site->targets;
    for (const Target& target : others) {
        if (stopping_) break;
        if (target.endpoint == open.asked) continue;
        Refusal refusal;
        auto client = co_await Client::open(io_, target, options, refusal);
        if (client) co_return client;
        site->bad[target.endpoint] = now() + settings_->queue.retry_first;
    }
    co_return nullptr;
}

/// Waits for work; false when there is none for so long that the connection is better closed.
net::awaitable<bool> Delivery::rest(SitePtr site, Client& client) {
    Rest resting{asio::steady_timer(io_)};
    resting.timer.expires_after(settings_->delivery.idle);
    auto place = site->idle.insert(site->idle.end(), &resting);
    co_await resting.timer.async_wait(net::as_value);
    if (resting.woken) co_return !stopping_ && !client.stale();  // and off the list
    site->idle.erase(place);
    co_return false;
}

/// `last_word`: no further host is asked about what this one defers.
net::awaitable<Delivery::Turn> Delivery::transact(SitePtr site, Client& client, Job job, bool last_word) {
    const Stored& stored = *job.message->stored;
    const Message& message = stored.message;
    if (job.message->removed) {
        queue_.give_back(job);
        co_return Turn();
    }
    ContentSource content{message.content.bytes, message.content.file};
    if (!content.bytes && content.file.empty()) {
        content.bytes = spool_.load_content(message, stored.volume);
        if (!content.bytes) {
            queue_.spoil(job, "its content does not match its checksum");
            co_return Turn();
        }
    }
    std::vector<Address> recipients;
    job.message->sending.resize(message.envelope.forward_paths.size());
    for (auto at : job.recipients) {
        recipients.push_back(message.envelope.forward_paths[at]);
        job.message->sending[at] = true;
    }
    Transaction transaction(message, std::move(recipients), client.extensions(), client.needs_reset);
    bool reused = client.transactions > 0;
    ++transactions_;
    co_await client.run(transaction, message, std::move(content));
    --transactions_;
    for (auto at : job.recipients) job.message->sending[at] = false;

    if (!transaction.usable() && !transaction.answered() && reused) {
        // The connection died while it rested; that says nothing about the destination or the message.
        site->ready.push_front(std::move(job));
        co_return Turn{false, std::nullopt};
    }
    if (client.content_damaged) {
        // The final dot was not sent, so nobody has taken it.
        queue_.spoil(job, "its content is missing or does not match its checksum");
        co_return Turn{false, std::nullopt};
    }
    bool lost = !transaction.usable() && !transaction.answered();
    std::string host = client.target().text(), tls = client.tls();
    Outcome why;
    for (Outcome& outcome : transaction.outcomes()) {
        outcome.host = host;
        outcome.tls = tls;
        if (outcome.reply.code == 0) why = outcome;
    }
    if (!lost && transaction.answered()) works(site);
    Turn turn;
    turn.usable = transaction.usable();
    auto outcomes = std::move(transaction.outcomes());
    if (!last_word && !stopping_ && site->targets.size() > 1)
        turn.open = set_apart(job, outcomes, client.target().endpoint);
    if (!job.recipients.empty()) queue_.settle(job, std::move(outcomes));
    if (lost && !stopping_) fails(site, why, site->connections - site->opening - 1);
    co_return turn;
}

/// Takes out of the job what the host deferred by a reply of its own; all of it may be.
std::optional<Delivery::SecondOpinion> Delivery::set_apart(Job& job, std::vector<Outcome>& outcomes,
                                                           net::Endpoint asked) {
    std::vector<bool> apart(outcomes.size());
    for (std::size_t at = 0; at < outcomes.size(); ++at)
        apart[at] = outcomes[at].result == Outcome::Result::deferred && outcomes[at].reply.code != 0;
    auto count = std::count(apart.begin(), apart.end(), true);
    if (count == 0) return std::nullopt;
    SecondOpinion out{{}, {}, std::move(asked)};
    std::vector<Outcome> rest;
    for (std::size_t at = 0; at < outcomes.size(); ++at)
        (apart[at] ? out.outcomes : rest).push_back(std::move(outcomes[at]));
    outcomes = std::move(rest);
    if (outcomes.empty())
        out.job = std::exchange(job, Job{job.message, job.route, {}});
    else
        out.job = queue_.split(job, apart);
    return out;
}

}  // namespace postern::relay
