// Which of our addresses, and what follows from what is said of them.
#include "relay/delivery/delivery.h"
#include "sync/base/clock.h"

namespace postern::relay {

bool Delivery::another_address(const SitePtr& site, const Job& job) {
    auto next = sources_.preview(*site, domain_of(job));
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

bool Delivery::compare(const SitePtr& site, SourceQueue& from, const Reply& reply) {
    if (!site->hosts().pooled || reply.code < 500 || env_.settings->egress.size() < 2) return false;
    auto jobs = from.ready.extract([](const Job& job) { return job.suspect.empty(); });
    if (jobs.empty()) return false;
    if (!sources_.another_than(from.source, *site)) {
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
    listing_.accepted(*site, from.source, job);
    if (!site->hosts().pooled) return;
    auto known = destinations_.find({job.route, TlsWish::none});
    if (known == destinations_.end() || std::exchange(known->second->listed, {}).failures == 0) return;
    site->routes_without_room.add(job.route);
    refill(site);
}

/// Everything in the lane's line looks for an address again.
void Delivery::redistribute(const SitePtr& site, SourceQueue& from) {
    for (Job& job : from.ready.drain()) dispatch(std::move(job), site);
}

void Delivery::redistribute_all() {
    for (auto& [key, one] : std::map(sites_)) {
        if (!one->hosts().pooled) continue;
        for (auto& [address, from] : one->queues())
            if (sources_.out_of_use(*one, from)) redistribute(one, from);
    }
}

std::vector<EgressView> Delivery::egress() const { return sources_.pool().views(base::wall_now()); }

bool Delivery::absolve(const std::string& address, const std::string& site) {
    if (!sources_.pool().absolve(address, site)) return false;
    retry_destinations({});
    return true;
}

/// Writes down what was learnt; with `wait` it is on disk when this returns.
void Delivery::persist(bool wait) {
    if (wait || sources_.pool().changed(base::wall_now()))
        learnt_.write(egress_file, sources_.pool().save(), [this](const std::string& what) {
            env_.observer.on(event::Trouble{"egress", what, false});
        });
    names_.persist();
    if (wait) learnt_.finish();
}

}  // namespace postern::relay
