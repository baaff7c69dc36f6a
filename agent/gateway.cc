#include "agent/gateway.h"

#include <mutex>
#include <optional>
#include <shared_mutex>
#include <stdexcept>

#include "agent/address_text.h"
#include "agent/events.h"
#include "agent/gateway_mode_server.h"
#include "agent/metrics.h"
#include "agent/operations.h"
#include "agent/overrides.h"
#include "agent/policy_fetch.h"
#include "agent/readiness.h"
#include "agent/service.h"
#include "agent/status_server.h"
#include "agent/token.h"
#include "relay/relay.h"
#include "sync/sync.h"

namespace postern::agent {
namespace {

relay::SettingsPtr relay_settings(const Settings& settings, const Overrides& overrides) {
    return std::make_shared<const relay::Settings>(merged(settings.relay, overrides));
}

std::shared_ptr<PolicyFetch> policy_fetch(const Settings& settings) {
    return std::make_shared<PolicyFetch>(PolicyFetchSettings{.ca_file = settings.relay.tls.ca_file});
}

void warn(Log& log, std::string_view where, const std::string& text) {
    log.write(LogLevel::warning, "trouble",
              [&](LogLine& line) { line.add("where", where).add("text", text); });
}

/// What was set while running, as it was when the gateway ended.
Overrides kept_overrides(const std::filesystem::path& file, Log& log) {
    std::string trouble;
    auto overrides = load_overrides(file, trouble);
    if (!trouble.empty())
        log.write(LogLevel::error, "trouble",
                  [&](LogLine& line) { line.add("where", "overrides").add("text", trouble); });
    return overrides;
}

std::string token(const Settings& settings) {
    auto token = obtain_token(settings.token_file());
    if (!token) throw std::runtime_error("status.token_file: " + token.error());
    return *token;
}

GatewayModeTerms terms(const Settings& settings) {
    auto read = gateway_mode_terms(settings);
    if (!read) throw std::runtime_error(read.error());
    return std::move(*read);
}

/// What a reload cannot change, "" when nothing of it differs.
std::string needs_restart(const Settings& before, const Settings& after) {
    const auto listeners = [](const Settings& settings) {
        std::string text;
        for (const auto& listener : settings.relay.listeners)
            text.append(format_host_port(listener.address))
                .append(std::to_string(static_cast<int>(listener.tls)));
        return text;
    };
    std::string keys;
    const auto note = [&keys](bool differs, const char* key) {
        if (differs) keys.append(keys.empty() ? "" : ", ").append(key);
    };
    note(before.relay.state_dir != after.relay.state_dir, "state_dir");
    note(before.user != after.user, "user");
    note(listeners(before) != listeners(after), "listener");
    note(format_host_port(before.status.address) != format_host_port(after.status.address), "status.address");
    note(format_host_port(before.gateway_mode.address) != format_host_port(after.gateway_mode.address),
         "status.gateway_mode");
    note(before.token_file() != after.token_file(), "status.token_file");
    return keys;
}

}  // namespace

struct Gateway::Impl {
    Impl(std::filesystem::path config, Settings given, Log& log_);

    template <class Ask>
    auto while_running(Ask ask) {
        const std::shared_lock lock(gate);
        if (!running) throw Stopping();
        return ask();
    }

    Operations operations();
    void add_ways(Operations& operations);
    Ways ways();
    template <class Make>
    Changed change(const std::string& what, Make make);
    std::vector<std::string> not_ready();
    std::vector<std::string> reload();

    const std::filesystem::path file;
    Log& log;
    std::mutex reload_mutex;  // one reload at a time
    Settings settings;        // of the file in force; written under reload_mutex and gate
    const std::filesystem::path overrides_file;
    Overrides overrides;  // written under reload_mutex and gate
    Metrics metrics;
    Events events{log, metrics};
    std::shared_mutex gate;  // held shared while relay is asked, alone while that ends
    bool running = false;
    sync::Sync directory;  // publishes to relay once started
    relay::Relay relay;
    std::shared_ptr<PolicyFetch> policies;  // read and written under gate
    StatusServer status;
    std::optional<GatewayModeServer> gateway_mode;
};

Gateway::Impl::Impl(std::filesystem::path config, Settings given, Log& log_)
    : file(std::move(config)),
      log(log_),
      settings(std::move(given)),
      overrides_file(settings.relay.state_dir / "overrides.json"),
      overrides(kept_overrides(overrides_file, log)),
      directory(
          settings.synced(), settings.relay.state_dir, events,
          [this](std::shared_ptr<const sync::Snapshot> snapshot) { relay.publish(std::move(snapshot)); }),
      relay(relay_settings(settings, overrides), directory.snapshot(), events),
      policies(policy_fetch(settings)),
      status(settings.status.address, token(settings), operations()) {
    relay.ask_with(
        [this](const std::string& local_part, const std::string& domain, std::function<void()> done) {
            directory.ask(local_part, domain, std::move(done));
        });
    relay.notice_with([this](std::string_view domain) { directory.notice(domain); });
    relay.fetch_with(
        [this](const std::string& domain, const std::vector<std::string>& addresses, PolicyFetch::Done done) {
            const auto fetch = [this] {
                const std::shared_lock lock(gate);
                return policies;
            }();
            (*fetch)(domain, addresses, std::move(done));
        });
    if (!settings.gateway_mode.on()) return;
    gateway_mode.emplace(
        settings.gateway_mode.address, terms(settings),
        [this] { return while_running([this] { return relay.messages(); }); },
        [this](const GatewayModeEvent& event) { events.on(event); });
}

std::vector<std::string> Gateway::Impl::not_ready() {
    const std::shared_lock lock(gate);
    if (!running) return {Stopping().what()};
    // In this order: what the report says is in force in relay by the time its state is known.
    const auto report = directory.report();
    return reasons_not_ready(relay.state(), report, settings.relay.accept.sender != relay::Check::any,
                             std::chrono::system_clock::now());
}

Operations Gateway::Impl::operations() {
    Operations result;
    result.identity = {POSTERN_VERSION, settings.relay.hostname, std::chrono::system_clock::now()};
    result.state = [this] { return while_running([this] { return relay.state(); }); };
    result.not_ready = [this] { return not_ready(); };
    result.degraded = [this] { return while_running([this] { return reasons_degraded(relay.egress()); }); };
    result.metrics = [this] {
        const bool ready = not_ready().empty();
        return while_running(
            [&] { return metrics.text(relay.state(), relay.egress(), directory.report(), ready); });
    };
    result.totals = [this] { return metrics.totals(); };
    result.list = [this](const relay::QueueFilter& filter, std::size_t limit) {
        return while_running([&] { return relay.list(filter, limit); });
    };
    result.show = [this](const std::string& id) { return while_running([&] { return relay.show(id); }); };
    result.retry = [this](const relay::QueueFilter& filter) {
        return while_running([&] { return relay.retry(filter); });
    };
    result.remove = [this](const relay::QueueFilter& filter) {
        return while_running([&] { return relay.remove(filter); });
    };
    result.explain = [this](const std::string& from, const std::string& to, const std::string& client) {
        return while_running([&] { return relay.explain(from, to, client); });
    };
    result.directory = [this] { return directory.report(); };
    result.snapshot = [this] { return directory.snapshot(); };
    result.poll = [this] { while_running([this] { directory.poll_now(); }); };
    result.accept = [this] { while_running([this] { directory.accept_suspicions(); }); };
    result.forget = [this](const std::string& local_part, const std::string& domain) {
        return directory.forget(local_part, domain);
    };
    result.reload = [this] { return reload(); };
    add_ways(result);
    return result;
}

Ways Gateway::Impl::ways() {
    return while_running([this] {
        return Ways{relay.gateways(), settings.relay.routes, relay.egress(), overrides};
    });
}

/// Makes the new overrides from those in force; they are on the disk before relay has them.
template <class Make>
Changed Gateway::Impl::change(const std::string& what, Make make) {
    const std::lock_guard one_at_a_time(reload_mutex);
    auto changed = make(overrides, settings.relay);
    if (!changed) return tl::make_unexpected(changed.error());
    while_running([&] {
        const auto saved = save_overrides(overrides_file, *changed);
        if (!saved) changed = tl::make_unexpected(Objection{Objection::Kind::failed, saved.error()});
        if (saved) relay.reload(relay_settings(settings, *changed));
    });
    if (!changed) return tl::make_unexpected(changed.error());
    log.write(LogLevel::info, "changed", [&](LogLine& line) { line.add("what", what); });
    const std::unique_lock lock(gate);
    overrides = std::move(*changed);
    return {};
}

void Gateway::Impl::add_ways(Operations& operations) {
    using Filter = relay::QueueFilter;
    operations.hold = [this](const Filter& filter) {
        return while_running([&] { return relay.hold(filter); });
    };
    operations.release = [this](const Filter& filter) {
        return while_running([&] { return relay.release(filter); });
    };
    operations.bounce = [this](const Filter& filter, const std::string& reason) {
        return while_running([&] { return relay.bounce(filter, reason); });
    };
    operations.move = [this](const Filter& filter, const std::string& gateway) {
        return while_running([&] { return relay.move(filter, gateway); });
    };
    operations.ways = [this] { return ways(); };
    operations.set_route = [this](const relay::RouteSettings& route) {
        return change("route for " + in_words(route) + " set to gateway " + route.gateway,
                      [&](const Overrides& before, const auto& from_file) {
                          return set_route(before, from_file, route);
                      });
    };
    operations.unset_route = [this](const relay::RouteSettings& route) {
        return change("route for " + in_words(route) + " unset",
                      [&](const Overrides& before, const auto& from_file) {
                          return unset_route(before, from_file, route);
                      });
    };
    operations.enable = [this](const std::string& name, bool enabled) {
        return change("gateway " + name + (enabled ? " enabled" : " disabled"),
                      [&](const Overrides& before, const auto& from_file) {
                          return enable_gateway(before, from_file, name, enabled);
                      });
    };
    operations.suspend = [this](const std::string& address, bool suspended) {
        return change("egress " + address + (suspended ? " suspended" : " resumed"),
                      [&](const Overrides& before, const auto& from_file) {
                          return suspend_egress(before, from_file, address, suspended);
                      });
    };
    operations.absolve = [this](const std::string& address, const std::string& site) {
        return while_running([&] { return relay.absolve(address, site); });
    };
}

std::vector<std::string> Gateway::Impl::reload() {
    const std::lock_guard one_at_a_time(reload_mutex);
    service::reloading();
    auto reading = read_settings(file);
    check_files(reading);
    std::vector<std::string> faults;
    faults.reserve(reading.faults.size());
    for (const auto& fault : reading.faults) faults.push_back(fault.line(file));
    std::optional<GatewayModeTerms> gateway_mode_after;
    if (faults.empty() && gateway_mode && reading.settings.gateway_mode.on()) {
        auto read = gateway_mode_terms(reading.settings);
        if (read)
            gateway_mode_after = std::move(*read);
        else
            faults.push_back(Fault{{}, "", read.error()}.line(file));
    }
    if (faults.empty()) {
        const std::unique_lock lock(gate);
        if (!running) throw Stopping();
        try {
            directory.reload(reading.settings.synced());
        } catch (const std::invalid_argument& error) {
            faults.push_back(Fault{{}, "primary", error.what()}.line(file));
        }
    }
    if (!faults.empty()) {
        for (const auto& fault : faults)
            log.write(LogLevel::error, "reload-refused", [&](LogLine& line) { line.add("fault", fault); });
        service::ready("the changed configuration file has faults, the old settings stay in force");
        return faults;
    }
    while_running([&] { relay.reload(relay_settings(reading.settings, overrides)); });
    for (const auto& fault : egress_faults(reading)) warn(log, "egress", fault.line(file));
    std::shared_ptr<PolicyFetch> former;
    if (reading.settings.relay.tls.ca_file != settings.relay.tls.ca_file) {
        former = policy_fetch(reading.settings);
        const std::unique_lock lock(gate);
        former.swap(policies);
    }
    if (former) former->stop();
    if (gateway_mode_after) gateway_mode->reload(std::move(*gateway_mode_after));
    log.reload(reading.settings.log);
    const auto later = needs_restart(settings, reading.settings);
    log.write(later.empty() ? LogLevel::info : LogLevel::warning, "reloaded",
              [&](LogLine& line) { line.add("file", file.native()).add_if("after_restart_only", later); });
    {
        const std::unique_lock lock(gate);
        settings = std::move(reading.settings);
    }
    service::ready("");
    return {};
}

Gateway::Gateway(std::filesystem::path file, Settings settings, Log& log)
    : impl_(std::make_unique<Impl>(std::move(file), std::move(settings), log)) {}

Gateway::~Gateway() = default;

void Gateway::start() {
    impl_->relay.start();
    impl_->running = true;
    impl_->directory.start();
    impl_->status.start();
    if (impl_->gateway_mode) impl_->gateway_mode->start();
    impl_->log.write(LogLevel::info, "started", [&](LogLine& line) {
        const auto& settings = impl_->settings;
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

std::vector<std::string> Gateway::reload() { return impl_->reload(); }

std::string Gateway::summary() {
    const auto reasons = impl_->not_ready();
    const auto state = impl_->while_running([this] { return impl_->relay.state(); });
    return (reasons.empty() ? std::string("ready") : "not ready: " + reasons.front()) + ", " +
           std::to_string(state.messages) + " messages in the queue";
}

void Gateway::hurry() { impl_->relay.hurry(); }

bool Gateway::stop(std::chrono::seconds grace) {
    impl_->log.write(LogLevel::info, "stopping", [](LogLine&) {});
    {
        const std::unique_lock lock(impl_->gate);
        impl_->running = false;
    }
    impl_->relay.stop(grace);
    impl_->policies->stop();
    impl_->directory.stop();
    if (impl_->gateway_mode) impl_->gateway_mode->stop();
    const bool ended = impl_->status.stop(std::chrono::seconds(3));
    impl_->log.write(LogLevel::info, "stopped", [](LogLine&) {});
    return ended;
}

}  // namespace postern::agent
