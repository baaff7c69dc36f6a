#include "agent/program/gateway.h"

#include <unistd.h>

#include <mutex>
#include <optional>
#include <stdexcept>

#include "agent/gateway_mode/server.h"
#include "agent/http/token.h"
#include "agent/log/events.h"
#include "agent/log/metrics.h"
#include "agent/machine/address_text.h"
#include "agent/program/configuration.h"
#include "agent/program/control.h"
#include "agent/program/gate.h"
#include "agent/program/plan.h"
#include "agent/program/service.h"
#include "agent/program/sharing.h"
#include "agent/status/server.h"
#include "relay/net/outside.h"
#include "relay/relay.h"
#include "sync/sync.h"

namespace postern::agent {
namespace {

void warn(Log& log, std::string_view where, const std::string& text) {
    log.write(LogLevel::warning, "trouble",
              [&](LogLine& line) { line.add("where", where).add("text", text); });
}

/// Without a token nobody can change anything over the endpoint, but the commands can, and mail flows.
StatusTerms status_terms(const Settings& settings, base::Disk& disk, Log& log) {
    StatusTerms terms;
    terms.reads_need_token = settings.status.reads_need_token;
    auto token = obtain_token(disk, settings.token_file());
    if (token)
        terms.token = std::move(*token);
    else
        warn(log, "status.token_file", terms.no_token = token.error());
    return terms;
}

GatewayModeTerms terms(const Settings& settings) {
    auto read = gateway_mode_terms(settings);
    if (!read) throw std::runtime_error(read.error());
    return std::move(*read);
}

}  // namespace

struct Gateway::Impl {
    Impl(std::filesystem::path file, Settings given, Log& log_, const base::Clock& clock_, base::Disk& disk_);

    ~Impl();

    Reloaded reload();
    void apply(Plan plan);
    std::unique_ptr<Sharing> shared();

    Log& log;
    Configuration configuration;
    Metrics metrics;
    const base::Clock& clock;
    base::Disk& disk;
    relay::net::SystemOutside outside;
    Events events{log, metrics, clock};
    Gate gate;
    sync::Sync directory;  // publishes to relay once started
    relay::Relay relay;
    std::unique_ptr<Sharing> sharing;  // null: there is no other gateway
    GatewayControl control;
    StatusServer status;
    std::optional<GatewayModeServer> gateway_mode;
};

Gateway::Impl::Impl(std::filesystem::path file, Settings given, Log& log_, const base::Clock& clock_,
                    base::Disk& disk_)
    : log(log_),
      configuration(std::move(file), std::move(given), disk_, log),
      clock(clock_),
      disk(disk_),
      directory(
          configuration.started().synced(), configuration.started().relay.state_dir, events, clock, disk,
          [this](std::shared_ptr<const sync::Snapshot> snapshot) { relay.publish(std::move(snapshot)); }),
      relay(relay_settings(configuration.started(), *configuration.overrides()), directory.snapshot(), events,
            clock, disk, outside),
      sharing(shared()),
      control({gate, configuration, relay, directory, metrics, log, clock, [this] { return reload(); },
               [this] { return status.troubles(); }, sharing.get()}),
      status(
          {configuration.started().status.address, configuration.started().socket(), geteuid()},
          status_terms(configuration.started(), disk, log), control.interface(),
          [this](const std::string& where, const std::string& text) { warn(log, where, text); }, clock) {
    relay.ask_with(
        [this](const std::string& local_part, const std::string& domain,
               const std::function<void(bool)>& done) { directory.ask(local_part, domain, done); });
    relay.notice_with([this](std::string_view local_part, std::string_view domain) {
        directory.notice(local_part, domain);
    });
    const auto& settings = configuration.started();
    if (!settings.gateway_mode.on()) return;
    gateway_mode.emplace(
        settings.gateway_mode.address, terms(settings),
        [this] { return gate.while_running([this] { return relay.messages(); }); },
        [this](const GatewayModeEvent& event) { events.on(event); }, clock);
}

/// Each calls the others as long as it runs, also when a start came to nothing.
Gateway::Impl::~Impl() {
    relay.stop(std::chrono::seconds(0));
    directory.stop();
    if (sharing) sharing->stop();
}

std::unique_ptr<Sharing> Gateway::Impl::shared() {
    if (!configuration.started().cluster.on()) return nullptr;
    const SharedParts parts{
        relay,
        directory,
        events,
        clock,
        disk,
        [this] { return *configuration.overrides(); },
        [this](const std::string& gateway, const Overrides& theirs) { control.adopt(gateway, theirs); }};
    return std::make_unique<Sharing>(configuration.started(), parts);
}

Reloaded Gateway::Impl::reload() {
    gate.while_running([] {});  // at once, and before the service manager hears of it
    const std::lock_guard one_at_a_time(configuration.changing());
    service::reloading();
    auto plan = plan_reload(configuration, relay, clock.wall());
    if (auto faults = plan.faults(configuration.file()); !faults.empty()) {
        for (const auto& fault : faults)
            log.write(LogLevel::error, "reload-refused", [&](LogLine& line) { line.add("fault", fault); });
        service::ready("the changed configuration file has faults, the old settings stay in force");
        return {std::move(faults), {}};
    }
    auto later = plan.after_restart_only;
    apply(std::move(plan));
    service::ready("");
    return {{}, std::move(later)};
}

/// Of a plan without faults.
void Gateway::Impl::apply(Plan plan) {
    const auto& file = configuration.file();
    auto& settings = plan.parsed.settings;
    gate.while_running([&] { directory.reload(settings.synced()); });
    gate.while_running([&] { relay.reload(std::move(plan.relay)); });
    for (const auto& warning : plan.parsed.warnings) warn(log, "configuration", warning.line(file));
    if (plan.gateway_mode) gateway_mode->reload(std::move(*plan.gateway_mode));
    status.reload(status_terms(settings, disk, log));
    log.reload(settings.log);
    std::string later;
    for (const auto& key : plan.after_restart_only) later.append(later.empty() ? "" : ", ").append(key);
    log.write(later.empty() ? LogLevel::info : LogLevel::warning, "reloaded",
              [&](LogLine& line) { line.add("file", file.native()).add_if("after_restart_only", later); });
    configuration.put(std::move(settings));
}

Gateway::Gateway(std::filesystem::path file, Settings settings, Log& log, const base::Clock& clock,
                 base::Disk& disk)
    : impl_(std::make_unique<Impl>(std::move(file), std::move(settings), log, clock, disk)) {}

Gateway::~Gateway() = default;

void Gateway::start() {
    impl_->relay.start();
    impl_->gate.open();
    if (impl_->sharing) impl_->sharing->start();
    impl_->directory.start();
    impl_->status.start();
    if (impl_->gateway_mode) impl_->gateway_mode->start();
    impl_->log.write(LogLevel::info, "started", [&](LogLine& line) {
        const auto& settings = impl_->configuration.started();
        line.add("version", POSTERN_VERSION).add("hostname", settings.relay.hostname);
        std::string listeners;
        for (const auto& listener : settings.relay.listeners)
            listeners.append(listeners.empty() ? "" : " ").append(format_host_port(listener.address));
        line.add("listeners", listeners).add("status", format_host_port(settings.status.address));
        if (impl_->gateway_mode) line.add("gateway_mode", format_host_port(settings.gateway_mode.address));
        line.add("state_dir", settings.relay.state_dir.native());
        if (!settings.relay.accept.enforce) line.add("mode", "monitor");
    });
}

void Gateway::reload() { impl_->reload(); }

std::string Gateway::summary() {
    auto& process = impl_->control.interface().process;
    const auto reasons = process.not_ready();
    const auto state = process.state();
    return (reasons.empty() ? std::string("ready") : "not ready: " + reasons.front()) + ", " +
           std::to_string(state.messages) + " messages in the queue";
}

void Gateway::hurry() { impl_->relay.hurry(); }

bool Gateway::stop(std::chrono::seconds grace) {
    impl_->log.write(LogLevel::info, "stopping", [](LogLine&) {});
    impl_->gate.close();
    impl_->relay.stop(grace);
    impl_->directory.stop();
    if (impl_->sharing) impl_->sharing->stop();
    if (impl_->gateway_mode) impl_->gateway_mode->stop();
    const bool ended = impl_->status.stop(std::chrono::seconds(3));
    impl_->log.write(LogLevel::info, "stopped", [](LogLine&) {});
    return ended;
}

}  // namespace postern::agent
