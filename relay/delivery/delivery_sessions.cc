// The connections of a site: fed with what is ready, rested and closed.
#include <algorithm>

#include "relay/delivery/conversion.h"
#include "relay/delivery/delivery.h"
#include "relay/mail/trace.h"
#include "relay/queue/durable_file.h"
#include "sync/base/clock.h"

namespace postern::relay {

namespace {

constexpr std::size_t ready_low = 100;        // below this more is fetched from the spool
constexpr unsigned transactions_max = 1'000;  // over one connection

Outcome unfit(const Reply& why) {
    Outcome out;
    out.result = Outcome::Result::failed;
    out.reply = Reply{0, why.status, why.text};
    out.reason = why.text;
    out.stage = "content";
    return out;
}

}  // namespace

net::awaitable<void> Delivery::work(SitePtr site, Lane& lane) {
    std::unique_ptr<Client> client;
    {
        struct Opening {
            Site& site;
            Lane& lane;
            ~Opening() {
                --site.opening;
                --lane.opening;
            }
        } opening{*site, lane};
        client = co_await connect(site, lane);
    }
    std::optional<SecondOpinion> open;
    while (client) {
        clients_.insert(client.get());
        open = co_await serve(site, lane, *client, std::move(open));
        clients_.erase(client.get());
        if (!open) co_return;
        client = co_await connect_elsewhere(site, lane, *open);
        if (!client) queue_.settle(open->job, std::move(open->outcomes));
    }
}

/// Works off what is ready. Comes back with what another host of the site should be asked about.
net::awaitable<std::optional<Delivery::SecondOpinion>> Delivery::serve(SitePtr site, Lane& lane,
                                                                       Client& client,
                                                                       std::optional<SecondOpinion> first) {
    if (first) {
        Job job = std::move(first->job);
        Turn turn = co_await transact(site, lane, client, std::move(job), true);
        if (!turn.usable) {
            client.abort();
            co_return std::nullopt;
        }
    }
    unsigned most = client.extensions().transactions_max;
    most = most > 0 ? std::min(most, transactions_max) : transactions_max;
    while (!stopping_ && !spool_.stuck() && client.transactions < most) {
        if (out_of_use(*site, lane)) {
            redistribute(site, lane);
            break;
        }
        auto wait = site->pace.wait(base::steady_now());
        if (lane.ready.empty() || wait > Time::duration::zero()) {
            if (!lane.ready.empty()) wake(site, base::steady_now() + wait);
            if (co_await rest(site, lane, client)) continue;
            break;
        }
        bool others_wait = site->connections >= site->window.size() &&
                           std::any_of(site->lanes.begin(), site->lanes.end(), [&](const auto& other) {
                               return other.second.connections == 0 && !other.second.ready.empty();
                           });
        if (others_wait && client.transactions > 0) break;
        Job job = lane.ready.pop();
        site->pace.take(base::steady_now());
        std::string route = job.route;
        Turn turn = co_await transact(site, lane, client, std::move(job), false);
        if (!turn.usable) {
            client.abort();
            co_return std::move(turn.open);
        }
        if (turn.open) {
            co_await client.quit();
            co_return std::move(turn.open);
        }
        if (site->ready() < ready_low) {
            refill(site);
            queue_.refill(route);
        }
        arm();
    }
    co_await client.quit();
    co_return std::nullopt;
}

/// Waits for work; false when there is none for so long that the connection is better closed.
net::awaitable<bool> Delivery::rest(SitePtr site, Lane& lane, Client& client) {
    Rest resting{asio::steady_timer(io_)};
    resting.timer.expires_after(settings_->delivery.idle);
    auto place = lane.idle.insert(lane.idle.end(), &resting);
    co_await resting.timer.async_wait(net::as_value);
    if (resting.woken) co_return !stopping_ && !client.stale();  // and off the list
    lane.idle.erase(place);
    co_return false;
}

void Delivery::fit_to(const Client& client, Job& job, ContentSource& content,
                      std::shared_ptr<const Message>& converted) {
    const Stored& stored = *job.message->stored;
    const Message& message = stored.message;
    const Envelope& envelope = message.envelope;
    std::vector<Outcome> outcomes;
    auto fail = [&](const Reply& why) { outcomes.push_back(unfit(why)); };
    auto settle = [&] {
        for (auto& outcome : outcomes) outcome.host = client.target().text();
        queue_.settle(job, std::move(outcomes));
        job.recipients.clear();
    };
    if (envelope.require_tls && (!client.verified() || !client.extensions().require_tls)) {
        Reply why{0,
                  {5, 7, 30},
                  "the sender demands REQUIRETLS, which " + client.target().host + " does not offer"};
        for (std::size_t at = 0; at < job.recipients.size(); ++at) fail(why);
        return settle();
    }
    Abilities host{client.extensions().eight_bit, client.extensions().utf8};
    if (!needs_a_look(envelope, host)) return;

    if (!content.bytes)
        content.bytes = std::make_shared<const std::string>(message.content.size <= conversion_max
                                                                ? read_small_file(content.file)
                                                                : read_header(content.file));
    auto how = fit(message, *content.bytes, host);
    std::string seven_bit;
    if (how && *how == Fit::seven_bit) {
        auto made = to_seven_bit(*content.bytes);
        if (made)
            seven_bit = std::move(*made);
        else
            how = tl::unexpected(made.error());
    }
    if (!content.file.empty()) content.bytes.reset();
    if (!how) {
        for (std::size_t at = 0; at < job.recipients.size(); ++at) fail(how.error().reply);
        return settle();
    }
    std::vector<bool> apart(job.recipients.size());
    for (std::size_t at = 0; at < job.recipients.size(); ++at)
        if (auto one = fit_recipient(envelope.forward_paths[job.recipients[at]], host); !one) {
            apart[at] = true;
            fail(one.error().reply);
        }
    if (outcomes.size() == job.recipients.size()) return settle();
    if (!outcomes.empty()) {
        Job refused = queue_.split(job, apart);
        for (auto& outcome : outcomes) outcome.host = client.target().text();
        queue_.settle(refused, std::move(outcomes));
    }
    if (*how == Fit::as_is) return;
    auto out = std::make_shared<Message>(message);
    out->envelope.utf8 = message.envelope.utf8 && host.utf8;
    if (*how == Fit::seven_bit) {
        out->envelope.body = BodyType::seven_bit;
        out->content.file.clear();
        out->content.size = seven_bit.size();
        out->content.dots = seven_bit.starts_with('.') || seven_bit.find("\r\n.") != std::string::npos;
        content.file.clear();
        content.bytes = std::make_shared<const std::string>(std::move(seven_bit));
    }
    converted = std::move(out);
}

/// `last_word`: no further host is asked about what this one defers.
net::awaitable<Delivery::Turn> Delivery::transact(SitePtr site, Lane& lane, Client& client, Job job,
                                                  bool last_word) {
    const Stored& stored = *job.message->stored;
    if (job.message->halted()) {
        queue_.give_back(job);
        co_return Turn();
    }
    ContentSource content{stored.message.content.bytes, stored.message.content.file};
    if (!content.bytes && content.file.empty()) {
        content.bytes = spool_.load_content(stored.message, stored.volume);
        if (!content.bytes) {
            queue_.spoil(job, "its content does not match its checksum");
            co_return Turn();
        }
    }
    std::shared_ptr<const Message> converted;
    fit_to(client, job, content, converted);
    if (job.recipients.empty()) co_return Turn();
    if (std::size_t most = client.extensions().recipients_max; most > 0 && job.recipients.size() > most) {
        std::vector<bool> apart(job.recipients.size(), true);
        std::fill_n(apart.begin(), most, false);
        lane.ready.push_front(queue_.split(job, apart));
    }
    const Message& message = converted ? *converted : stored.message;
    job.message->sending.resize(message.envelope.forward_paths.size());
    for (auto at : job.recipients) job.message->sending[at] = true;
    Transaction::Options options;
    options.reset = client.needs_reset;
    options.rewritten = !site->route.starts_with("primary:");
    Transaction transaction(message, job.recipients, client.extensions(), options);
    bool reused = client.transactions > 0;
    ++transactions_;
    Time begun = base::steady_now();
    co_await client.run(transaction, message, std::move(content));
    --transactions_;
    for (auto at : job.recipients) job.message->sending[at] = false;

    if (!transaction.usable() && !transaction.answered() && reused) {
        // The connection died while it rested; that says nothing about the site or the message.
        lane.ready.push_front(std::move(job));
        co_return Turn{false, std::nullopt};
    }
    if (client.content_damaged) {
        // The final dot was not sent, so nobody has taken it.
        queue_.spoil(job, "its content is missing or does not match its checksum");
        co_return Turn{false, std::nullopt};
    }
    bool lost = !transaction.usable() && !transaction.answered();
    if (!lost && !transaction.usable()) site->window.bad(site->connections - site->opening - 1);
    std::string host = client.target().text(), tls = client.tls();
    Outcome why;
    bool delivered = false;
    for (Outcome& outcome : transaction.outcomes()) {
        outcome.host = host;
        outcome.tls = tls;
        outcome.egress = lane.source.address;
        outcome.relayed = !client.extensions().dsn;
        delivered = delivered || outcome.result == Outcome::Result::delivered;
        if (outcome.reply.code == 0) why = outcome;
    }
    if (!lost && transaction.answered()) works(site);
    if (delivered) accepted(site, lane, job);
    Turn turn;
    turn.usable = transaction.usable();
    auto outcomes = std::move(transaction.outcomes());
    if (delivered && turn.usable && !stopping_) set_over(lane, job, outcomes);
    if (site->pooled && !stopping_) move_on(site, lane, job, outcomes, client.target().host);
    // Another host is asked about what this one defers, unless the site as a whole asked for less.
    bool slow = site->pace.wait(base::steady_now()) > std::chrono::seconds(1);
    if (!last_word && !slow && !stopping_ && !job.recipients.empty() && site->targets.size() > 1)
        turn.open = set_apart(job, outcomes, client.target().endpoint);
    if (!job.recipients.empty()) queue_.settle(job, std::move(outcomes));
    if (lost && !stopping_) fails(site, why, site->connections - site->opening - 1, begun);
    co_return turn;
}

void Delivery::set_over(Lane& lane, Job& job, std::vector<Outcome>& outcomes) {
    std::vector<bool> apart(outcomes.size());
    for (std::size_t at = 0; at < outcomes.size(); ++at)
        apart[at] = outcomes[at].reply.code == 452 && outcomes[at].stage == "rcpt";
    if (std::find(apart.begin(), apart.end(), true) == apart.end()) return;
    std::vector<Outcome> rest;
    for (std::size_t at = 0; at < outcomes.size(); ++at)
        if (!apart[at]) rest.push_back(std::move(outcomes[at]));
    outcomes = std::move(rest);
    lane.ready.push_front(queue_.split(job, apart));
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
    if (outcomes.empty()) {
        out.job = job;
        job.recipients.clear();
    } else {
        out.job = queue_.split(job, apart);
    }
    return out;
}

}  // namespace postern::relay
