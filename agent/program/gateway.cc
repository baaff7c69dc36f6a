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
#include "agent/program/service.h"
#include "agent/settings/environment.h"
#include "agent/status/server.h"
#include "relay/relay.h"
#include "sync/sync.h"

namespace postern::agent {
namespace {

void warn(Log& log, std::string_view where, const std::string& text) {
    log.write(LogLevel::warning, "trouble",
              [&](LogLine& line) { line.add("where", where).add("text", text); });
}

/// Without a token nobody can change anything over the endpoint, but the commands can, and mail flows.
StatusTerms status_terms(const Settings& settings, Log& log) {
    StatusTerms terms;
    terms.reads_need_token = settings.status.reads_need_token;
    auto token = obtain_token(settings.token_file());
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

/// What a reload cannot change and differs from what runs.
std::vector<std::string> needs_restart(const Settings& before, const Settings& after) {
    const auto listeners = [](const Settings& settings) {
        std::string text;
        for (const auto& listener : settings.relay.listeners)
            text.append(format_host_port(listener.address))
                .append(std::to_string(static_cast<int>(listener.tls)));
        return text;
    };
    std::vector<std::string> keys;
    const auto note = [&keys](bool differs, const char* key) {
        if (differs) keys.emplace_back(key);
    };
    note(before.relay.state_dir != after.relay.state_dir, "state_dir");
    note(before.user != after.user, "user");
    note(listeners(before) != listeners(after), "listener");
    note(format_host_port(before.status.address) != format_host_port(after.status.address), "status.address");
    note(format_host_port(before.gateway_mode.address) != format_host_port(after.gateway_mode.address),
         "status.gateway_mode");
    note(before.socket() != after.socket(), "status.socket");
    note(before.relay.queue.volume_size != after.relay.queue.volume_size, "queue.volume_size");
    return keys;
}

}  // namespace

struct Gateway::Impl {
    Impl(std::filesystem::path file, Settings given, Log& log_);

    Reloaded reload();

    Log& log;
    Configuration configuration;
    Metrics metrics;
    Events events{log, metrics};
    const base::SystemClock clock;
    Gate gate;
    sync::Sync directory;  // publishes to relay once started
    relay::Relay relay;
    GatewayControl control;
    StatusServer status;
    std::optional<GatewayModeServer> gateway_mode;
};

Gateway::Impl::Impl(std::filesystem::path file, Settings given, Log& log_)
    : log(log_),
      configuration(std::move(file), std::move(given), log),
      directory(
          configuration.started().synced(), configuration.started().relay.state_dir, events,
          [this](std::shared_ptr<const sync::Snapshot> snapshot) { relay.publish(std::move(snapshot)); }),
      relay(relay_settings(configuration.started(), *configuration.overrides()), directory.snapshot(), events,
            clock),
      control({gate, configuration, relay, directory, metrics, log, [this] { return reload(); },
               [this] { return status.troubles(); }}),
      status(
          {configuration.started().status.address, configuration.started().socket(), geteuid()},
          status_terms(configuration.started(), log), control.interface(),
          [this](const std::string& where, const std::string& text) { warn(log, where, text); }, clock) {
    relay.ask_with(
        [this](const std::string& local_part, const std::string& domain, std::function<void(bool)> done) {
            directory.ask(local_part, domain, std::move(done));
        });
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

Reloaded Gateway::Impl::reload() {
    const std::lock_guard one_at_a_time(configuration.changing());
    service::reloading();
    const auto& file = configuration.file();
    const auto& started = configuration.started();
    auto reading = read_settings(file);
    InUse ours;
    for (const auto& listener : started.relay.listeners) ours.addresses.push_back(listener.address);
    check_environment(reading, ours);
    std::optional<GatewayModeTerms> gateway_mode_after;
    if (reading.faults.empty() && gateway_mode && reading.settings.gateway_mode.on()) {
        auto read = gateway_mode_terms(reading.settings);
        if (read)
            gateway_mode_after = std::move(*read);
        else
            reading.fault("status.gateway_mode", read.error());
    }
    std::shared_ptr<const relay::Relay::Prepared> prepared;
    if (reading.faults.empty()) {
        try {
            prepared = relay::Relay::prepare(relay_settings(reading.settings, *configuration.overrides()));
        } catch (const std::runtime_error& error) {
            reading.fault("state_dir", error.what());
        }
    }
    if (reading.faults.empty()) {
        try {
            gate.while_running([&] { directory.reload(reading.settings.synced()); });
        } catch (const std::invalid_argument& error) {
            reading.fault("primary", error.what());
        }
    }
    Reloaded result;
    for (const auto& fault : reading.faults) result.faults.push_back(fault.line(file));
    for (const auto& fault : result.faults)
        log.write(LogLevel::error, "reload-refused", [&](LogLine& line) { line.add("fault", fault); });
    if (!result.faults.empty()) {
        service::ready("the changed configuration file has faults, the old settings stay in force");
        return result;
    }
    gate.while_running([&] { relay.reload(std::move(prepared)); });
    for (const auto& warning : reading.warnings) warn(log, "configuration", warning.line(file));
    if (gateway_mode_after) gateway_mode->reload(std::move(*gateway_mode_after));
    status.reload(status_terms(reading.settings, log));
    log.reload(reading.settings.log);
    result.after_restart_only = needs_restart(started, reading.settings);
    std::string later;
    for (const auto& key : result.after_restart_only) later.append(later.empty() ? "" : ", ").append(key);
    log.write(later.empty() ? LogLevel::info : LogLevel::warning, "reloaded",
              [&](LogLine& line) { line.add("file", file.native()).add_if("after_restart_only", later); });
    configuration.put(std::move(reading.settings));
    service::ready("");
    return result;
}

Gateway::Gateway(std::filesystem::path file, Settings settings, Log& log)
    : impl_(std::make_unique<Impl>(std::move(file), std::move(settings), log)) {}

Gateway::~Gateway() = default;

void Gateway::start() {
    impl_->relay.start();
    impl_->gate.open();
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
    const std::lock_guard no_change(impl_->configuration.changing());
    impl_->relay.stop(grace);
    impl_->directory.stop();
    if (impl_->gateway_mode) impl_->gateway_mode->stop();
    const bool ended = impl_->status.stop(std::chrono::seconds(3));
    impl_->log.write(LogLevel::info, "stopped", [](LogLine&) {});
    return ended;
}

}  // namespace postern::agent
