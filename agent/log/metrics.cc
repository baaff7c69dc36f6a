#include "agent/log/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "agent/log/egress_state.h"

namespace postern::agent {
namespace {

using prometheus::Counter;
using prometheus::Family;
using prometheus::Gauge;
using prometheus::Histogram;
using prometheus::Registry;

const Histogram::BucketBoundaries commit_buckets{0.0005, 0.001, 0.002, 0.005, 0.01, 0.02,
                                                 0.05,   0.1,   0.2,   0.5,   1,    5};
const Histogram::BucketBoundaries delay_buckets{0.01, 0.05, 0.1,  0.5,   1,     5,     30,
                                                60,   300,  3600, 14400, 86400, 432000};

Counter& counter(Registry& registry, const char* name, const char* help) {
    return prometheus::BuildCounter().Name(name).Help(help).Register(registry).Add({});
}

Gauge& gauge(Registry& registry, const char* name, const char* help) {
    return prometheus::BuildGauge().Name(name).Help(help).Register(registry).Add({});
}

/// Counters of one name that differ in one label. A value beyond the first 64 is counted as "other".
class Labelled {
public:
    Labelled(Registry& registry, const char* name, const char* help, const char* label)
        : family_(prometheus::BuildCounter().Name(name).Help(help).Register(registry)), label_(label) {}

    void increment(std::string_view value, double by = 1) {
        const std::lock_guard lock(mutex_);
        auto found = counters_.find(value);
        if (found == counters_.end()) {
            const std::string name(counters_.size() < most ? value : "other");
            found = counters_.emplace(name, &family_.Add({{label_, name}})).first;
        }
        found->second->Increment(by);
    }

    double sum() const {
        const std::lock_guard lock(mutex_);
        double total = 0;
        for (const auto& [value, counter] : counters_) total += counter->Value();
        return total;
    }

private:
    static constexpr std::size_t most = 64;
    Family<Counter>& family_;
    const char* label_;
    mutable std::mutex mutex_;
    std::map<std::string, Counter*, std::less<>> counters_;
};

double seconds(std::chrono::duration<double> duration) { return duration.count(); }

double unix_time(sync::Time time) { return seconds(time.time_since_epoch()); }

std::string_view reply_class(const relay::Reply& reply) {
    return reply.permanent() ? "permanent" : reply.transient() ? "temporary" : "none";
}

/// Told by relay as "wanted: reached", with ", verified" or ", not verified" behind what is encrypted.
std::string_view tls_class(std::string_view tls) {
    if (tls.empty() || tls.find(": clear text") != std::string_view::npos) return "none";
    return tls.ends_with(", verified") ? "verified" : "encrypted";
}

std::string_view egress_label(std::string_view address) { return address.empty() ? system_choice : address; }

}  // namespace

/// A field is a metric, with its name and its help; README lists them in this order.
struct Metrics::Families {
    Registry registry;

    Counter& accepted = counter(registry, "postern_accepted_messages_total", "Messages taken and on disk.");
    Counter& accepted_bytes =
        counter(registry, "postern_accepted_bytes_total", "Octets of the messages taken.");
    Counter& accepted_recipients =
        counter(registry, "postern_accepted_recipients_total", "Recipients of the messages taken.");
    Labelled refused{registry, "postern_refused_total",
                     "Senders, recipients and messages refused, by what decided.", "rule"};
    Labelled monitored{registry, "postern_would_refuse_total",
                       "What accept.mode \"monitor\" let pass, by what would have decided.", "rule"};
    Labelled delivered{registry, "postern_delivered_recipients_total",
                       "Recipients delivered, by transport security: none, encrypted, verified.", "tls"};
    Labelled sent{registry, "postern_egress_delivered_recipients_total",
                  "Recipients delivered, by the address they left from.", "egress"};
    Labelled listed{registry, "postern_egress_listed_total",
                    "Times an address was found to be refused, somewhere or everywhere.", "egress"};
    Counter& rotated = counter(
        registry, "postern_egress_rotations_total",
        "Times a listing moved a site's mail to another address (rotation on-listing), or left it none.");
    Labelled reported{registry, "postern_reports_total",
                      "Reports to senders that are not about a failure, by what they tell.", "action"};
    Counter& throttled = counter(registry, "postern_throttled_messages_total",
                                 "Messages that wait for their turn, since their sender is slowed down.");
    Labelled unusual{registry, "postern_unusual_volume_total",
                     "Times a sender's volume was unusual, by what was done; usual: that it ended.", "level"};
    Counter& journalled = counter(registry, "postern_journal_reports_total", "Copies made for the archive.");
    Counter& screened = counter(registry, "postern_screened_messages_total",
                                "Messages taken back from the screening gateway.");
    Counter& not_back = counter(registry, "postern_screening_missing_total",
                                "Messages that the screening gateway did not give back in time.");
    Labelled tls_reports{registry, "postern_tls_reports_total",
                         "Reports about TLS to domains that ask for them: sent, or given up after a day.",
                         "result"};
    Labelled deferred{registry, "postern_deferred_recipients_total",
                      "Attempts put off, by the stage they failed in.", "stage"};
    Labelled bounced{registry, "postern_bounced_recipients_total",
                     "Recipients given up, by the kind of the last reply.", "reply"};
    Counter& removed =
        counter(registry, "postern_removed_messages_total", "Messages removed by an operator.");
    Labelled trouble{registry, "postern_trouble_total", "What belongs to no message and wants looking at.",
                     "where"};
    Counter& sessions_closed =
        counter(registry, "postern_sessions_total", "Incoming sessions that have ended.");
    Counter& rounds = counter(registry, "postern_directory_rounds_total",
                              "Readings of a primary's directory that succeeded.");
    Counter& failed_rounds =
        counter(registry, "postern_directory_failures_total",
                "Readings of a primary's directory, whole or of one domain, that failed.");
    Counter& logins_refused =
        counter(registry, "postern_directory_logins_refused_total", "Sign-ins a primary refused.");
    Labelled gateway_mode{registry, "postern_gateway_mode_requests_total",
                          "What the primaries' own gateway mode asked, by what came of it.", "outcome"};
    Histogram& commit = prometheus::BuildHistogram()
                            .Name("postern_commit_seconds")
                            .Help("From the end of data to the reply that the message is on disk.")
                            .Register(registry)
                            .Add({}, commit_buckets);
    Histogram& delay = prometheus::BuildHistogram()
                           .Name("postern_delivery_delay_seconds")
                           .Help("From acceptance to delivery, per recipient.")
                           .Register(registry)
                           .Add({}, delay_buckets);

    Gauge& ready = gauge(registry, "postern_ready", "1 when mail is accepted.");
    Gauge& messages = gauge(registry, "postern_queue_messages", "Messages in the queue.");
    Gauge& held = gauge(registry, "postern_queue_held_messages",
                        "Messages with recipients that are held, counted up to 100000.");
    Gauge& oldest = gauge(registry, "postern_queue_oldest_seconds",
                          "Age of the message that has been in the queue longest; 0 when it is empty.");
    Gauge& bytes = gauge(registry, "postern_queue_disk_bytes", "Disk space of the queue's files.");
    Gauge& sessions = gauge(registry, "postern_sessions_open", "Incoming sessions open now.");
    Gauge& connections = gauge(registry, "postern_connections_open", "Outgoing connections open now.");
    Gauge& damaged = gauge(registry, "postern_damaged_records", "Records set aside since the start.");
    Gauge& overdue = gauge(registry, "postern_queue_overdue_seconds",
                           "How long mail is past its time that waits for no destination in trouble.");
    Gauge& troubled =
        gauge(registry, "postern_troubled_destinations", "Destinations that cannot be reached now.");
    Family<Gauge>& last_success =
        prometheus::BuildGauge()
            .Name("postern_directory_last_success_timestamp_seconds")
            .Help("When the primary's directory was last read; 0: not since the start.")
            .Register(registry);
    Family<Gauge>& reachable = prometheus::BuildGauge()
                                   .Name("postern_primary_reachable")
                                   .Help("1 when the primary's web services answered last time.")
                                   .Register(registry);
    Family<Gauge>& listings = prometheus::BuildGauge()
                                  .Name("postern_egress_listings")
                                  .Help("Sites where the address is refused now; everywhere counts as one.")
                                  .Register(registry);
    Family<Gauge>& usable = prometheus::BuildGauge()
                                .Name("postern_egress_usable")
                                .Help("1 when the address is neither suspended nor listed everywhere.")
                                .Register(registry);
    std::vector<std::pair<Family<Gauge>*, Gauge*>> of_addresses;  // gone when an address is
    std::mutex gauges;

    void set_egress(const std::vector<relay::EgressView>& egress);

    Gauge& cluster_reached = gauge(registry, "postern_cluster_reached",
                                   "1 when other gateways can be asked; 0 also where there are none.");
    Gauge& cluster_gateways =
        gauge(registry, "postern_cluster_gateways", "Gateways that limits are shared among, with this one.");
    Gauge& cluster_polls =
        gauge(registry, "postern_cluster_polls", "1 when this one of several gateways polls the primaries.");
    Gauge& cluster_exchange =
        gauge(registry, "postern_cluster_exchange_seconds", "How long the last exchange with them took.");
    Gauge& cluster_lost = gauge(registry, "postern_cluster_lost_facts",
                                "What other gateways could not be told, since the start.");
    void set_cluster(const sync::ClusterView& cluster);
};

void Metrics::Families::set_cluster(const sync::ClusterView& cluster) {
    cluster_reached.Set(cluster.on && cluster.standing != sync::ClusterView::Standing::away ? 1 : 0);
    cluster_gateways.Set(cluster.on ? cluster.gateways : 1);
    cluster_polls.Set(cluster.turn.whose == sync::Turn::Whose::ours ? 1 : 0);
    cluster_exchange.Set(seconds(cluster.took));
    cluster_lost.Set(static_cast<double>(cluster.lost));
}

void Metrics::Families::set_egress(const std::vector<relay::EgressView>& egress) {
    for (const auto& [family, each] : of_addresses) family->Remove(each);
    of_addresses.clear();
    const auto set = [this](Family<Gauge>& family, const std::string& address, double value) {
        auto& each = family.Add({{"egress", address}});
        each.Set(value);
        of_addresses.emplace_back(&family, &each);
    };
    for (const auto& each : egress) {
        const auto address = std::string(egress_label(each.address));
        set(listings, address, static_cast<double>(each.listings.size()));
        set(usable, address, is_usable(each) ? 1 : 0);
    }
}

Metrics::Metrics() : families_(std::make_unique<Families>()) {}
Metrics::~Metrics() = default;

void Metrics::count(const relay::event::Accepted& event) {
    families_->accepted.Increment();
    families_->accepted_bytes.Increment(static_cast<double>(event.size));
    families_->accepted_recipients.Increment(static_cast<double>(event.recipients));
    families_->commit.Observe(seconds(event.commit));
    if (!event.journal.empty()) families_->journalled.Increment();
    if (event.back) families_->screened.Increment();
}

void Metrics::count(const relay::event::Refused& event) {
    (event.monitored ? families_->monitored : families_->refused)
        .increment(event.rule, static_cast<double>(event.times));
}

void Metrics::count(const relay::event::Delivered& event) {
    families_->delivered.increment(tls_class(event.tls));
    families_->sent.increment(egress_label(event.egress));
    families_->delay.Observe(seconds(event.delay));
}

void Metrics::count(const relay::event::Deferred& event) { families_->deferred.increment(event.stage); }
void Metrics::count(const relay::event::Bounced& event) {
    families_->bounced.increment(reply_class(event.reply));
}
void Metrics::count(const relay::event::Removed&) { families_->removed.Increment(); }
void Metrics::count(const relay::event::Reported& event) { families_->reported.increment(event.action); }
void Metrics::count(const relay::event::Throttled&) { families_->throttled.Increment(); }
void Metrics::count(const relay::event::TlsReport& event) {
    families_->tls_reports.increment(event.sent ? "sent" : "given up");
}
void Metrics::count(const relay::event::Unusual& event) { families_->unusual.increment(event.level); }
void Metrics::count(const relay::event::NotBack& event) {
    families_->not_back.Increment(static_cast<double>(event.messages));
}

void Metrics::count(const relay::event::Listed& event) {
    families_->listed.increment(egress_label(event.address));
}
void Metrics::count(const relay::event::Rotated&) { families_->rotated.Increment(); }
void Metrics::count(const relay::event::Trouble& event) {
    families_->trouble.increment(text_of(event.where));
}
void Metrics::count(const relay::event::SessionClosed&) { families_->sessions_closed.Increment(); }
void Metrics::count(const sync::event::Synced&) { families_->rounds.Increment(); }
void Metrics::count(const sync::event::SyncFailed&) { families_->failed_rounds.Increment(); }
void Metrics::count(const sync::event::CredentialsRefused&) { families_->logins_refused.Increment(); }

void Metrics::count(const GatewayModeEvent& event) {
    families_->gateway_mode.increment(describe(event.outcome));
}

Metrics::Totals Metrics::totals() const {
    const auto whole = [](double value) { return static_cast<std::uint64_t>(value); };
    return {whole(families_->accepted.Value()), whole(families_->refused.sum()),
            whole(families_->delivered.sum()), whole(families_->deferred.sum()),
            whole(families_->bounced.sum())};
}

std::string Metrics::text(const relay::State& state, const std::vector<relay::EgressView>& egress,
                          const sync::Report& report, const sync::ClusterView& cluster, bool ready,
                          sync::Time now) {
    const std::lock_guard lock(families_->gauges);
    auto& f = *families_;
    f.ready.Set(ready ? 1 : 0);
    f.messages.Set(static_cast<double>(state.messages));
    f.held.Set(static_cast<double>(state.held));
    const auto age = now - state.oldest;
    f.oldest.Set(state.oldest == sync::Time{} ? 0 : std::max(0.0, seconds(age)));
    f.bytes.Set(static_cast<double>(state.bytes));
    f.sessions.Set(static_cast<double>(state.sessions));
    f.connections.Set(static_cast<double>(state.connections));
    f.damaged.Set(static_cast<double>(state.damaged));
    f.overdue.Set(static_cast<double>(state.overdue.count()));
    double troubled = 0;
    for (const auto& destination : state.destinations) troubled += destination.trouble.empty() ? 0 : 1;
    f.troubled.Set(troubled);
    f.set_egress(egress);
    f.set_cluster(cluster);
    for (const auto& primary : report.primaries) {
        f.last_success.Add({{"primary", primary.name}}).Set(unix_time(primary.last_success));
        f.reachable.Add({{"primary", primary.name}}).Set(primary.reachable ? 1 : 0);
    }
    return prometheus::TextSerializer().Serialize(f.registry.Collect());
}

}  // namespace postern::agent
