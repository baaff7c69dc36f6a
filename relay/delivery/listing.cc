#include "relay/delivery/listing.h"

#include <algorithm>
#include <utility>

#include "relay/egress/blocklist.h"
#include "relay/egress/reply_rules.h"
#include "relay/mail/stage.h"
#include "relay/net/addresses.h"
#include "sync/base/ip_address.h"

namespace postern::relay {

namespace {

/// Whose word it is: the host's network, and who owns the name.
std::string witness(const asio::ip::address& address, std::string_view name) {
    return network_of(address, 48) + ' ' + owner_of(name);
}

bool about_us(ReplyMeaning meaning) {
    return meaning == ReplyMeaning::listed || meaning == ReplyMeaning::listed_everywhere;
}

}  // namespace

Listing::Listing(Environment& env, Sources& sources, Names& names)
    : env_(env), sources_(sources), pool_(sources.pool()), names_(names), pause_(env.io, env.clock) {}

void Listing::announce_listing(const std::optional<EgressPool::Verdict>& verdict) {
    if (!verdict) return;
    env_.observer.on(
        event::Listed{verdict->address, verdict->site, verdict->by, verdict->text, verdict->until});
}

void Listing::announce_unlisting(const std::vector<EgressPool::Verdict>& verdicts, std::string_view why) {
    for (const auto& verdict : verdicts)
        env_.observer.on(event::Unlisted{verdict.address, verdict.site, why});
}

bool Listing::learn_from_reply(const Site& site, const Source& source, const Reply& reply,
                               const Target& target) {
    if (!site.hosts().pooled || reply.code < 400) return false;
    OwnWords own;
    own.names.push_back(source.hostname);
    Judgement judgement = judge_reply(env_.settings->delivery.reply_rules, reply, target.host, own);
    if (!about_us(judgement.meaning)) return false;
    // No mail was named: it can only be about us.
    apply_judgement(site, source, judgement, reply,
                    {SitePart(site.hosts().exchangers), witness(target.endpoint.address(), target.host)});
    return true;
}

Judgement Listing::judge(const Job& job, std::size_t recipient, const Outcome& outcome, const Source& source,
                         std::string_view host) const {
    const Message& message = job.message->stored->message;
    OwnWords own;
    own.senders = {message.envelope.reverse_path, message.envelope.sent_as};
    own.names = {source.hostname, message.id.text()};
    if (outcome.stage != Stage::mail) own.recipient = message.envelope.forward_paths[recipient];
    return judge_reply(env_.settings->delivery.reply_rules, outcome.reply, host, own);
}

/// The rules say that it is about our address: a verdict, and another address takes the lead.
void Listing::apply_judgement(const Site& site, const Source& source, const Judgement& judgement,
                              const Reply& reply, const EgressPool::Refuser& who) {
    auto verdict = pool_.refused(source.address, who, judgement, reply, env_.clock.wall());
    announce_listing(verdict);
    // The list that is named may be one that is asked: it knows for certain.
    if (verdict && judgement.meaning == ReplyMeaning::listed_everywhere) pause_.cancel();
    if (!verdict || env_.settings->egress.size() < 2 ||
        env_.settings->delivery.rotation != Rotation::on_listing)
        return;
    auto next = pool_.preview(who.place, {}, sources_.families(site), env_.clock.wall());
    if (!next.source) return;  // told when mail has to wait for it
    bool one_domain = verdict->site.starts_with('@');
    if (!one_domain) leading_[site.key] = next.source->address;
    env_.observer.on(event::Rotated{one_domain ? verdict->site : site.hosts().exchangers, source.address,
                                    next.source->address, "the other is refused"});
}

bool Listing::taken_at_its_word(const Site& site, const Job& job, std::size_t recipient, const Source& source,
                                const Outcome& outcome, std::string_view host) const {
    if (!outcome.reply.permanent()) return false;
    // Twice: nobody's listing, or one that will not end with waiting.
    const RecipientProgress& before = job.message->progress[recipient];
    Outcome last;
    last.reply = before.reply;
    last.stage = stage_of(before.stage);
    if (last.reply.permanent() && about_us(judge(job, recipient, last, source, host).meaning)) return true;
    // All of them, by somebody who had been told whom it is for.
    if (outcome.stage == Stage::mail || env_.settings->egress.size() < 2) return false;
    Families reach = families_of(site.hosts().targets);
    return std::all_of(env_.settings->egress.begin(), env_.settings->egress.end(),
                       [&](const EgressSettings& one) {
                           bool six = base::is_v6_literal(one.address);
                           return one.suspended || !(six ? reach.six : reach.four) ||
                                  one.address == source.address || job.refused_from.contains(one.address);
                       });
}

Listing::Words Listing::weigh(Site& site, const Source& source, const Job& job, Results& results,
                              const Target& target) {
    Words out;
    results.listed.assign(results.size(), false);
    // Who took a part of it does not ask for less, but for the rest in another transaction.
    bool slowed = results.delivered(), doubted = false;
    const std::string domain = domain_of(job);
    for (std::size_t at = 0; at < results.size(); ++at) {
        Outcome& outcome = results.outcomes[at];
        if (outcome.result == Outcome::Result::delivered || outcome.reply.code < 400) continue;
        std::size_t recipient = job.recipients[at];
        Judgement judgement = judge(job, recipient, outcome, source, target.host);
        if (judgement.meaning == ReplyMeaning::rate_limited && !std::exchange(slowed, true))
            site.flow.slow_down(env_.clock.steady());
        doubted = doubted || judgement.meaning == ReplyMeaning::rate_limited ||
                  judgement.meaning == ReplyMeaning::content || about_us(judgement.meaning);
        // Nobody knows the text, but it was said to the sender's name alone and speaks of our address.
        out.suspected = out.suspected ||
                        (judgement.meaning == ReplyMeaning::unknown && outcome.reply.permanent() &&
                         outcome.stage == Stage::mail && job.suspect.empty() && !source.address.empty() &&
                         outcome.reply.text.find(source.address) != std::string::npos);
        if (!about_us(judgement.meaning)) continue;
        if (!std::exchange(out.listed, true)) {
            bool named = outcome.stage != Stage::mail;
            apply_judgement(site, source, judgement, outcome.reply,
                            {SitePart(site.hosts().exchangers, named ? domain : std::string()),
                             witness(target.endpoint.address(), domain)});
        }
        if (taken_at_its_word(site, job, recipient, source, outcome, target.host)) continue;
        results.listed[at] = true;
        // Should no other address be left, it waits with these words.
        if (outcome.result == Outcome::Result::failed) outcome.result = Outcome::Result::deferred;
    }
    if (doubted) pool_.put_off(source.address, {site.hosts().exchangers, domain}, env_.clock.wall());
    out.suspected = out.suspected && !out.listed;
    return out;
}

void Listing::accepted(Site& site, const Source& source, const Job& job) {
    if (!site.hosts().pooled) return;
    Time time = env_.clock.wall();
    site.flow.took();
    SitePart place(site.hosts().exchangers, domain_of(job));
    announce_unlisting(pool_.accepted(source.address, place, time), "mail from it is accepted again");
    if (!job.suspect.empty() && job.suspect != source.address)
        announce_listing(pool_.compared(job.suspect, site.hosts().exchangers, job.suspicion, time));
    if (env_.settings->egress.size() < 2 || env_.settings->delivery.rotation != Rotation::on_listing) return;
    if (!source.address.empty() && source.address == env_.settings->delivery.suspects) return;
    auto [leader, is_new] = leading_.emplace(site.key, source.address);
    if (is_new || leader->second == source.address) return;
    // It leads for the rest of the site's mail.
    if (pool_.usable(leader->second, site.hosts().exchangers, time) &&
        !pool_.usable(leader->second, place, time))
        return;
    std::string why = pool_.usable(leader->second, site.hosts().exchangers, time) ? "it leads again"
                                                                                  : "the other is refused";
    env_.observer.on(event::Rotated{site.hosts().exchangers, leader->second, source.address, why});
    leader->second = source.address;
}

void Listing::none_left(const Site& site, const std::string& why) {
    auto leader = leading_.find(site.key);
    env_.observer.on(event::Rotated{
        site.hosts().exchangers, leader == leading_.end() ? std::string_view() : leader->second, {}, why});
}

void Listing::forget(const std::function<bool(const std::string& site)>& gone) {
    std::erase_if(leading_, [&](const auto& entry) { return gone(entry.first); });
}

net::awaitable<void> Listing::watch(std::function<void()> asked) {
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
                env_.observer.on(
                    event::Trouble{event::Area::egress, "blocklist " + zone + ": " + fault, false});
            }
            for (const auto& zone : answer.checked) faults.erase(zone);
            auto change = pool_.blocklisted(egress.address, answer.listed, answer.checked, env_.clock.wall());
            for (const auto& verdict : change.listed) announce_listing(verdict);
            announce_unlisting(change.unlisted, "the blocklist does not name it any more");
        }
        asked();
        pause_.expires_after(env_.settings->delivery.blocklist_every);
        co_await pause_.async_wait(net::as_value);
    }
}

}  // namespace postern::relay
