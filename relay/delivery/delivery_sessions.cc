// The connections of a site: fed with what is ready, rested and closed.
#include <algorithm>

#include "relay/delivery/delivery.h"
#include "sync/base/clock.h"

namespace postern::relay {

namespace {

constexpr std::size_t ready_low = 100;        // below this more is fetched from the spool
constexpr unsigned transactions_max = 1'000;  // over one connection
constexpr std::chrono::minutes age_max{5};    // of a connection that is always busy
Outcome unfit(const Reply& why) {
    Outcome out;
    out.result = Outcome::Result::failed;
    out.reply = Reply{0, why.status, why.text};
    out.reason = why.text;
    out.stage = "content";
    return out;
}

}  // namespace

/// What is thrown is the site's trouble: it is told, and nobody tries again at once.
net::awaitable<std::unique_ptr<Client>> Delivery::open_for(SitePtr site, SourceQueue& from,
                                                           ConnectionSlot& slot) {
    ConnectionSlot::Opening opening(slot);
    Outcome why;
    Time begun = base::steady_now();
    try {
        co_return co_await connect(site, from);
    } catch (const std::exception& fault) {
        why.reason = fault.what();
    }
    why.stage = text_of(Stage::connect);
    env_.observer.on(event::Trouble{"delivery", why.reason, true});
    fails(site, why, 0, begun);
    co_return nullptr;
}

net::awaitable<void> Delivery::work(SitePtr site, SourceQueue& from, std::unique_ptr<ConnectionSlot> slot) {
    std::optional<Job> first;
    for (;;) {
        auto client = co_await open_for(site, from, *slot);
        if (!client) break;
        Turn turn;
        {
            Known known(connections_.traffic(), *client);
            turn = co_await serve(site, from, *client, std::move(first));
        }
        first = std::move(turn.again);
        if (turn.open) co_await ask_elsewhere(site, from, std::move(*turn.open));
        if (!first) co_return;
        slot->reopen();
    }
    if (!first || env_.stopping) co_return;
    if (!site->obstacle().down) co_return dispatch(std::move(*first), site);
    Outcome why;
    why.stage = text_of(Stage::connect);
    why.reason = site->obstacle().trouble;
    std::vector<Job> jobs;
    jobs.push_back(std::move(*first));
    settle_all(std::move(jobs), why);
}

/// Asks another host about what one deferred, and nothing else: other mail prefers the first as long as it
/// answers (RFC 5321 §5.1).
net::awaitable<void> Delivery::ask_elsewhere(SitePtr site, SourceQueue& from, SecondOpinion open) {
    auto client = co_await connect_elsewhere(site, from, open);
    if (!client) {
        queue_.settle(open.job, std::move(open.outcomes));
        co_return;
    }
    Known known(connections_.traffic(), *client);
    Turn turn = co_await transact(site, from, *client, std::move(open.job), true);
    if (turn.usable)
        co_await client->quit();
    else
        client->abort();
}

/// Works off what is ready, `first` before all. Comes back with what another connection should carry.
net::awaitable<Delivery::Turn> Delivery::serve(SitePtr site, SourceQueue& from, Client& client,
                                               std::optional<Job> first) {
    unsigned most = client.extensions().transactions_max;
    most = most > 0 ? std::min(most, transactions_max) : transactions_max;
    Time leave = client.opened() + age_max;
    while (!env_.stopping && !env_.spool.stuck() && client.transactions < most &&
           base::steady_now() < leave && !gives_way(*site, client)) {
        if (!first) {
            if (sources_.out_of_use(*site, from)) {
                redistribute(site, from);
                break;
            }
            auto wait = site->flow.pace.wait(base::steady_now());
            if (from.ready.empty() || wait > Time::duration::zero()) {
                if (!from.ready.empty()) alarms_.set(site, base::steady_now() + wait);
                if (co_await connections_.rest(from) && !client.stale()) continue;
                break;
            }
            if (client.transactions > 0 && site->queue_starves()) break;
            first = from.ready.pop();
            site->flow.pace.take(base::steady_now());
        }
        Job job = std::move(*first);
        first.reset();
        Turn turn = co_await transact(site, from, client, std::move(job), false);
        if (!turn.usable) {
            client.abort();
            co_return turn;
        }
        if (turn.open || turn.again) {
            co_await client.quit();
            co_return turn;
        }
        if (site->ready() < ready_low) refill(site);
        alarms_.arm();
    }
    if (first && !env_.stopping) from.ready.push_front(std::move(*first));
    co_await client.quit();
    co_return Turn();
}

/// Puts a job off for a trouble of ours, or has it set aside for damage that is proven.
void Delivery::cannot_read(const Job& job, const ContentFault& fault) {
    if (fault.damaged()) return queue_.spoil(job, fault.why);
    env_.tell_our_trouble(fault.why);
    Outcome why;
    why.reason = fault.why;
    why.stage = text_of(Stage::content);
    why.ours = true;
    why.attempted = false;
    queue_.settle(job, std::vector<Outcome>(job.recipients.size(), why));
}

/// Refuses for the host, at once, what it cannot take.
void Delivery::refuse(const Client& client, const Job& job, const std::vector<Reply>& replies) {
    std::vector<Outcome> outcomes;
    for (const Reply& why : replies) {
        outcomes.push_back(unfit(why));
        outcomes.back().host = client.target().text();
    }
    queue_.settle(job, std::move(outcomes));
}

net::awaitable<FormPtr> Delivery::fit_to(const Client& client, Job& job) {
    StoredPtr stored = job.message->stored;
    const Envelope& envelope = stored->message.envelope;
    auto refuse_all = [&](const Reply& why) {
        refuse(client, job, std::vector<Reply>(job.recipients.size(), why));
    };
    if (envelope.demands_tls() && (!client.verified() || !client.extensions().require_tls)) {
        refuse_all(Reply{0,
                         {5, 7, 30},
                         "the sender demands REQUIRETLS, which " + client.target().host + " does not offer"});
        co_return nullptr;
    }
    Formless why;
    const Abilities host{client.extensions().eight_bit, client.extensions().utf8};
    FormPtr form = co_await contents_.form_for(stored, host, why);
    if (job.message->halted()) {  // in the meantime
        queue_.give_back(job);
        co_return nullptr;
    }
    if (!form) {
        if (const auto* fault = std::get_if<ContentFault>(&why))
            cannot_read(job, *fault);
        else
            refuse_all(std::get<Unfit>(why).reply);
        co_return nullptr;
    }
    std::vector<bool> apart(job.recipients.size());
    std::vector<Reply> replies;
    for (std::size_t at = 0; envelope.utf8 && at < job.recipients.size(); ++at)
        if (auto one = fit_recipient(envelope.forward_paths[job.recipients[at]], host); !one) {
            apart[at] = true;
            replies.push_back(one.error().reply);
        }
    if (replies.size() == job.recipients.size()) {
        refuse(client, job, replies);
        co_return nullptr;
    }
    if (!replies.empty()) {
        Job refused = queue_.split(job, apart);
        refuse(client, refused, replies);
    }
    co_return form;
}

/// `last_word`: no further host or connection is asked about what this one defers.
net::awaitable<Delivery::Turn> Delivery::transact(SitePtr site, SourceQueue& from, Client& client, Job job,
                                                  bool last_word) {
    Outcome why;
    try {
        co_return co_await carry(site, from, client, job, last_word);
    } catch (const std::exception& fault) {
        why.reason = fault.what();
    }
    env_.observer.on(event::Trouble{"delivery", why.reason, true});
    why.stage = text_of(Stage::content);
    std::vector<Outcome> outcomes(job.recipients.size(), why);
    if (!outcomes.empty()) queue_.settle(job, std::move(outcomes));
    Turn turn;
    turn.usable = false;
    co_return turn;
}

net::awaitable<Delivery::Turn> Delivery::carry(SitePtr site, SourceQueue& from, Client& client, Job& job,
                                               bool last_word) {
    const Stored& stored = *job.message->stored;
    if (job.message->halted()) {
        queue_.give_back(job);
        co_return Turn();
    }
    if (!meant_for(*site, client, job)) {
        turn_away(site, client, std::exchange(job, Job()));
        co_return Turn();
    }
    FormPtr form = co_await fit_to(client, job);
    if (!form) co_return Turn();
    if (env_.spool.stuck()) {  // meanwhile: that it was delivered could not be noted
        from.ready.push_front(std::exchange(job, Job()));
        co_return Turn();
    }
    if (std::size_t most = client.extensions().recipients_max; most > 0 && job.recipients.size() > most) {
        std::vector<bool> apart(job.recipients.size(), true);
        std::fill_n(apart.begin(), most, false);
        from.ready.push_front(queue_.split(job, apart));
    }
    std::shared_ptr<const Message> converted;
    if (form->fit != Fit::as_is) {
        auto changed = std::make_shared<Message>(stored.message);
        changed->envelope.utf8 = stored.message.envelope.utf8 && client.extensions().utf8;
        if (form->fit == Fit::seven_bit) changed->envelope.body = BodyType::seven_bit;
        changed->content.size = form->size;
        converted = std::move(changed);
    }
    const Message& message = converted ? *converted : stored.message;
    Transaction::Options options;
    options.reset = client.needs_reset;
    options.rewritten = !site->hosts().route.starts_with("primary:");
    options.bare = job.bare;
    options.before = client.before();
    Transaction transaction(message, job.recipients, client.extensions(), options);
    Time begun = base::steady_now();
    std::optional<ContentFault> unread;
    {
        Sending sending(connections_.traffic(), job);
        Form content(*form);
        unread = co_await client.run(transaction, message, std::move(content));
    }
    Turn turn;
    turn.usable = transaction.usable();
    if (unread) {
        cannot_read(job, *unread);
        co_return turn;
    }
    learn_tls(site, client, transaction);
    Results results{transaction.outcomes(), transaction.meanings(), {}};
    Outcome why;
    for (Outcome& outcome : results.outcomes) {
        outcome.host = client.target().text();
        outcome.tls = client.tls();
        outcome.egress = from.source.address;
        outcome.relayed = !client.extensions().dsn || job.bare;
        if (outcome.reply.code == 0) why = outcome;
    }
    const bool delivered = results.delivered();
    auto ways = sort_recipients(results, {.last_word = last_word});
    turn.again = take_out(job, results, marked(ways, Way::fresh));
    bool lost = !turn.usable && !transaction.answered() && !turn.again;
    if (!turn.again) {
        if (!turn.usable && !lost) site->flow.window.bad(site->established() - 1);
        if (!lost && transaction.answered()) works(site);
    }
    if (transaction.answered()) site->cut_off.reset();
    if (delivered) accepted(site, from, job);
    std::erase(ways, Way::fresh);
    if (auto rest = take_out(job, results, marked(ways, Way::line))) from.ready.push_front(std::move(*rest));
    std::erase(ways, Way::line);
    if (auto rest = take_out(job, results, marked(ways, Way::bare))) {
        rest->bare = true;
        from.ready.push_front(std::move(*rest));
    }
    const bool others = !last_word && !turn.again;
    turn.open = send_on(site, from, client, job, results, others);
    bool of_site = lost && !env_.stopping && !cut_off(site, job, why);
    if (!job.recipients.empty()) queue_.settle(std::exchange(job, Job()), std::move(results.outcomes));
    if (of_site) fails(site, why, site->established() - 1, begun);
    co_return turn;
}

/// What the host did not take for good may go from another of our addresses, or to another host (`others`),
/// at once.
std::optional<Delivery::SecondOpinion> Delivery::send_on(const SitePtr& site, SourceQueue& from,
                                                         const Client& client, Job& job, Results& results,
                                                         bool others) {
    if (env_.stopping || job.recipients.empty()) return std::nullopt;
    Circumstances now{.last_word = !others};
    const Reply said = results.outcomes.front().reply;
    bool listed = false;
    if (site->hosts().pooled) {
        auto words = listing_.weigh(*site, from.source, job, results, client.target());
        listed = words.listed;
        now.suspected = words.suspected && sources_.another_than(from.source, *site);
        now.other_address = now.suspected;
    }
    if (listed) {
        redistribute(site, from);
        job.suspect.clear();
        job.refused_from.insert(from.source.address);
        now.other_address = another_address(site, job);
    }
    // Another host is asked about what this one defers, unless the site as a whole asked for less.
    bool slow = site->flow.slow(base::steady_now());
    now.other_host = others && !slow && site->hosts().targets.size() > 1;
    auto ways = sort_recipients(results, now);
    if (auto moved = take_out(job, results, marked(ways, Way::other_address))) {
        if (now.suspected) {
            moved->suspect = from.source.address;
            moved->suspicion = said;
        }
        dispatch(std::move(*moved), site);
    }
    std::erase(ways, Way::other_address);
    auto apart = marked(ways, Way::other_host);
    if (apart.empty()) return std::nullopt;
    SecondOpinion out;
    out.asked = client.target().endpoint;
    Results asked = results;
    out.job = *take_out(job, results, apart);
    out.outcomes = asked.take(apart).outcomes;
    return out;
}

void Delivery::learn_tls(const SitePtr& site, const Client& client, const Transaction& transaction) {
    const net::Endpoint& host = client.target().endpoint;
    HostMemory& memory = site->memory;
    bool silent = !transaction.usable() && !transaction.answered();
    if (!silent && client.encrypted()) memory.tls_worked(host);
    if (silent && client.gave_up_tls()) memory.tls_not_at_fault(host);
    auto meanings = transaction.meanings();
    // Another session may have shown meanwhile that it works.
    if (memory.tls_works(host) ||
        std::find(meanings.begin(), meanings.end(), Meaning::clear_text) == meanings.end())
        return;
    memory.tls_failed(host, base::steady_now(), "its TLS session ended at MAIL without a reply");
}

bool Delivery::cut_off(const SitePtr& site, const Job& job, const Outcome& why) {
    if (job.recipients.empty()) return true;
    auto sender_of = [](const Job& one) { return one.message->stored->message.envelope.reverse_path.text(); };
    std::string sender = sender_of(job);
    if (site->cut_off && *site->cut_off != sender) return false;
    site->cut_off = sender;
    // Not each of its messages has to find that out by itself.
    for (auto& [address, from] : site->queues())
        for (Job& other : from.ready.extract([&](const Job& one) { return sender_of(one) == sender; })) {
            std::vector<Outcome> outcomes(other.recipients.size(), why);
            for (auto& outcome : outcomes) outcome.attempted = false;
            queue_.settle(other, std::move(outcomes));
        }
    return true;
}

/// The recipients that are marked, out of the job and of its results; nullopt for none.
std::optional<Job> Delivery::take_out(Job& job, Results& results, const std::vector<bool>& apart) {
    if (apart.empty()) return std::nullopt;
    results.take(apart);
    if (results.size() > 0) return queue_.split(job, apart);
    Job out = job;
    job.recipients.clear();
    return out;
}

}  // namespace postern::relay
