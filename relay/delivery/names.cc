#include "relay/delivery/names.h"

#include <exception>
#include <utility>

#include "relay/delivery/dnssec_memory.h"
#include "relay/net/dnssec.h"

namespace postern::relay {

Names::Names(Environment& env, Learnt& learnt)
    : env_(env),
      learnt_(learnt),
      resolver_(env.io, env.clock, env.outside, env.settings->dns, static_cast<std::uint32_t>(env.random())),
      proof_{recall_proof(env.disk, env.settings->state_dir, env.settings->dns)},
      ours_(our_listeners(*env.settings, *own_)),
      tls_(net::client_context(env.settings->tls)),
      fetch_(env.io, env.clock, env.outside),
      policies_(env.io, env.clock, learnt.recall(policies_file)) {
    fetch_.terms(tls_, env_.settings->delivery.ignore_addresses, own_);
    policies_.fetch_with([this](std::string domain, std::vector<asio::ip::address> addresses) {
        return fetch_.get(std::move(domain), std::move(addresses));
    });
}

void Names::start(std::function<void()> changed) {
    changed_ = std::move(changed);
    if (proof_.at_start == net::Proof::damaged)
        env_.observer.on(
            event::Trouble{event::Area::dns,
                           (env_.settings->state_dir / dnssec_file).string() +
                               " cannot be read, so DNSSEC validation is demanded as if it had worked "
                               "before with these [dns] settings",
                           false});
    proof_.due = proof_.at_start != net::Proof::given;
    resolver_.watch_dnssec(proof_.at_start != net::Proof::none, [this] { validation_changed(); });
}

void Names::reload(const net::PreparedTls& tls) {
    const Settings& settings = *env_.settings;
    if (settings.dns != resolver_.dnssec().settings()) {
        try {
            resolver_.reload(settings.dns);
            proof_.due = true;
        } catch (const std::exception& fault) {
            env_.observer.on(event::Trouble{
                event::Area::dns,
                std::string(fault.what()) + "; names are asked for as before until the next reload", false});
        }
    }
    ours_ = our_listeners(settings, *own_);
    if (tls)
        tls_ = *tls;
    else
        env_.observer.on(event::Trouble{event::Area::tls, tls.error(), false});
    fetch_.terms(tls_, settings.delivery.ignore_addresses, own_);
}

Surroundings Names::surroundings(const std::string& asker) {
    return Surroundings{env_.clock, resolver_.for_asker(asker), policies_, env_.settings, ours_, own_};
}

std::string Names::trouble() const { return resolver_.dnssec().trouble(); }

void Names::validation_changed() {
    const std::string now = trouble();
    if (now != told_)
        env_.observer.on(event::Trouble{
            event::Area::dns,
            now.empty() ? "DNSSEC validation works, and is demanded as long as [dns] is the same" : now,
            false});
    told_ = now;
    keep_proof();
    changed_();
}

/// Has it written down that validation works, once.
void Names::keep_proof() {
    if (!resolver_.dnssec().proven() || !resolver_.dnssec().well() || !std::exchange(proof_.due, false))
        return;
    learnt_.write(dnssec_file, net::write_proof(resolver_.dnssec().settings()), [this](std::string what) {
        asio::post(env_.io, [this, what = std::move(what)] {
            if (!std::exchange(proof_.failed, true))
                env_.observer.on(event::Trouble{event::Area::dns, what, false});
            proof_.due = true;
        });
    });
}

void Names::persist() {
    keep_proof();
    if (!policies_.changed()) return;
    learnt_.write(policies_file, policies_.save(), [&env = env_](const std::string& what) {
        env.observer.on(event::Trouble{event::Area::egress, what, false});
    });
}

}  // namespace postern::relay
