// A connection for a site: which of its hosts, in which order, and what follows when none can be had.
#include <algorithm>

#include "relay/delivery/delivery.h"
#include "relay/delivery/route.h"

namespace postern::relay {

namespace {

constexpr std::chrono::minutes targets_age{5};

Time now() { return std::chrono::system_clock::now(); }

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

}  // namespace postern::relay
