// Which of our addresses mail leaves from, what receivers and blocklists say of them, and what follows.
#include <algorithm>

#include "relay/delivery/delivery.h"
#include "relay/egress/blocklist.h"
#include "relay/egress/reply_rules.h"
#include "relay/queue/durable_file.h"
#include "sync/base/clock.h"

namespace postern::relay {

namespace {

constexpr std::chrono::seconds slow_first{1}, slow_max{300};  // pauses of a site that asks for less

bool about_us(ReplyMeaning meaning) {
    return meaning == ReplyMeaning::listed || meaning == ReplyMeaning::listed_everywhere;
}

}  // namespace

/// Whether mail in the lane is better sent from another address by now.
bool Delivery::out_of_use(const Site& site, const Lane& lane) const {
    if (!site.pooled) return false;
    Time time = base::wall_now();
    if (!pool_.usable(lane.source.address, site.exchangers, time)) return true;
    if (settings_->egress.size() < 2 || !pool_.spent(lane.source.address, time)) return false;
    auto better = pool_.preview(site.exchangers, {}, families(site), time);
    return better.source && better.source->address != lane.source.address &&
           !pool_.spent(better.source->address, time);
}

void Delivery::told(const std::optional<EgressPool::Verdict>& verdict) {
    if (!verdict) return;
    observer_.on(event::Listed{verdict->address, verdict->site, verdict->by, verdict->text, verdict->until});
}

void Delivery::over(const std::vector<EgressPool::Verdict>& verdicts, std::string_view why) {
    for (const auto& verdict : verdicts) observer_.on(event::Unlisted{verdict.address, verdict.site, why});
}

bool Delivery::blame(const SitePtr& site, const Source& source, const Reply& reply, std::string_view host) {
    if (!site->pooled || reply.code < 400) return false;
    Judgement judgement = judge_reply(settings_->delivery.reply_rules, reply, host);
    if (!about_us(judgement.meaning)) return false;
    refused(site, source, judgement, reply);
    return true;
}

/// The rules say that it is about our address: a verdict, and another address takes the lead.
void Delivery::refused(const SitePtr& site, const Source& source, const Judgement& judgement,
                       const Reply& reply) {
    auto verdict = pool_.refused(source.address, site->exchangers, judgement, reply, base::wall_now());
    told(verdict);
    if (!verdict || settings_->egress.size() < 2 || settings_->delivery.rotation != Rotation::on_listing)
        return;
    auto next = pool_.preview(site->exchangers, {}, families(*site), base::wall_now());
    if (!next.source) return;  // told when mail has to wait for it
    leading_[site->key] = next.source->address;
    observer_.on(
        event::Rotated{site->exchangers, source.address, next.source->address, "the other is refused"});
}

/// It wants less of us: half the connections, and a pause only when nothing at all was taken since the last
/// time. What comes of transactions that were under way together counts once.
void Delivery::slow_down(const SitePtr& site) {
    Time time = base::steady_now();
    if (time - site->slowed_at < slow_first) return;
    site->slowed_at = time;
    site->window.halve();
    if (site->slowed > 0)
        site->pace.pause(time + std::min(slow_max, slow_first * (1u << std::min(site->slowed, 9u))));
    ++site->slowed;
}

void Delivery::move_on(const SitePtr& site, Lane& lane, Job& job, std::vector<Outcome>& outcomes,
                       std::string_view host) {
    std::vector<bool> apart(outcomes.size());
    bool suspected = false;
    // Who took a part of it does not ask for less, but for the rest in another transaction.
    bool any = false, slowed = std::any_of(outcomes.begin(), outcomes.end(), [](const Outcome& outcome) {
                          return outcome.result == Outcome::Result::delivered;
                      });
    for (std::size_t at = 0; at < outcomes.size(); ++at) {
        const Outcome& outcome = outcomes[at];
        if (outcome.result == Outcome::Result::delivered || outcome.reply.code < 400) continue;
        Judgement judgement = judge_reply(settings_->delivery.reply_rules, outcome.reply, host);
        if (judgement.meaning == ReplyMeaning::rate_limited && !std::exchange(slowed, true)) slow_down(site);
        // Nobody knows the text, but it was said to the sender's name alone and speaks of our address.
        suspected =
            suspected || (judgement.meaning == ReplyMeaning::unknown && outcome.reply.permanent() &&
                          outcome.stage == "mail" && job.suspect.empty() && !lane.source.address.empty() &&
                          outcome.reply.text.find(lane.source.address) != std::string::npos);
        if (!about_us(judgement.meaning)) continue;
        if (!any) refused(site, lane.source, judgement, outcome.reply);
        apart[at] = any = true;
    }
    if (suspected && !any && another_for(site, lane)) {
        Job moved = job;
        moved.suspect = lane.source.address;
        moved.suspicion = outcomes.front().reply;
        job.recipients.clear();
        outcomes.clear();
        return dispatch(std::move(moved), site);
    }
    if (!any) return;
    std::vector<Outcome> rest;
    for (std::size_t at = 0; at < outcomes.size(); ++at)
        if (!apart[at]) rest.push_back(std::move(outcomes[at]));
    Job moved = job;
    if (rest.empty())
        job.recipients.clear();
    else
        moved = queue_.split(job, apart);
    outcomes = std::move(rest);
    moved.suspect.clear();
    redistribute(site, lane);
    dispatch(std::move(moved), site);
}

bool Delivery::another_for(const SitePtr& site, const Lane& lane) const {
    auto other = pool_.preview(site->exchangers, {}, families(*site), base::wall_now(), lane.source.address);
    return other.source && other.source->address != lane.source.address;
}

bool Delivery::compare(const SitePtr& site, Lane& lane, const Reply& reply) {
    if (!site->pooled || reply.code < 500 || settings_->egress.size() < 2) return false;
    auto jobs = lane.ready.extract([](const Job& job) { return job.suspect.empty(); });
    if (jobs.empty()) return false;
    if (!another_for(site, lane)) {
        for (Job& job : jobs) lane.ready.push(std::move(job));
        return false;
    }
    for (Job& job : jobs) {
        job.suspect = lane.source.address;
        job.suspicion = reply;
        dispatch(std::move(job), site);
    }
    return true;
}

void Delivery::accepted(const SitePtr& site, const Lane& lane, const Job& job) {
    if (!site->pooled) return;
    Time time = base::wall_now();
    site->slowed = 0;
    over(pool_.accepted(lane.source.address, site->exchangers, time), "mail from it is accepted again");
    if (!job.suspect.empty() && job.suspect != lane.source.address)
        told(pool_.compared(job.suspect, site->exchangers, job.suspicion, time));
    if (settings_->egress.size() < 2 || settings_->delivery.rotation != Rotation::on_listing) return;
    auto [leader, is_new] = leading_.emplace(site->key, lane.source.address);
    if (is_new || leader->second == lane.source.address) return;
    std::string why =
        pool_.usable(leader->second, site->exchangers, time) ? "it leads again" : "the other is refused";
    observer_.on(event::Rotated{site->exchangers, leader->second, lane.source.address, why});
    leader->second = lane.source.address;
}

/// Everything in the lane's line looks for an address again.
void Delivery::redistribute(const SitePtr& site, Lane& lane) {
    for (Job& job : lane.ready.drain()) dispatch(std::move(job), site);
}

void Delivery::redistribute_all() {
    for (auto& [key, one] : std::map(sites_)) {
        if (!one->pooled) continue;
        for (auto& [address, lane] : one->lanes)
            if (out_of_use(*one, lane)) redistribute(one, lane);
    }
}

net::awaitable<void> Delivery::watch_blocklists() {
    std::map<std::string, std::string> faults;  // told once each
    while (!stopping_) {
        auto zones = settings_->delivery.blocklists;
        auto pool = settings_->egress;
        for (const auto& egress : pool) {
            if (zones.empty() || stopping_) break;
            BlocklistAnswer answer = co_await ask_blocklists(*resolver_, zones, egress.address);
            for (const auto& [zone, fault] : answer.faults) {
                if (faults[zone] == fault) continue;
                faults[zone] = fault;
                observer_.on(event::Trouble{"egress", "blocklist " + zone + ": " + fault, false});
            }
            for (const auto& zone : answer.checked) faults.erase(zone);
            auto change = pool_.blocklisted(egress.address, answer.listed, answer.checked, base::wall_now());
            for (const auto& verdict : change.listed) told(verdict);
            over(change.unlisted, "the blocklist does not name it any more");
        }
        redistribute_all();
        arm();
        blocklists_.expires_after(settings_->delivery.blocklist_every);
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
    const auto& dir = settings_->state_dir;
    auto write = [this](std::filesystem::path path, std::string text) {
        asio::post(keeper_, [this, path = std::move(path), text = std::move(text)] {
            if (auto error = replace_file(path, text))
                observer_.on(event::Trouble{"egress",
                                            "cannot write " + path.string() + ": " + error.message(), false});
        });
    };
    if (wait || pool_.changed(base::wall_now())) write(dir / egress_file, pool_.save());
    if (policies_.changed()) write(dir / policies_file, policies_.save());
    if (wait) keeper_.join();
}

}  // namespace postern::relay
