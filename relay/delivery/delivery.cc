#include "relay/delivery/delivery.h"

#include <algorithm>

#include "relay/delivery/courier.h"
#include "relay/delivery/route.h"

namespace postern::relay {

namespace {

constexpr std::chrono::milliseconds slice{5};  // of work that is due, before others have their turn
constexpr std::chrono::seconds persist_pause{5}, sweep_pause{60};

/// All but the one that decides, which is the first to be full.
Carriers carriers_of(std::vector<net::io_context*> loops) {
    if (loops.size() > 1) loops.erase(loops.begin());
    return Carriers(std::move(loops));
}

}  // namespace

Delivery::Delivery(const std::vector<net::io_context*>& loops, const net::Machine& machine, Spool& spool,
                   SettingsPtr settings, KeyringPtr keyring, std::shared_ptr<const sync::Snapshot> directory,
                   Observer& observer, std::function<bool(const Envelope&)> suspected,
                   std::shared_ptr<const Marks> marks, Returns& returns)
    : env_{*loops.front(),
           carriers_of(loops),
           machine.clock,
           machine.disk,
           machine.outside,
           machine.workers,
           spool,
           observer,
           std::move(settings),
           std::minstd_rand(machine.seed),
           std::move(suspected),
           std::move(marks),
           returns},
      learnt_(env_),
      names_(env_, learnt_),
      contents_(env_),
      signing_(env_, std::move(keyring)),
      tls_reports_(env_.io, machine, spool, observer, *env_.settings),
      sources_(env_, learnt_.recall(egress_file)),
      listing_(env_, sources_, names_),
      intake_(env_, std::move(directory), room_, dispatch_),
      queue_(env_.clock, spool, env_.settings, observer, intake_, static_cast<std::uint32_t>(env_.random())),
      alarms_(
          env_.io, env_.clock, [this] { return std::min(queue_.next_run(), next_persist_); },
          [this] { tick(); }),
      destinations_(env_, names_, alarms_, tls_reports_),
      room_(env_, destinations_, queue_),
      connections_(env_),
      workplace_{env_,          queue_, names_,       contents_, signing_,  sources_,    listing_,
                 destinations_, room_,  connections_, alarms_,   dispatch_, tls_reports_},
      dispatch_(workplace_, [this](const SitePtr& site, SourceQueue& from) {
          return Courier::run(std::make_unique<Courier>(workplace_, site, from));
      }) {}

void Delivery::start() {
    connections_.reload();
    move_obsolete();
    tls_reports_.send_with([this] {
        const Surroundings around = names_.surroundings("TLS reports");
        return TlsReports::Means{around.resolver, names_.tls(), around.own, env_.settings};
    });
    names_.start([this] {
        // What is known was not validated, or waits because it could not be.
        destinations_.distrust();
        destinations_.retry({});
    });
    tick();
    env_.run(listing_.watch([this] {
        dispatch_.redistribute_all();
        alarms_.arm();
    }));
}

void Delivery::reload(SettingsPtr settings, const net::PreparedTls& tls, KeyringPtr keyring,
                      std::shared_ptr<const Marks> marks) {
    env_.settings = std::move(settings);
    env_.marks = std::move(marks);
    signing_.reload(std::move(keyring));
    names_.reload(tls);
    queue_.reload(env_.settings);
    tls_reports_.reload(*env_.settings);
    connections_.reload();
    sources_.reload();
    destinations_.reload();
    // Everything in line asks again which way it goes.
    dispatch_.recall([](const Job&) { return true; });
    // What is down may be so because of the settings that were just changed.
    destinations_.retry({});
    move_obsolete();
    dispatch_.redistribute_all();
    listing_.ask_now();
    alarms_.arm();
}

/// What waits for something the configuration has no more, since a reload or since the last start.
void Delivery::move_obsolete() {
    for (const auto& route : queue_.routes())
        if (!route_exists(*env_.settings, route)) queue_.reroute(route);
}

void Delivery::committed(std::vector<StoredPtr> accepted, std::uint64_t changes, bool unstuck) {
    if (env_.stopping) return queue_.committed(changes);
    for (auto& stored : accepted) queue_.admit(std::move(stored));
    queue_.committed(changes);
    if (unstuck) {
        dispatch_.resume();
        queue_.look_everywhere();
    }
    alarms_.arm();
}

void Delivery::recall() {
    dispatch_.recall([](const Job& job) { return job.message->halted(); });
}

bool Delivery::forget_listings(const std::string& address, const std::string& site) {
    if (!sources_.pool().forget(address, site)) return false;
    destinations_.retry({});
    return true;
}

void Delivery::tick() {
    alarms_.disarm();
    if (env_.stopping) return;
    Time time = env_.clock.steady();
    // What is over is known before anybody asks: the queue gives nothing up whose destination is about to be
    // tried.
    // One message may have had thousands of destinations: others have their turn between them.
    auto begun = env_.clock.now();
    while (env_.clock.now() - begun < slice) {
        auto alarm = alarms_.take(time);
        if (!alarm) break;
        dispatch_.answer(*alarm, time);
    }
    queue_.run(time);
    if (destinations_.many()) forget(time);
    if (next_persist_ <= time) tidy(time);
    alarms_.arm();
}

/// Forgets what nobody sends to, and has what was learnt written down.
void Delivery::tidy(Time time) {
    next_persist_ = time + persist_pause;
    persist(false);
    tls_reports_.tick();
    if (next_sweep_ > time) return;
    next_sweep_ = time + sweep_pause;
    dispatch_.refill_all();
    forget(time);
}

void Delivery::forget(Time time) {
    destinations_.forget(time, queue_.routes());
    listing_.forget([this](const std::string& site) { return !destinations_.sites().contains(site); });
}

void Delivery::persist(bool all) {
    if (all || sources_.pool().changed(env_.clock.wall()))
        learnt_.write(egress_file, sources_.pool().save(), [this](const std::string& what) {
            env_.observer.on(event::Trouble{event::Area::egress, what, false});
        });
    names_.persist();
}

net::awaitable<void> Delivery::stop(std::chrono::seconds grace) {
    env_.stopping = true;
    alarms_.stop();
    listing_.ask_now();  // that ends it
    dispatch_.stop();
    co_await connections_.finish(grace);
    persist(true);
    tls_reports_.stop();
    co_await learnt_.finish();
}

}  // namespace postern::relay
