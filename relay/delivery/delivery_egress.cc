// Which of our addresses mail leaves from, what receivers and blocklists say of them, and what follows.
#include <algorithm>

#include "relay/delivery/delivery.h"
#include "relay/egress/blocklist.h"
#include "relay/egress/reply_rules.h"
#include "relay/net/addresses.h"
#include "sync/base/clock.h"

namespace postern::relay {

namespace {

std::string domain_of(const Job& job) {
    return job.route.starts_with("mx:") ? job.route.substr(3) : std::string();
}

/// Whose word it is: the host's network, and who owns the name.
std::string witness(const asio::ip::address& address, std::string_view name) {
    return network_of(address, 48) + ' ' + owner_of(name);
}

bool about_us(ReplyMeaning meaning) {
    return meaning == ReplyMeaning::listed || meaning == ReplyMeaning::listed_everywhere;
}

}  // namespace

/// Whether mail in the lane is better sent from another address by now.
bool Delivery::out_of_use(const Site& site, const SourceQueue& from) const {
    if (!site.hosts().pooled) return false;
    Time time = base::wall_now();
    if (!pool_.usable(from.source.address, site.hosts().exchangers, time)) return true;
    if (env_.settings->egress.size() < 2 || !pool_.spent(from.source.address, time)) return false;
    auto better = pool_.preview(site.hosts().exchangers, {}, families(site), time);
    return better.source && better.source->address != from.source.address &&
           !pool_.spent(better.source->address, time);
}

void Delivery::told(const std::optional<EgressPool::Verdict>& verdict) {
    if (!verdict) return;
    env_.observer.on(
        event::Listed{verdict->address, verdict->site, verdict->by, verdict->text, verdict->until});
}

void Delivery::over(const std::vector<EgressPool::Verdict>& verdicts, std::string_view why) {
    for (const auto& verdict : verdicts)
        env_.observer.on(event::Unlisted{verdict.address, verdict.site, why});
}

bool Delivery::blame(const SitePtr& site, const Source& source, const Reply& reply, const Target& target) {
    if (!site->hosts().pooled || reply.code < 400) return false;
    OwnWords own;
    own.names.push_back(source.hostname);
    Judgement judgement = judge_reply(env_.settings->delivery.reply_rules, reply, target.host, own);
    if (!about_us(judgement.meaning)) return false;
    // No mail was named: it can only be about us.
    refused(site, source, judgement, reply,
            {Place(site->hosts().exchangers), witness(target.endpoint.address(), target.host)});
    return true;
}

Judgement Delivery::judge(const Job& job, std::size_t recipient, const Outcome& outcome, const Source& source,
                          std::string_view host) const {
    const Message& message = job.message->stored->message;
    OwnWords own;
    own.senders = {message.envelope.reverse_path, message.envelope.sent_as};
    own.names = {source.hostname, message.id.text()};
    if (outcome.stage != "mail") own.recipient = message.envelope.forward_paths[recipient];
    return judge_reply(env_.settings->delivery.reply_rules, outcome.reply, host, own);
}

/// The rules say that it is about our address: a verdict, and another address takes the lead.
void Delivery::refused(const SitePtr& site, const Source& source, const Judgement& judgement,
                       const Reply& reply, const EgressPool::Refuser& who) {
    auto verdict = pool_.refused(source.address, who, judgement, reply, base::wall_now());
    told(verdict);
    // The list that is named may be one that is asked: it knows for certain.
    if (verdict && judgement.meaning == ReplyMeaning::listed_everywhere) blocklists_.cancel();
    if (!verdict || env_.settings->egress.size() < 2 ||
        env_.settings->delivery.rotation != Rotation::on_listing)
        return;
    auto next = pool_.preview(who.place, {}, families(*site), base::wall_now());
    if (!next.source) return;  // told when mail has to wait for it
    bool one_domain = verdict->site.starts_with('@');
    if (!one_domain) leading_[site->key] = next.source->address;
    env_.observer.on(event::Rotated{one_domain ? verdict->site : site->hosts().exchangers, source.address,
                                    next.source->address, "the other is refused"});
}

bool Delivery::taken_at_its_word(const SitePtr& site, const Job& job, std::size_t recipient,
                                 const Source& source, const Outcome& outcome, std::string_view host) const {
    if (!outcome.reply.permanent()) return false;
    // Twice: nobody's listing, or one that will not end with waiting.
    const RecipientProgress& before = job.message->progress[recipient];
    Outcome last;
    last.reply = before.reply;
    last.stage = before.stage;
    if (last.reply.permanent() && about_us(judge(job, recipient, last, source, host).meaning)) return true;
    // All of them, by somebody who had been told whom it is for.
    if (outcome.stage == "mail" || env_.settings->egress.size() < 2) return false;
    Families reach = families_of(site->hosts().targets);
    return std::all_of(env_.settings->egress.begin(), env_.settings->egress.end(),
                       [&](const EgressSettings& one) {
                           bool six = one.address.find(':') != std::string::npos;
                           return one.suspended || !(six ? reach.six : reach.four) ||
                                  one.address == source.address || job.refused_from.contains(one.address);
                       });
}

Delivery::Words Delivery::weigh(const SitePtr& site, const SourceQueue& from, const Job& job,
                                Results& results, const Target& target) {
    Words out;
    results.listed.assign(results.size(), false);
    // Who took a part of it does not ask for less, but for the rest in another transaction.
    bool slowed = results.delivered();
    const std::string domain = domain_of(job);
    for (std::size_t at = 0; at < results.size(); ++at) {
        Outcome& outcome = results.outcomes[at];
        if (outcome.result == Outcome::Result::delivered || outcome.reply.code < 400) continue;
        std::size_t recipient = job.recipients[at];
        Judgement judgement = judge(job, recipient, outcome, from.source, target.host);
        if (judgement.meaning == ReplyMeaning::rate_limited && !std::exchange(slowed, true))
            site->flow.slow_down(base::steady_now());
        // Nobody knows the text, but it was said to the sender's name alone and speaks of our address.
        out.suspected = out.suspected ||
                        (judgement.meaning == ReplyMeaning::unknown && outcome.reply.permanent() &&
                         outcome.stage == "mail" && job.suspect.empty() && !from.source.address.empty() &&
                         outcome.reply.text.find(from.source.address) != std::string::npos);
        if (!about_us(judgement.meaning)) continue;
        if (!std::exchange(out.listed, true)) {
            bool named = outcome.stage != "mail";
            refused(site, from.source, judgement, outcome.reply,
                    {Place(site->hosts().exchangers, named ? domain : std::string()),
                     witness(target.endpoint.address(), domain)});
        }
        if (taken_at_its_word(site, job, recipient, from.source, outcome, target.host)) continue;
        results.listed[at] = true;
        // Should no other address be left, it waits with these words.
        if (outcome.result == Outcome::Result::failed) outcome.result = Outcome::Result::deferred;
    }
    out.suspected = out.suspected && !out.listed;
    return out;
}

bool Delivery::another_address(const SitePtr& site, const Job& job) {
    auto next =
        pool_.preview(Place(site->hosts().exchangers, domain_of(job)), {}, families(*site), base::wall_now());
    // This mail waits for itself, so that what finds out whether it is over is other mail.
    if (!next.source) put_off(job.route, next);
    return next.source && !job.refused_from.contains(next.source->address);
}

void Delivery::put_off(const std::string& route, const EgressPool::Choice& choice) {
    if (!route.starts_with("mx:")) return;
    DestinationPtr to = destination(route, TlsWish::none);
    if (to->listed.down) return;
    auto pause = std::clamp<Time::duration>(choice.again - base::wall_now(), std::chrono::seconds(1),
                                            std::chrono::hours(1));
    ++to->listed.failures;
    to->listed.down = true;
    to->listed.trouble = choice.why;
    to->listed.next_try = base::steady_now() + pause;
    env_.observer.on(event::Rotated{route.substr(3), {}, {}, choice.why});
    alarms_.set(to, to->listed.next_try);
}

bool Delivery::another_for(const SitePtr& site, const SourceQueue& from) const {
    auto other =
        pool_.preview(site->hosts().exchangers, {}, families(*site), base::wall_now(), from.source.address);
    return other.source && other.source->address != from.source.address;
}

bool Delivery::compare(const SitePtr& site, SourceQueue& from, const Reply& reply) {
    if (!site->hosts().pooled || reply.code < 500 || env_.settings->egress.size() < 2) return false;
    auto jobs = from.ready.extract([](const Job& job) { return job.suspect.empty(); });
    if (jobs.empty()) return false;
    if (!another_for(site, from)) {
        for (Job& job : jobs) from.ready.push(std::move(job));
        return false;
    }
    for (Job& job : jobs) {
        job.suspect = from.source.address;
        job.suspicion = reply;
        dispatch(std::move(job), site);
    }
    return true;
}

void Delivery::accepted(const SitePtr& site, const SourceQueue& from, const Job& job) {
    if (!site->hosts().pooled) return;
    Time time = base::wall_now();
    site->flow.took();
    Place place(site->hosts().exchangers, domain_of(job));
    over(pool_.accepted(from.source.address, place, time), "mail from it is accepted again");
    if (auto known = destinations_.find({job.route, TlsWish::none});
        known != destinations_.end() && std::exchange(known->second->listed, {}).failures > 0) {
        site->routes_without_room.add(job.route);
        refill(site);
    }
    if (!job.suspect.empty() && job.suspect != from.source.address)
        told(pool_.compared(job.suspect, site->hosts().exchangers, job.suspicion, time));
    if (env_.settings->egress.size() < 2 || env_.settings->delivery.rotation != Rotation::on_listing) return;
    auto [leader, is_new] = leading_.emplace(site->key, from.source.address);
    if (is_new || leader->second == from.source.address) return;
    // It leads for the rest of the site's mail.
    if (pool_.usable(leader->second, site->hosts().exchangers, time) &&
        !pool_.usable(leader->second, place, time))
        return;
    std::string why = pool_.usable(leader->second, site->hosts().exchangers, time) ? "it leads again"
                                                                                   : "the other is refused";
    env_.observer.on(event::Rotated{site->hosts().exchangers, leader->second, from.source.address, why});
    leader->second = from.source.address;
}

/// Everything in the lane's line looks for an address again.
void Delivery::redistribute(const SitePtr& site, SourceQueue& from) {
    for (Job& job : from.ready.drain()) dispatch(std::move(job), site);
}

void Delivery::redistribute_all() {
    for (auto& [key, one] : std::map(sites_)) {
        if (!one->hosts().pooled) continue;
        for (auto& [address, from] : one->queues())
            if (out_of_use(*one, from)) redistribute(one, from);
    }
}

net::awaitable<void> Delivery::watch_blocklists() {
    std::map<std::string, std::string> faults;  // told once each
    while (!env_.stopping) {
        auto zones = env_.settings->delivery.blocklists;
        auto pool = env_.settings->egress;
        for (const auto& egress : pool) {
            if (zones.empty() || env_.stopping) break;
            BlocklistAnswer answer = co_await ask_blocklists(names_.resolver(), zones, egress.address);
            for (const auto& [zone, fault] : answer.faults) {
                if (faults[zone] == fault) continue;
                faults[zone] = fault;
                env_.observer.on(event::Trouble{"egress", "blocklist " + zone + ": " + fault, false});
            }
            for (const auto& zone : answer.checked) faults.erase(zone);
            auto change = pool_.blocklisted(egress.address, answer.listed, answer.checked, base::wall_now());
            for (const auto& verdict : change.listed) told(verdict);
            over(change.unlisted, "the blocklist does not name it any more");
        }
        redistribute_all();
        alarms_.arm();
        blocklists_.expires_after(env_.settings->delivery.blocklist_every);
        co_await blocklists_.async_wait(net::as_value);
    }
}

std::vector<EgressView> Delivery::egress() const { return pool_.views(base::wall_now()); }

bool Delivery::absolve(const std::string& address, const std::string& site) {
    if (!pool_.absolve(address, site)) return false;
    retry_destinations({});
    return true;
}

/// Writes down what was learnt; with `wait` it is on disk when this returns.
void Delivery::persist(bool wait) {
    if (wait || pool_.changed(base::wall_now()))
        learnt_.write(egress_file, pool_.save(), [this](const std::string& what) {
            env_.observer.on(event::Trouble{"egress", what, false});
        });
    names_.persist();
    if (wait) learnt_.finish();
}

}  // namespace postern::relay
