#include "relay/delivery/handover.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "relay/delivery/connections.h"
#include "relay/delivery/contents.h"
#include "relay/delivery/destinations.h"
#include "relay/delivery/dispatch.h"
#include "relay/delivery/environment.h"
#include "relay/delivery/listing.h"
#include "relay/delivery/signing.h"
#include "relay/delivery/sources.h"
#include "relay/mail/route_key.h"

namespace postern::relay {

namespace {

Outcome unfit(const Reply& why) {
    Outcome out;
    out.result = Outcome::Result::failed;
    out.reply = Reply{0, why.status, why.text};
    out.reason = why.text;
    out.stage = Stage::content;
    return out;
}

Abilities abilities_of(const Client& client) {
    return {client.extensions().eight_bit, client.extensions().utf8};
}

/// Who asked to hear of success is told when it has come back and gone on; of failures nobody else may know.
RecipientOptions for_screening(RecipientOptions options) {
    options.notify.success = false;
    options.original.clear();
    return options;
}

std::string sender_of(const Job& job) { return job.message->stored->message.envelope.reverse_path.text(); }

}  // namespace

net::awaitable<TransactionEnd> Handover::run() {
    Outcome why;
    try {
        co_return co_await carry();
    } catch (const std::exception& fault) {
        why.reason = fault.what();
    }
    at_.env.observer.on(event::Trouble{event::Area::delivery, why.reason, true});
    why.stage = Stage::content;
    std::vector<Outcome> outcomes(job_.recipients.size(), why);
    for (std::size_t at = 0; at < outcomes.size(); ++at)
        if (auto taken = taken_.find(job_.recipients[at]); taken != taken_.end())
            outcomes[at] = taken->second;
    if (!outcomes.empty()) at_.queue.settle(job_, std::move(outcomes));
    TransactionEnd end;
    end.usable = false;
    co_return end;
}

net::awaitable<TransactionEnd> Handover::carry() {
    const StoredPtr stored = job_.message->stored;
    if (job_.message->halted()) {
        at_.queue.give_back(job_);
        co_return TransactionEnd();
    }
    if (!at_.destinations.permits(*site_, job_, client_.target())) {
        turn_away();
        co_return TransactionEnd();
    }
    FormPtr form = co_await fit();
    if (!form) co_return TransactionEnd();
    if (at_.env.spool.stuck()) {  // meanwhile: that it was delivered could not be noted
        from_.ready.push_front(std::exchange(job_, Job()));
        co_return TransactionEnd();
    }
    if (std::size_t most = client_.extensions().recipients_max; most > 0 && job_.recipients.size() > most) {
        std::vector<bool> apart(job_.recipients.size(), true);
        std::fill_n(apart.begin(), most, false);
        from_.ready.push_front(at_.queue.split(job_, apart));
    }
    std::optional<Message> converted;
    if (form->fit != Fit::as_is || !signatures_->fields.empty() || to_screening()) converted = fitted(*form);
    const Message& message = converted ? *converted : stored->message;
    Transaction::Options options;
    options.reset = client_.needs_reset;
    options.rewritten = site_->hosts().route.kind != RouteKey::Kind::primary;
    options.bare = job_.bare;
    options.before = client_.before();
    Transaction transaction(message, job_.recipients, client_.extensions(), options);
    Time begun = at_.env.clock.steady();
    std::optional<ContentFault> unread;
    {
        Sending sending(*at_.connections.traffic(), job_);
        Form content(*form);
        unread = co_await client_.run(transaction, message, std::move(content));
    }
    if (!unread) co_return distribute(transaction, begun);
    cannot_read(*unread);
    TransactionEnd end;
    end.usable = transaction.usable();
    co_return end;
}

// ---- before the transaction

net::awaitable<FormPtr> Handover::fit() {
    if (demands_more()) {
        refuse_all(
            Reply{0,
                  {5, 7, 30},
                  "the sender demands REQUIRETLS, which " + client_.target().host + " does not offer"});
        co_return nullptr;
    }
    Formless why;
    const Abilities host = abilities_of(client_);
    FormPtr form = co_await at_.contents.form_for(job_.message->stored, host, why);
    if (form && !co_await sign(form, why)) form = nullptr;
    if (job_.message->halted()) {  // in the meantime
        at_.queue.give_back(job_);
        co_return nullptr;
    }
    if (form) co_return refuse_addresses() ? form : nullptr;
    if (const auto* fault = std::get_if<ContentFault>(&why))
        cannot_read(*fault);
    else
        refuse_all(std::get<Unfit>(why).reply);
    co_return nullptr;
}

net::awaitable<bool> Handover::sign(FormPtr form, Formless& why) {
    signatures_ = std::make_shared<const Signatures>();
    // Nobody else's mail is vouched for: what strangers hand in, as reports, may say anything. Nor where what
    // looks like a header is none, since ours ended before it.
    const Message& mail = job_.message->stored->message;
    const bool written_here =
        mail.envelope.client.empty() && !mail.envelope.bounce && mail.envelope.journal == JournalReport::none;
    const bool ours =
        (!mail.envelope.primary.empty() || written_here) && !mail.content.trace.ends_with("\r\n\r\n");
    // What is still to be screened may be changed there.
    if (site_->hosts().route.kind == RouteKey::Kind::primary || !ours || to_screening()) co_return true;
    auto made = co_await at_.signing.of(job_.message->stored, std::move(form));
    if (made)
        signatures_ = std::move(*made);
    else
        why = std::move(made.error());
    co_return made.has_value();
}

/// It comes back, and has yet to meet its recipients' hosts.
bool Handover::to_screening() const {
    return job_.message->stored->message.envelope.unscreened() &&
           job_.route.is_gateway(at_.env.settings->screening.gateway) && at_.env.marks;
}

bool Handover::demands_more() const {
    return !to_screening() && job_.message->stored->message.envelope.demands_tls() &&
           (!client_.verified() || !client_.extensions().require_tls);
}

bool Handover::refuse_addresses() {
    const Envelope& envelope = job_.message->stored->message.envelope;
    if (!envelope.utf8) return true;
    std::vector<bool> apart(job_.recipients.size());
    std::vector<Reply> replies;
    for (std::size_t at = 0; at < job_.recipients.size(); ++at)
        if (auto one = fit_recipient(envelope.forward_paths[job_.recipients[at]], abilities_of(client_));
            !one) {
            apart[at] = true;
            replies.push_back(one.error().reply);
        }
    if (replies.empty()) return true;
    const bool all = replies.size() == job_.recipients.size();
    refuse(all ? job_ : at_.queue.split(job_, apart), replies);
    return !all;
}

/// The message as it is told to the host, whose content is in another form.
Message Handover::fitted(const Form& form) const {
    Message out = job_.message->stored->message;
    out.envelope.utf8 = out.envelope.utf8 && client_.extensions().utf8;
    if (form.fit == Fit::seven_bit) out.envelope.body = BodyType::seven_bit;
    out.content.size = form.size;
    out.content.trace.insert(0, signatures_->fields);
    if (to_screening()) {
        const auto itinerary = itinerary_of(out.envelope, out.id, job_.recipients);
        out.content.trace.insert(0, at_.env.marks->screening(itinerary));
        for (auto& one : out.envelope.options) one = for_screening(one);
    }
    return out;
}

void Handover::turn_away() {
    Job job = std::exchange(job_, Job());
    RouteKey way = at_.destinations.way_of(*site_, job);
    DestinationPtr to = at_.destinations.get(way, tls_wish(job.message->stored->message.envelope));
    if (to->site != site_ || to->hosts.empty()) return at_.dispatch.enter(std::move(job), way);
    Outcome why;
    why.stage = Stage::connect;
    why.reason = client_.target().text() + " is no host that this mail may go to";
    at_.queue.settle(job, std::vector<Outcome>(job.recipients.size(), why));
}

/// Refuses for the host, at once, what it cannot take.
void Handover::refuse(const Job& job, const std::vector<Reply>& replies) {
    std::vector<Outcome> outcomes;
    for (const Reply& why : replies) {
        outcomes.push_back(unfit(why));
        outcomes.back().host = client_.target().text();
    }
    at_.queue.settle(job, std::move(outcomes));
}

void Handover::refuse_all(const Reply& why) { refuse(job_, std::vector<Reply>(job_.recipients.size(), why)); }

/// Puts the job off for a trouble of ours, or has it set aside for damage that is proven.
void Handover::cannot_read(const ContentFault& fault) {
    if (fault.damaged()) return at_.queue.set_aside_damaged(job_, fault.why);
    at_.env.tell_our_trouble(fault.why);
    Outcome why;
    why.reason = fault.why;
    why.stage = Stage::content;
    why.ours = true;
    why.attempted = false;
    at_.queue.settle(job_, std::vector<Outcome>(job_.recipients.size(), why));
}

// ---- behind it

TransactionEnd Handover::distribute(const Transaction& transaction, Time begun) {
    learn_tls(transaction);
    Results results = attribute(transaction);
    for (std::size_t at = 0; at < results.size(); ++at)
        if (results.outcomes[at].result == Outcome::Result::delivered)
            taken_.emplace(job_.recipients[at], results.outcomes[at]);
    if (to_screening() && !taken_.empty())
        at_.env.returns.went(job_.message->stored->message.id, sender_of(job_), taken_.size(),
                             at_.env.clock.wall());
    Outcome why;  // of a connection that was lost
    for (const Outcome& outcome : results.outcomes)
        if (outcome.reply.code == 0) why = outcome;
    const bool delivered = results.delivered();
    auto ways = sort_recipients(results, {.last_word = last_word_});
    auto take = [&](Way way) {
        auto out = take_out(results, marked(ways, way));
        std::erase(ways, way);
        return out;
    };
    TransactionEnd end;
    end.usable = transaction.usable();
    end.again = take(Way::fresh);
    const bool lost = !end.usable && !transaction.answered() && !end.again;
    if (!end.again && !lost) {
        if (!end.usable) site_->flow.window.bad(site_->established() - 1);
        if (transaction.answered()) at_.dispatch.site_works(site_);
    }
    if (transaction.answered()) site_->memory.cut_off.reset();
    if (delivered) accepted();
    if (auto rest = take(Way::line)) from_.ready.push_front(std::move(*rest));
    if (auto rest = take(Way::bare)) {
        rest->bare = true;
        from_.ready.push_front(std::move(*rest));
    }
    end.open = send_on(results, !last_word_ && !end.again);
    const bool of_site = lost && !at_.env.stopping && !cut_off(why);
    if (!job_.recipients.empty()) at_.queue.settle(std::exchange(job_, Job()), std::move(results.outcomes));
    if (of_site) at_.dispatch.site_fails(site_, why, site_->established() - 1, begun);
    return end;
}

Results Handover::attribute(const Transaction& transaction) const {
    Results out{transaction.outcomes(), transaction.meanings(), {}};
    for (Outcome& outcome : out.outcomes) {
        outcome.host = client_.target().text();
        outcome.tls = client_.tls();
        outcome.egress = from_.source.address;
        for (const auto& name : signatures_->names)
            outcome.signed_by += (outcome.signed_by.empty() ? "" : " ") + name;
        outcome.relayed = (!client_.extensions().dsn || job_.bare) && !to_screening();
    }
    return out;
}

/// What the host did not take for good may go from another of our addresses, or to another host (`others`),
/// at once.
std::optional<SecondOpinion> Handover::send_on(Results& results, bool others) {
    if (at_.env.stopping || job_.recipients.empty()) return std::nullopt;
    Circumstances now{.last_word = !others};
    const Reply said = results.outcomes.front().reply;
    bool listed = false;
    if (site_->hosts().pooled) {
        auto words = at_.listing.weigh(*site_, from_.source, job_, results, client_.target());
        listed = words.listed;
        now.suspected = words.suspected && at_.sources.another_than(from_.source, *site_);
        now.other_address = now.suspected;
    }
    if (listed) {
        at_.dispatch.redistribute(site_, from_);
        job_.suspect.clear();
        job_.refused_from.insert(from_.source.address);
        now.other_address = another_address();
    }
    // Another host is asked about what this one defers, unless the site as a whole asked for less.
    const bool slow = site_->flow.slow(at_.env.clock.steady());
    now.other_host = others && !slow && site_->hosts().targets.size() > 1;
    auto ways = sort_recipients(results, now);
    if (auto moved = take_out(results, marked(ways, Way::other_address))) {
        if (now.suspected) {
            moved->suspect = from_.source.address;
            moved->suspicion = said;
        }
        at_.dispatch.line_up(std::move(*moved), site_);
    }
    std::erase(ways, Way::other_address);
    auto apart = marked(ways, Way::other_host);
    if (apart.empty()) return std::nullopt;
    SecondOpinion out;
    out.asked = client_.target().endpoint;
    Results asked = results;
    out.outcomes = asked.take(apart).outcomes;
    out.job = *take_out(results, apart);
    return out;
}

/// Whether there is another to try at once; if there is none at all, the mail's domain waits.
bool Handover::another_address() {
    auto next = at_.sources.preview(*site_, domain_of(job_));
    // This mail waits for itself, so that what finds out whether it is over is other mail.
    if (!next.source) at_.destinations.put_off(job_.route, next);
    return next.source && !job_.refused_from.contains(next.source->address);
}

void Handover::accepted() {
    at_.listing.accepted(*site_, from_.source, job_);
    if (!site_->hosts().pooled || !at_.destinations.taken(job_.route)) return;
    site_->routes_without_room.add(job_.route);
    at_.dispatch.refill(site_);
}

void Handover::learn_tls(const Transaction& transaction) {
    const net::Endpoint& host = client_.target().endpoint;
    HostMemory& memory = site_->memory;
    const bool silent = !transaction.usable() && !transaction.answered();
    if (!silent && client_.encrypted()) memory.tls_worked(host);
    if (silent && client_.gave_up_tls()) memory.tls_not_at_fault(host);
    auto meanings = transaction.meanings();
    // Another session may have shown meanwhile that it works.
    if (memory.tls_works(host) ||
        std::find(meanings.begin(), meanings.end(), Meaning::clear_text) == meanings.end())
        return;
    memory.tls_failed(host, at_.env.clock.steady(), "its TLS session ended at MAIL without a reply");
}

bool Handover::cut_off(const Outcome& why) {
    if (job_.recipients.empty()) return true;
    std::string sender = sender_of(job_);
    if (site_->memory.cut_off && *site_->memory.cut_off != sender) return false;
    site_->memory.cut_off = sender;
    // Not each of its messages has to find that out by itself.
    for (auto& [address, from] : site_->queues.all())
        for (Job& other : from.ready.extract([&](const Job& one) { return sender_of(one) == sender; })) {
            std::vector<Outcome> outcomes(other.recipients.size(), why);
            for (auto& outcome : outcomes) outcome.attempted = false;
            at_.queue.settle(other, std::move(outcomes));
        }
    return true;
}

std::optional<Job> Handover::take_out(Results& results, const std::vector<bool>& apart) {
    if (apart.empty()) return std::nullopt;
    results.take(apart);
    if (results.size() > 0) return at_.queue.split(job_, apart);
    Job out = job_;
    job_.recipients.clear();
    return out;
}

}  // namespace postern::relay
