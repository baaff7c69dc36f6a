// Relay, as far as it tells its state.
#include "relay/delivery/overview.h"
#include "relay/explain.h"
#include "relay/parts.h"
#include "relay/reception/sender_limits.h"
#include "relay/relay.h"
#include "relay/tls_reports/tls_reports.h"

namespace postern::relay {

std::uint64_t Relay::messages() { return parts_->spool.count(); }

State Relay::state() {
    State out;
    out.messages = parts_->spool.count();
    out.bytes = parts_->spool.bytes();
    out.damaged = parts_->spool.set_aside_so_far();
    out.held = parts_->spool.waiting(RouteKey::held());
    for (MessageId first : parts_->spool.messages({}, 1)) out.oldest = first.arrived();
    out.not_ready = parts_->spool.unhealthy();
    struct In {
        std::size_t sessions = 0;
        Reply admission;
    };
    In in = parts_->reception_loops.first().ask([parts = parts_.get()] {
        return In{parts->reception.sessions(), parts->reception.admission(0).reply};
    });
    out.sessions = in.sessions;
    if (out.not_ready.empty())
        out.not_ready = parts_->spool.want(parts_->in_force().settings->accept.minimum_free);
    if (out.not_ready.empty() && !in.admission.positive()) out.not_ready = in.admission.text;
    struct Out {
        std::size_t connections = 0;
        std::vector<DestinationView> destinations;
        std::chrono::seconds overdue{0};
        ArchiveView archive;
    };
    Out sent = parts_->delivery_loops.first().ask([parts = parts_.get()] {
        return Out{parts->delivery.workplace().connections.traffic()->connections,
                   destination_views(parts->delivery.workplace(), 1000), parts->delivery.queue().overdue(),
                   parts->delivery.queue().archive()};
    });
    out.overdue = sent.overdue;
    out.archive = std::move(sent.archive);
    out.connections = sent.connections;
    out.destinations = std::move(sent.destinations);
    // Counted outside the mail's threads, and only for what is shown.
    for (auto& one : out.destinations) one.waiting = parts_->spool.waiting(RouteKey::of(one.route));
    return out;
}

std::vector<GatewayView> Relay::gateways() {
    auto out = parts_->delivery_loops.first().ask(
        [parts = parts_.get()] { return gateway_views(parts->delivery.workplace()); });
    for (auto& one : out) one.waiting = parts_->spool.waiting(RouteKey::gateway(one.name));
    return out;
}

std::vector<EgressView> Relay::egress() {
    return parts_->delivery_loops.first().ask([parts = parts_.get()] {
        return parts->delivery.workplace().sources.pool().views(parts->clock.wall());
    });
}

std::vector<VolumeView> Relay::senders(const std::string& who, std::size_t most) {
    return parts_->volume.tally.views(who, most, parts_->clock.steady());
}

ScreeningView Relay::screening() {
    const auto settings = parts_->in_force().settings;
    auto out = parts_->screening.returns.view(parts_->clock.wall(), settings->screening.expected_within);
    out.gateway = settings->screening.gateway;
    return out;
}

UnusualView Relay::unusual() {
    const base::Time now = parts_->clock.steady();
    UnusualView out;
    out.senders = parts_->volume.watch.views(now);
    for (auto& one : out.senders) {
        one.since = parts_->clock.on_the_wall(one.since);
        one.next = parts_->clock.on_the_wall(one.next);
    }
    out.announced = parts_->volume.tally.announced(now);
    for (auto& one : out.announced) one.until = parts_->clock.on_the_wall(one.until);
    out.learning_until = parts_->volume.watch.learning_until(parts_->clock.wall());
    return out;
}

std::vector<TlsReportView> Relay::tls_reports(const std::string& domain, std::size_t most) {
    return parts_->delivery_loops.first().ask([parts = parts_.get(), domain, most] {
        return parts->delivery.workplace().tls_reports.views(domain, most);
    });
}

bool Relay::send_tls_report(const std::string& domain) {
    return parts_->delivery_loops.first().ask(
        [parts = parts_.get(), domain] { return parts->delivery.workplace().tls_reports.send_now(domain); });
}

std::string Relay::dns_trouble() {
    return parts_->delivery_loops.first().ask(
        [parts = parts_.get()] { return parts->delivery.workplace().names.trouble(); });
}

bool Relay::forget(const std::string& address, const std::string& site) {
    return parts_->delivery_loops.first().ask(
        [parts = parts_.get(), address, site] { return parts->delivery.forget_listings(address, site); });
}

Relay::Explaining Relay::explain(const std::string& from, const std::string& to, const std::string& client,
                                 Explained whole) {
    const auto [settings, directory] = parts_->in_force();
    const auto srs =
        parts_->reception_loops.first().ask([parts = parts_.get()] { return parts->reception.srs(); });
    const auto beyond = [&](const VolumeSender& sender) -> std::optional<Decision> {
        const auto reached = parts_->volume.tally.would_exceed(sender, parts_->clock.steady());
        if (!reached) return std::nullopt;
        return beyond_limit(*reached, parts_->clock.on_the_wall(reached->until));
    };
    relay::Explained known =
        relay::explain({*settings, *directory, srs.get(), beyond}, from, to, client, parts_->clock.wall());
    if (const auto sender = parse_address(from); sender && !sender->null())
        known.so_far.volume =
            in_words(parts_->volume.watch.usual(VolumeSender(sender->mailbox(), sender->domain, {}),
                                                parts_->clock.steady(), parts_->clock.wall()));
    if (!known.onward) return {std::move(known.so_far), false};
    asio::co_spawn(parts_->delivery_loops.first().io(),
                   explain_delivery(parts_->delivery.workplace(), known.so_far,
                                    std::move(known.onward->route), std::move(known.onward->envelope)),
                   std::move(whole));
    return {std::move(known.so_far), true};
}

}  // namespace postern::relay
