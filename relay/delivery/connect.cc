#include "relay/delivery/connect.h"

#include <algorithm>
#include <map>
#include <span>
#include <tuple>
#include <utility>
#include <vector>

#include "relay/delivery/connections.h"
#include "relay/delivery/contents.h"
#include "relay/delivery/environment.h"
#include "relay/delivery/listing.h"
#include "relay/delivery/names.h"
#include "relay/delivery/sources.h"
#include "relay/delivery/tls_sessions.h"
#include "relay/queue/schedule.h"

namespace postern::relay {

namespace {

constexpr std::chrono::seconds crowded_patience{20};   // for the greeting, while others wait
constexpr std::chrono::seconds other_family_after{5};  // a host that has both

bool of_host(const Target& target, const std::string& host, bool six) {
    return target.host == host && is_six(target) == six;
}

Client::Options options_for(Workplace& at, const Source& source) {
    const DeliverySettings& delivery = at.env.settings->delivery;
    return {source,
            at.names.tls(),
            delivery.connect_timeout,
            delivery.command_timeout,
            delivery.data_timeout,
            at.env.workers.reading,
            {}};
}

/// What is known of the host.
void know(const Workplace& at, const Site& site, const Target& target, Client::Options& options) {
    options.tls_failed = site.memory.tls_fault(target.endpoint, at.env.clock.steady());
    options.tls_works = site.memory.tls_works(target.endpoint);
    options.login = target.login;
}

/// In the order they are tried: those that failed lately come last, those that the source cannot reach do
/// not.
std::vector<Target> targets_from(Workplace& at, const Site& site, const Source& source) {
    std::vector<Target> out;
    Time time = at.env.clock.steady();
    const bool six = is_six(source);
    for (const auto& target : site.hosts().targets)
        if (source.address.empty() || is_six(target) == six) out.push_back(target);
    std::map<std::string, std::uint32_t> lot;
    for (const auto& target : out) lot.emplace(target.host, static_cast<std::uint32_t>(at.env.random()));
    Families usual = at.sources.families(site);
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

/// A host that is not there by one family may be by the other: no time is lost with the first (RFC 8305).
std::chrono::seconds patience(Workplace& at, const Site& site, const Source& source, const Target& target,
                              std::span<const Target> rest) {
    Families usual = at.sources.families(site);
    auto good = [&](const Target& next) {
        return of_host(next, target.host, !is_six(target)) &&
               !site.memory.doubtful(next.endpoint, at.env.clock.steady());
    };
    bool other =
        source.address.empty() ? std::any_of(rest.begin(), rest.end(), good) : usual.four && usual.six;
    auto whole = at.env.settings->delivery.connect_timeout;
    return other ? std::min<std::chrono::seconds>(whole, other_family_after) : whole;
}

/// Of those that are left, the same host by its other family goes first.
void other_family_first(std::span<Target> left, const Target& failed) {
    const auto same = std::find_if(left.begin(), left.end(),
                                   [&](const Target& one) { return one.preference != failed.preference; });
    std::stable_partition(left.begin(), same,
                          [&](const Target& one) { return !of_host(one, failed.host, is_six(failed)); });
}

net::awaitable<void> pause(const Workplace& at, std::chrono::seconds time) {
    net::Timer timer(at.env.io, at.env.clock);
    timer.expires_after(time);
    co_await timer.async_wait(net::as_value);
}

void note_failure(Workplace& at, Site& site, const net::Endpoint& endpoint) {
    const unsigned times = site.memory.failures(endpoint) + 1;
    site.memory.failed(endpoint, at.env.clock.steady(), pause_after(at.env.settings->queue, times, 0));
}

void tell_policy_fault(Workplace& at, Site& site, const Client& client) {
    std::string fault = client.would_fail();
    if (fault != std::exchange(site.memory.last_policy_fault, fault) && !fault.empty())
        at.env.observer.on(event::Trouble{event::Area::tls, fault, false});
}

void note(ConnectFailure& failure, const Target& target, const Refusal& refusal) {
    failure.why.host = target.text();
    failure.why.stage = refusal.stage;
    failure.why.reply = refusal.reply;
    failure.why.reason = refusal.reason;
    // A host that refuses the session has not refused this mail: others may take it, now or later.
    if (refusal.reply.permanent() && refusal.reason.empty())
        failure.why.reason = "the host refuses our connection";
    failure.for_good = failure.for_good && refusal.meaning == Meaning::host_for_good;
    if (refusal.reply.permanent())
        failure.refused = refusal.reply;
    else
        failure.all_refused = false;
}

}  // namespace

net::awaitable<std::unique_ptr<Client>> connect(Workplace& at, SitePtr site, SourceQueue& from,
                                                ConnectFailure& failure) {
    using Kind = ConnectFailure::Kind;
    failure = {};
    failure.begun = at.env.clock.steady();
    failure.kind = Kind::other_source;
    if (at.sources.unusual(*site, from.source) || at.sources.out_of_use(*site, from)) co_return nullptr;
    failure.why.egress = from.source.address;
    failure.why.stage = Stage::connect;
    failure.why.reason = "no host can be reached from " + from.source.address;
    failure.for_good = site->hosts().pooled;
    auto options = options_for(at, from.source);
    auto targets = targets_from(at, *site, from.source);
    for (auto next = targets.begin(); next != targets.end();) {
        const Target& target = *next;
        if (at.env.stopping) {
            failure.kind = Kind::dropped;
            co_return nullptr;
        }
        options.greeting_patience =
            at.connections.crowded(*site) ? crowded_patience : std::chrono::seconds(0);
        options.connect_patience = patience(at, *site, from.source, target, {next + 1, targets.end()});
        know(at, *site, target, options);
        Refusal refusal;
        auto client = co_await Client::open(at.env.carriers.next(), at.env.clock, at.env.outside, target,
                                            options, refusal);
        if (client && target.origin != site->hosts().origin) {  // changed meanwhile
            failure.kind = Kind::dropped;
            co_return nullptr;
        }
        if (client) {
            at.sources.reached(*site, target, failure.begun);
            tell_policy_fault(at, *site, *client);
            co_return client;
        }
        if (refusal.ours) {
            // It says nothing about the destination, whose mail stays in line.
            at.env.tell_our_trouble("no connection can be opened: " + refusal.reason);
            co_await pause(at, std::chrono::seconds(1));
            continue;
        }
        if (refusal.no_source) {
            // Another of our addresses may be there.
            at.sources.absent(from.source);
            at.env.observer.on(event::Trouble{event::Area::egress, refusal.reason, false});
            co_return nullptr;
        }
        note_failure(at, *site, target.endpoint);
        count_failed_session(at, *site, from, target, refusal);
        other_family_first({next + 1, targets.end()}, target);
        if (at.listing.learn_from_reply(*site, from.source, refusal.reply, target)) co_return nullptr;
        note(failure, target, refusal);
        ++next;
    }
    failure.kind = Kind::hosts;
    co_return nullptr;
}

net::awaitable<std::unique_ptr<Client>> connect_elsewhere(Workplace& at, SitePtr site, SourceQueue& from,
                                                          net::Endpoint asked) {
    auto options = options_for(at, from.source);
    for (const Target& target : targets_from(at, *site, from.source)) {
        if (at.env.stopping) break;
        if (target.endpoint == asked) continue;
        know(at, *site, target, options);
        Refusal refusal;
        auto client = co_await Client::open(at.env.carriers.next(), at.env.clock, at.env.outside, target,
                                            options, refusal);
        if (client) co_return client;
        if (!refusal.ours) note_failure(at, *site, target.endpoint);
    }
    co_return nullptr;
}

}  // namespace postern::relay
