// A connection for a site: which of its hosts, in which order, and what follows when none can be had.
#include <algorithm>
#include <tuple>

#include "relay/delivery/delivery.h"
#include "relay/delivery/route.h"
#include "relay/queue/schedule.h"
#include "sync/base/clock.h"

namespace postern::relay {

namespace {

constexpr std::chrono::minutes targets_age{5};
constexpr std::chrono::seconds crowded_patience{20};   // for the greeting, while others wait
constexpr std::chrono::seconds other_family_after{5};  // a host that has both

}  // namespace

Client::Options Delivery::client_options(const Source& source) {
    const DeliverySettings& delivery = env_.settings->delivery;
    return {source,
            names_.tls(),
            delivery.connect_timeout,
            delivery.command_timeout,
            delivery.data_timeout,
            &contents_.files(),
            {}};
}

namespace {

bool of_host(const Target& target, const std::string& host, bool six) {
    return target.host == host && is_six(target) == six;
}

}  // namespace

/// What is known of the host's TLS.
void Delivery::know_tls(const Site& site, const Target& target, Client::Options& options) {
    options.tls_failed = site.memory.tls_fault(target.endpoint, base::steady_now());
    options.tls_works = site.memory.tls_works(target.endpoint);
}

/// All hosts said that they take no mail of ours: it needs no days of waiting for the sender to hear that.
void Delivery::refused_for_good(const SitePtr& site, SourceQueue& from, Outcome why) {
    why.result = Outcome::Result::failed;
    site->forget_trouble();
    settle_all(from.ready.drain(), why);
    refill(site);
}

/// In the order they are tried: those that failed lately come last, those that the source cannot reach do
/// not.
std::vector<Target> Delivery::targets_from(const Site& site, const Source& source) {
    std::vector<Target> out;
    Time time = base::steady_now();
    const bool six = is_six(source);
    for (const auto& target : site.hosts().targets)
        if (source.address.empty() || is_six(target) == six) out.push_back(target);
    std::map<std::string, std::uint32_t> lot;
    for (const auto& target : out) lot.emplace(target.host, static_cast<std::uint32_t>(env_.random()));
    Families usual = sources_.families(site);
    auto place = [&](const Target& target) {
        bool unusual = !(is_six(target) ? usual.six : usual.four);
        return std::tuple(target.preference, lot[target.host], unusual);
    };
    std::stable_sort(out.begin(), out.end(),
                     [&](const Target& a, const Target& b) { return place(a) < place(b); });
    std::stable_partition(out.begin(), out.end(),
                          [&](const Target& target) { return !site.memory.doubtful(target.endpoint, time); });
    return out;
}

// ---- which mail may go there

bool Delivery::gives_way(const Site& site, const Client& client) {
    if (client.target().origin != site.hosts().origin) return true;
    return client.transactions > 0 && connections_.gives_way(site);
}

std::string Delivery::lane_of(const Site& site, const Job& job) const {
    return job.route == all_gateways ? site.hosts().route : job.route;
}

/// Sites are told apart by what may be connected to, so that this never fails; whoever changes what tells
/// them apart finds out here, and not by mail that went to the wrong host.
bool Delivery::meant_for(const Site& site, const Client& client, const Job& job) const {
    auto to = destinations_.find({lane_of(site, job), tls_wish(job.message->stored->message.envelope)});
    return to != destinations_.end() && permits(to->second->hosts, client.target());
}

void Delivery::turn_away(const SitePtr& site, const Client& client, Job job) {
    std::string key = lane_of(*site, job);
    DestinationPtr to = destination(key, tls_wish(job.message->stored->message.envelope));
    if (to->site != site || to->hosts.empty()) return enter(std::move(job), key);
    Outcome why;
    why.stage = "connect";
    why.reason = client.target().text() + " is no host that this mail may go to";
    queue_.settle(job, std::vector<Outcome>(job.recipients.size(), why));
}

void Delivery::spoils(Site& site, const net::Endpoint& endpoint) {
    const unsigned times = site.memory.failures(endpoint) + 1;
    site.memory.failed(endpoint, base::steady_now(), pause_after(env_.settings->queue, times, 0));
}

/// A site that is always busy hears of changes too. False when its routes lead elsewhere by now.
net::awaitable<bool> Delivery::look_up_again(SitePtr site) {
    if (base::steady_now() - site->hosts().looked_up < targets_age) co_return true;
    SettingsPtr settings;
    Targets targets;
    while (settings != env_.settings) {
        settings = env_.settings;
        targets = co_await find_targets(names_.surroundings(site->hosts().route), site->hosts().route,
                                        site->hosts().wish);
        if (env_.stopping) co_return false;
    }
    if (targets.list.empty() && site->hosts().targets.empty()) {
        // They were those of other settings.
        Outcome why;
        why.stage = "dns";
        why.reason = targets.trouble.text;
        fails(site, why, 0, base::steady_now());
        co_return false;
    }
    if (targets.list.empty() || targets.site == site->key) {
        site->believe(base::steady_now());
        if (!targets.list.empty())
            adopt(site, std::string(site->hosts().route), site->hosts().wish, std::move(targets));
        co_return true;
    }
    for (auto& [key, one] : destinations_)
        if (one->site == site) one->fresh_until = {};
    for (Job& job : site->drain()) {
        std::string key = lane_of(*site, job);
        enter(std::move(job), key);
    }
    co_return false;
}

/// A host that is not there by one family may be by the other: no time is lost with the first (RFC 8305).
std::chrono::seconds Delivery::patience(const Site& site, const SourceQueue& from, const Target& target,
                                        std::span<const Target> rest) const {
    bool six = is_six(target);
    Families usual = sources_.families(site);
    auto good = [&](const Target& next) {
        return of_host(next, target.host, !six) && !site.memory.doubtful(next.endpoint, base::steady_now());
    };
    bool other =
        from.source.address.empty() ? std::any_of(rest.begin(), rest.end(), good) : usual.four && usual.six;
    auto whole = env_.settings->delivery.connect_timeout;
    return other ? std::min<std::chrono::seconds>(whole, other_family_after) : whole;
}

net::awaitable<std::unique_ptr<Client>> Delivery::connect(SitePtr site, SourceQueue& from) {
    if (!co_await look_up_again(site)) co_return nullptr;
    Time begun = base::steady_now();
    if (sources_.unusual(*site, from.source) || sources_.out_of_use(*site, from)) {
        redistribute(site, from);
        co_return nullptr;
    }
    Outcome why;
    why.egress = from.source.address;
    why.stage = "connect";
    why.reason = "no host can be reached from " + from.source.address;
    auto options = client_options(from.source);
    Reply refused;
    bool all_refused = true, for_good = site->hosts().pooled;
    auto targets = targets_from(*site, from.source);
    for (auto at = targets.begin(); at != targets.end();) {
        const Target& target = *at;
        if (env_.stopping) co_return nullptr;
        Refusal refusal;
        const bool crowded = connections_.crowded(*site);
        options.greeting_patience = crowded ? crowded_patience : std::chrono::seconds(0);
        options.connect_patience = patience(*site, from, target, {at + 1, targets.end()});
        know_tls(*site, target, options);
        options.login = target.login;
        auto client = co_await Client::open(env_.io, target, options, refusal);
        if (client && target.origin != site->hosts().origin) co_return nullptr;  // changed meanwhile
        if (client) {
            sources_.reached(*site, target, begun);
            if (std::string fault = client->would_fail();
                fault != std::exchange(site->last_policy_fault, fault) && !fault.empty())
                env_.observer.on(event::Trouble{"tls", fault, false});
            co_return client;
        }
        if (refusal.ours) {
            // It says nothing about the destination, whose mail stays in line.
            env_.tell_our_trouble("no connection can be opened: " + refusal.reason);
            asio::steady_timer pause(env_.io, std::chrono::seconds(1));
            co_await pause.async_wait(net::as_value);
            continue;
        }
        if (refusal.no_source) {
            // Another of our addresses may be there.
            sources_.absent(from.source);
            env_.observer.on(event::Trouble{"egress", refusal.reason, false});
            redistribute(site, from);
            co_return nullptr;
        }
        spoils(*site, target.endpoint);
        // By the other family at once.
        auto same = std::find_if(at + 1, targets.end(),
                                 [&](const Target& next) { return next.preference != target.preference; });
        std::stable_partition(
            at + 1, same, [&](const Target& next) { return !of_host(next, target.host, is_six(target)); });
        if (listing_.learn_from_reply(*site, from.source, refusal.reply, target)) {
            redistribute(site, from);
            co_return nullptr;
        }
        why.host = target.text();
        why.stage = refusal.stage;
        why.reply = refusal.reply;
        why.reason = refusal.reason;
        // A host that refuses the session has not refused this mail: others may take it, now or later.
        if (why.reply.permanent() && why.reason.empty()) why.reason = "the host refuses our connection";
        for_good = for_good && refusal.meaning == Meaning::host_for_good;
        if (refusal.reply.permanent())
            refused = refusal.reply;
        else
            all_refused = false;
        ++at;
    }
    if (all_refused && refused.code != 0 && compare(site, from, refused)) co_return nullptr;
    if (for_good && refused.code != 0 && site->established() == 0) {
        refused_for_good(site, from, std::move(why));
        co_return nullptr;
    }
    if (sources_.family_failed(*site, from.source, begun)) {
        redistribute(site, from);
        co_return nullptr;
    }
    fails(site, why, site->established(), begun);
    co_return nullptr;
}

net::awaitable<std::unique_ptr<Client>> Delivery::connect_elsewhere(SitePtr site, SourceQueue& from,
                                                                    const SecondOpinion& open) {
    auto options = client_options(from.source);
    for (const Target& target : targets_from(*site, from.source)) {
        if (env_.stopping) break;
        if (target.endpoint == open.asked) continue;
        Refusal refusal;
        know_tls(*site, target, options);
        options.login = target.login;
        auto client = co_await Client::open(env_.io, target, options, refusal);
        if (client) co_return client;
        if (!refusal.ours) spoils(*site, target.endpoint);
    }
    co_return nullptr;
}

}  // namespace postern::relay
