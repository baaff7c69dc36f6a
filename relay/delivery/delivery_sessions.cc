// The connections of a site: opened, fed with what is ready, rested and closed.
#include <algorithm>

#include "relay/delivery/conversion.h"
#include "relay/delivery/delivery.h"
#include "relay/delivery/route.h"
#include "relay/mail/trace.h"
#include "relay/queue/durable_file.h"

namespace postern::relay {

namespace {

constexpr std::size_t ready_low = 100;        // below this more is fetched from the spool
constexpr unsigned transactions_max = 1'000;  // over one connection
constexpr std::chrono::minutes targets_age{5};

Time now() { return std::chrono::system_clock::now(); }

Outcome unfit(const Reply& why) {
    Outcome out;
    out.result = Outcome::Result::failed;
    out.reply = Reply{0, why.status, why.text};
    out.reason = why.text;
    out.stage = "content";
    return out;
}

}  // namespace

Client::Options Delivery::client_options(const Site& site, const Source& source) const {
    const DeliverySettings& delivery = settings_->delivery;
    Client::Options out{
        source, tls_, delivery.connect_timeout, delivery.command_timeout, delivery.data_timeout, {}};
    if (site.route.starts_with("gateway:"))
        if (const GatewaySettings* gateway = find_gateway(*settings_, site.route.substr(8));
            gateway != nullptr && !gateway->username.empty())
            out.login =
                Client::Login{gateway->username, gateway->password_file, gateway->allow_insecure_auth};
    return out;
}

/// In the order they are tried: those that failed lately come last, those that the source cannot reach do
/// not.
std::vector<Target> Delivery::targets_from(const Site& site, const Source& source) {
    std::vector<Target> out;
    bool six = source.address.find(':') != std::string::npos;
    for (const auto& target : site.targets)
        if (source.address.empty() || target.endpoint.address().is_v6() == six) out.push_back(target);
    std::map<std::string, std::uint32_t> lot;
    for (const auto& target : out) lot.emplace(target.host, static_cast<std::uint32_t>(random_()));
    std::stable_sort(out.begin(), out.end(), [&](const Target& a, const Target& b) {
        return a.preference != b.preference ? a.preference < b.preference : lot[a.host] < lot[b.host];
    });
    std::stable_partition(out.begin(), out.end(), [&](const Target& target) {
        auto bad = site.bad.find(target.endpoint);
        return bad == site.bad.end() || bad->second <= now();
    });
    return out;
}

/// A site that is always busy hears of changes too. False when its routes lead elsewhere by now.
net::awaitable<bool> Delivery::look_up_again(SitePtr site) {
    if (now() - site->looked_up < targets_age) co_return true;
    Targets targets = co_await find_targets(surroundings(), site->route, site->wish);
    if (targets.list.empty() || targets.site == site->key) {
        site->looked_up = now();
        if (!targets.list.empty()) adopt(site, site->route, site->wish, std::move(targets));
        co_return true;
    }
    for (auto& [key, one] : destinations_)
        if (one->site == site) one->fresh_until = {};
    for (auto& [address, from] : site->lanes)
        for (Job& job : from.ready.drain()) {
            bool in_turn = job.route == all_gateways;
            enter(std::move(job), in_turn ? site->route : job.route);
        }
    co_return false;
}

net::awaitable<std::unique_ptr<Client>> Delivery::connect(SitePtr site, Lane& lane) {
    if (!co_await look_up_again(site)) co_return nullptr;
    if (out_of_use(*site, lane)) {
        redistribute(site, lane);
        co_return nullptr;
    }
    Outcome why;
    why.egress = lane.source.address;
    why.stage = "connect";
    why.reason = "no host can be reached from " + lane.source.address;
    auto options = client_options(*site, lane.source);
    Reply refused;
    bool all_refused = true;
    for (const Target& target : targets_from(*site, lane.source)) {
        if (stopping_) co_return nullptr;
        Refusal refusal;
        auto client = co_await Client::open(io_, target, options, refusal);
        if (client) {
            site->bad.erase(target.endpoint);
            if (std::string fault = client->would_fail();
                fault != std::exchange(site->told, fault) && !fault.empty())
                observer_.on(event::Trouble{"tls", fault, false});
            co_return client;
        }
        if (refusal.no_source) {
            // Another of our addresses may be there.
            pool_.absent(lane.source.address, now() + std::chrono::minutes(1));
            observer_.on(event::Trouble{"egress", refusal.reason, false});
            redistribute(site, lane);
            co_return nullptr;
        }
        site->bad[target.endpoint] = now() + settings_->queue.retry_first;
        if (blame(site, lane.source, refusal.reply, target.host)) {
            redistribute(site, lane);
            co_return nullptr;
        }
        why.host = target.text();
        why.stage = refusal.stage;
        why.reply = refusal.reply;
        why.reason = refusal.reason;
        // A host that refuses the session has not refused this mail: others may take it, now or later.
        if (why.reply.permanent() && why.reason.empty()) why.reason = "the host refuses our connection";
        if (refusal.reply.permanent())
            refused = refusal.reply;
        else
            all_refused = false;
    }
    if (all_refused && refused.code != 0 && compare(site, lane, refused)) co_return nullptr;
    fails(site, why, site->connections - site->opening);
    co_return nullptr;
}

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
        auto wait = site->pace.wait(now());
        if (lane.ready.empty() || wait > Time::duration::zero()) {
            if (!lane.ready.empty()) wake(site, now() + wait);
            if (co_await rest(site, lane, client)) continue;
            break;
        }
        bool others_wait = site->connections >= site->window.size() &&
                           std::any_of(site->lanes.begin(), site->lanes.end(), [&](const auto& other) {
                               return other.second.connections == 0 && !other.second.ready.empty();
                           });
        if (others_wait && client.transactions > 0) break;
        Job job = lane.ready.pop();
        site->pace.take(now());
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

net::awaitable<std::unique_ptr<Client>> Delivery::connect_elsewhere(SitePtr site, Lane& lane,
                                                                    const SecondOpinion& open) {
    auto options = client_options(*site, lane.source);
    for (const Target& target : targets_from(*site, lane.source)) {
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
    bool slow = site->pace.wait(now()) > std::chrono::seconds(1);
    if (!last_word && !slow && !stopping_ && !job.recipients.empty() && site->targets.size() > 1)
        turn.open = set_apart(job, outcomes, client.target().endpoint);
    if (!job.recipients.empty()) queue_.settle(job, std::move(outcomes));
    if (lost && !stopping_) fails(site, why, site->connections - site->opening - 1);
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
