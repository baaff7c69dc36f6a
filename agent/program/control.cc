#include "agent/program/control.h"

#include <atomic>
#include <exception>
#include <mutex>
#include <stdexcept>
#include <utility>

#include "agent/http/door.h"
#include "agent/limits.h"
#include "agent/program/explain_answer.h"
#include "agent/status/readiness.h"
#include "relay/shared.h"

namespace postern::agent {
namespace {

constexpr unsigned most_explaining = door_workers - 1;  // one is left to other operators
static_assert(most_explaining >= 1, "somebody may");

class Queue final : public QueueControl {
public:
    using Filter = relay::QueueFilter;
    explicit Queue(const ControlledParts& parts) : gate_(parts.gate), relay_(parts.relay) {}

    relay::QueuePage list(const Filter& filter, std::size_t limit, std::size_t skip,
                          relay::QueueOrder order) override {
        return gate_.while_running([&] { return relay_.list(filter, limit, skip, order); });
    }
    relay::QueueSummary summary(const Filter& filter, std::size_t most) override {
        return gate_.while_running([&] { return relay_.summary(filter, most); });
    }
    std::optional<relay::MessageView> show(const std::string& id) override {
        return gate_.while_running([&] { return relay_.show(id); });
    }
    relay::Applied retry(const Filter& filter) override {
        return gate_.while_running([&] { return relay_.retry(filter); });
    }
    relay::Applied remove(const Filter& filter) override {
        return gate_.while_running([&] { return relay_.remove(filter); });
    }
    relay::Applied hold(const Filter& filter) override {
        return gate_.while_running([&] { return relay_.hold(filter); });
    }
    relay::Applied release(const Filter& filter) override {
        return gate_.while_running([&] { return relay_.release(filter); });
    }
    relay::Applied bounce(const Filter& filter, const std::string& reason) override {
        return gate_.while_running([&] { return relay_.bounce(filter, reason); });
    }
    relay::Applied move(const Filter& filter, const std::string& gateway) override {
        return gate_.while_running([&] { return relay_.move(filter, gateway); });
    }
    relay::SetAsidePage set_aside() override {
        return gate_.while_running([&] { return relay_.set_aside(); });
    }
    relay::Restored restore(const std::string& file) override {
        return gate_.while_running([&] { return relay_.restore(file); });
    }

private:
    Gate& gate_;
    relay::Relay& relay_;
};

/// Other gateways, if there are any, hear of it.
void tell(Sharing* sharing, base::Fact fact) {
    if (sharing != nullptr) sharing->tell(std::move(fact));
}

class Outgoing final : public OutgoingControl {
public:
    explicit Outgoing(const ControlledParts& parts)
        : gate_(parts.gate),
          configuration_(parts.configuration),
          relay_(parts.relay),
          clock_(parts.clock),
          sharing_(parts.sharing) {}

    OutgoingRoutes routes() override {
        OutgoingRoutes result;
        gate_.while_running([&] {
            result.gateways = relay_.gateways();
            result.egress = relay_.egress();
        });
        result.routes = configuration_.settings()->relay.routes;
        result.overrides = *configuration_.overrides();
        return result;
    }
    Changed set_route(const relay::RouteSettings& route) override {
        return change(
            [&](const auto& before, const auto& file) { return agent::set_route(before, file, route); });
    }
    Changed unset_route(const relay::RouteSettings& route) override {
        return change(
            [&](const auto& before, const auto& file) { return agent::unset_route(before, file, route); });
    }
    Changed enable_gateway(const std::string& name, bool enabled) override {
        return change([&](const auto& before, const auto& file) {
            return agent::enable_gateway(before, file, name, enabled);
        });
    }
    Changed suspend_egress(const std::string& address, bool suspended) override {
        return change([&](const auto& before, const auto& file) {
            return agent::suspend_egress(before, file, address, suspended);
        });
    }
    bool forget_egress(const std::string& address, const std::string& site) override {
        const bool known = gate_.while_running([&] { return relay_.forget(address, site); });
        if (known) tell(sharing_, relay::Shared::forgotten(address, site));
        return known;
    }

    /// True when it was later than what is in force here, and is now.
    bool adopt(const Overrides& theirs) {
        return put([&](const Overrides& ours, const relay::Settings&) -> Change {
                   const auto now =
                       std::chrono::floor<std::chrono::milliseconds>(clock_.wall().time_since_epoch());
                   const std::chrono::milliseconds until = now + std::chrono::hours(24);
                   auto both = with_later(ours, theirs, static_cast<std::uint64_t>(until.count()));
                   if (to_json(both) == to_json(ours)) return tl::make_unexpected(Objection());
                   return both;
               })
            .has_value();
    }

private:
    /// Makes the new overrides from those in force, here and at other gateways.
    template <class Make>
    Changed change(Make make) {
        auto changed = put([&](const Overrides& before, const relay::Settings& file) {
            auto after = make(before, file);
            const auto now = std::chrono::floor<std::chrono::milliseconds>(clock_.wall().time_since_epoch());
            if (after) after = stamped(std::move(*after), before, static_cast<std::uint64_t>(now.count()));
            return after;
        });
        if (changed && sharing_ != nullptr) sharing_->tell(Sharing::changed(*configuration_.overrides()));
        return changed;
    }

    /// They are on the disk before relay has them.
    template <class Make>
    Changed put(Make make) {
        const std::lock_guard one_at_a_time(configuration_.changing());
        const auto settings = configuration_.settings();
        auto changed = make(*configuration_.overrides(), settings->relay);
        if (!changed) return tl::make_unexpected(changed.error());
        std::shared_ptr<const relay::Relay::Prepared> prepared;
        try {
            prepared = relay_.prepare(relay_settings(*settings, *changed));
        } catch (const std::runtime_error& error) {
            return tl::make_unexpected(Objection{Objection::Kind::failed, error.what()});
        }
        gate_.while_running([&] {
            const auto saved = configuration_.keep(*changed);
            if (!saved) changed = tl::make_unexpected(Objection{Objection::Kind::failed, saved.error()});
            if (saved) relay_.reload(std::move(prepared));
        });
        if (!changed) return tl::make_unexpected(changed.error());
        configuration_.put(std::move(*changed));
        return {};
    }

    Gate& gate_;
    Configuration& configuration_;
    relay::Relay& relay_;
    const base::Clock& clock_;
    Sharing* const sharing_;
};

/// One of the few who may ask name servers at a time. Throws Busy when they are too many.
class Explaining {
public:
    explicit Explaining(std::atomic<unsigned>& count) : count_(count) {
        if (++count_ <= most_explaining) return;
        --count_;
        throw Busy();
    }
    ~Explaining() { --count_; }
    Explaining(const Explaining&) = delete;
    Explaining& operator=(const Explaining&) = delete;

private:
    std::atomic<unsigned>& count_;
};

class Directory final : public DirectoryControl {
public:
    explicit Directory(const ControlledParts& parts)
        : gate_(parts.gate),
          relay_(parts.relay),
          directory_(parts.directory),
          clock_(parts.clock),
          sharing_(parts.sharing) {}

    sync::Report report() override { return directory_.report(); }
    std::shared_ptr<const sync::Snapshot> snapshot() override { return directory_.snapshot(); }
    void poll() override {
        gate_.while_running([&] { directory_.poll_now(); });
        tell(sharing_, Sharing::poll());
    }
    void accept() override {
        gate_.while_running([&] { directory_.accept_suspicions(); });
        tell(sharing_, Sharing::accept());
    }
    bool forget(const std::string& local_part, const std::string& domain) override {
        return directory_.forget(local_part, domain);
    }

    /// Asks name servers, so it holds nothing that others wait for.
    relay::Explanation explain(const std::string& from, const std::string& to,
                               const std::string& client) override {
        auto out = explained(from, to, client);
        if (sharing_ != nullptr && !out.volume.empty())
            out.volume += "; limits and histories are " + in_words(sharing_->view());
        return out;
    }

private:
    relay::Explanation explained(const std::string& from, const std::string& to, const std::string& client) {
        const Explaining place(explaining_);
        const auto answer = std::make_shared<ExplainAnswer>();  // it may come after the waiting
        auto begun = gate_.while_running([&] {
            return relay_.explain(from, to, client,
                                  [answer](std::exception_ptr fault, relay::Explanation whole) {
                                      answer->give(std::move(fault), std::move(whole));
                                  });
        });
        if (!begun.pending) return begun.so_far;
        if (auto whole = answer->wait(clock_, gate_.closing(), limits::explanation)) return std::move(*whole);
        if (gate_.closing().stop_requested()) throw Stopping();
        begun.so_far.hosts.emplace_back("the name servers do not answer");
        return begun.so_far;
    }

    Gate& gate_;
    relay::Relay& relay_;
    sync::Sync& directory_;
    const base::Clock& clock_;
    Sharing* const sharing_;
    std::atomic<unsigned> explaining_{0};
};

class Process final : public ProcessControl {
public:
    explicit Process(ControlledParts parts)
        : parts_(std::move(parts)),
          identity_{POSTERN_VERSION, parts_.configuration.started().relay.hostname, parts_.clock.wall()} {}

    Identity identity() override { return identity_; }
    relay::State state() override {
        return parts_.gate.while_running([&] { return parts_.relay.state(); });
    }
    std::vector<relay::VolumeView> senders(const std::string& who, std::size_t most) override {
        return parts_.gate.while_running([&] { return parts_.relay.senders(who, most); });
    }
    relay::UnusualView unusual() override {
        return parts_.gate.while_running([&] { return parts_.relay.unusual(); });
    }
    relay::ScreeningView screening() override {
        return parts_.gate.while_running([&] { return parts_.relay.screening(); });
    }
    std::optional<relay::Applied> release_sender(const std::string& who) override {
        auto done = parts_.gate.while_running([&] { return parts_.relay.release_sender(who); });
        if (done) tell(parts_.sharing, relay::Shared::released(who, parts_.clock.wall()));
        return done;
    }
    std::optional<relay::Applied> drop_sender(const std::string& who) override {
        auto done = parts_.gate.while_running([&] { return parts_.relay.drop_sender(who); });
        if (done) tell(parts_.sharing, relay::Shared::dropped(who, parts_.clock.wall()));
        return done;
    }
    bool expect(const std::string& who, std::uint64_t recipients, std::chrono::seconds length) override {
        const bool done =
            parts_.gate.while_running([&] { return parts_.relay.expect(who, recipients, length); });
        if (done && parts_.sharing != nullptr)
            for (auto& fact : parts_.relay.shared().expected(who)) tell(parts_.sharing, std::move(fact));
        return done;
    }
    sync::ClusterView cluster() override {
        return parts_.sharing == nullptr ? sync::ClusterView() : parts_.sharing->view();
    }
    std::vector<relay::TlsReportView> tls_reports(const std::string& domain, std::size_t most) override {
        return parts_.gate.while_running([&] { return parts_.relay.tls_reports(domain, most); });
    }
    bool send_tls_report(const std::string& domain) override {
        return parts_.gate.while_running([&] { return parts_.relay.send_tls_report(domain); });
    }
    std::vector<std::string> not_ready() override {
        try {
            return parts_.gate.while_running([&] {
                // In this order: what the report says is in force in relay by the time its state is known.
                const auto report = parts_.directory.report();
                const bool directory_needed =
                    parts_.configuration.settings()->relay.accept.sender != relay::Check::any;
                return reasons_not_ready(parts_.relay.state(), report, directory_needed, parts_.clock.wall());
            });
        } catch (const Stopping& stopping) {
            return {stopping.what()};
        }
    }
    std::vector<std::string> degraded() override {
        auto reasons = parts_.gate.while_running([&] { return reasons_degraded(parts_.relay.egress()); });
        if (auto why = parts_.gate.while_running([&] { return parts_.relay.dns_trouble(); }); !why.empty())
            reasons.push_back(std::move(why));
        for (auto& why : directory_troubles(parts_.directory.report())) reasons.push_back(std::move(why));
        for (auto& why : next_hop_troubles(state())) reasons.push_back(std::move(why));
        for (auto& why : copy_troubles(state(), screening())) reasons.push_back(std::move(why));
        for (auto& why : parts_.status_troubles()) reasons.push_back(std::move(why));
        for (auto& why : cluster_troubles(cluster())) reasons.push_back(std::move(why));
        return reasons;
    }
    std::string metrics() override {
        const bool ready = not_ready().empty();
        return parts_.gate.while_running([&] {
            return parts_.metrics.text(parts_.relay.state(), parts_.relay.egress(), parts_.directory.report(),
                                       cluster(), ready, parts_.clock.wall());
        });
    }
    Metrics::Totals totals() override { return parts_.metrics.totals(); }
    Reloaded reload() override { return parts_.reload(); }
    void changed(const std::string& by, const std::string& what,
                 std::optional<std::size_t> messages) override {
        parts_.log.write(LogLevel::info, "changed", [&](LogLine& line) {
            line.add("what", what);
            if (messages) line.add("messages", std::uint64_t{*messages});
            line.add_if("by", by);
        });
    }

private:
    const ControlledParts parts_;
    const Identity identity_;
};

}  // namespace

struct GatewayControl::Groups {
    explicit Groups(const ControlledParts& parts)
        : queue(parts), outgoing(parts), directory(parts), process(parts), clock(parts.clock) {}

    Queue queue;
    Outgoing outgoing;
    Directory directory;
    Process process;
    const base::Clock& clock;
};

GatewayControl::GatewayControl(const ControlledParts& parts) : groups_(std::make_unique<Groups>(parts)) {}

GatewayControl::~GatewayControl() = default;

void GatewayControl::adopt(const std::string& gateway, const Overrides& theirs) {
    try {
        if (groups_->outgoing.adopt(theirs))
            groups_->process.changed("gateway " + gateway, "what operators set there", std::nullopt);
    } catch (const std::exception&) {  // stopping: it is told again at the next start
    }
}

Control GatewayControl::interface() const {
    return {groups_->queue, groups_->outgoing, groups_->directory, groups_->process, groups_->clock};
}

}  // namespace postern::agent
