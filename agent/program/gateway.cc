#include "agent/program/gateway.h"

#include <unistd.h>

#include <atomic>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <stdexcept>

#include "agent/gateway_mode/server.h"
#include "agent/http/door.h"
#include "agent/http/token.h"
#include "agent/log/events.h"
#include "agent/log/metrics.h"
#include "agent/machine/address_text.h"
#include "agent/program/service.h"
#include "agent/settings/environment.h"
#include "agent/settings/overrides.h"
#include "agent/status/operations.h"
#include "agent/status/readiness.h"
#include "agent/status/server.h"
#include "relay/relay.h"
#include "sync/base/clock.h"
#include "sync/sync.h"

namespace postern::agent {
namespace {

relay::SettingsPtr relay_settings(const Settings& settings, const Overrides& overrides) {
    return std::make_shared<const relay::Settings>(merged(settings.relay, overrides));
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

std::filesystem::path overrides_path(const Settings& settings) {
    return settings.relay.state_dir / "overrides.json";
}

constexpr unsigned most_explaining = door_workers - 1;  // one is left to other operators
constexpr std::chrono::seconds longest_explaining{30};

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
    Changed change(Make make);
    std::vector<std::string> not_ready();
    Reloaded reload();
    relay::Explanation explain(const std::string& from, const std::string& to, const std::string& client);

    const std::filesystem::path file;
    Log& log;
    const Settings started;   // what runs, of what only a restart can change
    std::mutex change_mutex;  // one reload or change at a time
    std::mutex facts;   // over the two below, while they are copied; they are written under change_mutex
    Settings settings;  // of the file in force
    Overrides overrides;
    const std::filesystem::path overrides_file;
    Metrics metrics;
    Events events{log, metrics};
    std::shared_mutex gate;  // held shared while relay is asked, alone while that ends
    std::atomic<bool> running{false};
    std::atomic<unsigned> explaining{0};
    sync::Sync directory;  // publishes to relay once started
    relay::Relay relay;
    StatusServer status;
    std::optional<GatewayModeServer> gateway_mode;
};

Gateway::Impl::Impl(std::filesystem::path config, Settings given, Log& log_)
    : file(std::move(config)),
      log(log_),
      started(given),
      settings(std::move(given)),
      overrides(kept_overrides(overrides_path(settings), log)),
      overrides_file(overrides_path(settings)),
      directory(
          settings.synced(), settings.relay.state_dir, events,
          [this](std::shared_ptr<const sync::Snapshot> snapshot) { relay.publish(std::move(snapshot)); }),
      relay(relay_settings(settings, overrides), directory.snapshot(), events),
      status({settings.status.address, settings.socket(), geteuid()}, status_terms(settings, log),
             operations(),
             [this](const std::string& where, const std::string& text) { warn(log, where, text); }) {
    relay.ask_with(
        [this](const std::string& local_part, const std::string& domain, std::function<void(bool)> done) {
            directory.ask(local_part, domain, std::move(done));
        });
    relay.notice_with([this](std::string_view local_part, std::string_view domain) {
        directory.notice(local_part, domain);
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
    const bool directory_needed = [this] {
        const std::lock_guard facts_lock(facts);
        return settings.relay.accept.sender != relay::Check::any;
    }();
    return reasons_not_ready(relay.state(), report, directory_needed, std::chrono::system_clock::now());
}

Operations Gateway::Impl::operations() {
    Operations result;
    result.identity = {POSTERN_VERSION, settings.relay.hostname, std::chrono::system_clock::now()};
    result.state = [this] { return while_running([this] { return relay.state(); }); };
    result.not_ready = [this] { return not_ready(); };
    result.degraded = [this] {
        auto reasons = while_running([this] { return reasons_degraded(relay.egress()); });
        if (auto why = while_running([this] { return relay.dns_trouble(); }); !why.empty())
            reasons.push_back(std::move(why));
        for (auto& why : directory_troubles(directory.report())) reasons.push_back(std::move(why));
        for (auto& why : while_running([this] { return next_hop_troubles(relay.state()); }))
            reasons.push_back(std::move(why));
        for (auto& why : status.troubles()) reasons.push_back(std::move(why));
        return reasons;
    };
    result.metrics = [this] {
        const bool ready = not_ready().empty();
        return while_running(
            [&] { return metrics.text(relay.state(), relay.egress(), directory.report(), ready); });
    };
    result.totals = [this] { return metrics.totals(); };
    result.list = [this](const relay::QueueFilter& filter, std::size_t limit, std::size_t skip,
                         relay::QueueOrder order) {
        return while_running([&] { return relay.list(filter, limit, skip, order); });
    };
    result.summary = [this](const relay::QueueFilter& filter, std::size_t most) {
        return while_running([&] { return relay.summary(filter, most); });
    };
    result.show = [this](const std::string& id) { return while_running([&] { return relay.show(id); }); };
    result.retry = [this](const relay::QueueFilter& filter) {
        return while_running([&] { return relay.retry(filter); });
    };
    result.remove = [this](const relay::QueueFilter& filter) {
        return while_running([&] { return relay.remove(filter); });
    };
    result.explain = [this](const std::string& from, const std::string& to, const std::string& client) {
        return explain(from, to, client);
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
    Ways result;
    while_running([&] {
        result.gateways = relay.gateways();
        result.egress = relay.egress();
    });
    const std::lock_guard lock(facts);
    result.routes = settings.relay.routes;
    result.overrides = overrides;
    return result;
}

/// Asks name servers, so it holds nothing that others wait for, and few may do it at a time.
relay::Explanation Gateway::Impl::explain(const std::string& from, const std::string& to,
                                          const std::string& client) {
    struct Place {
        std::atomic<unsigned>& taken;
        explicit Place(std::atomic<unsigned>& count) : taken(count) {
            if (++taken > most_explaining) {
                --taken;
                throw Busy();
            }
        }
        ~Place() { --taken; }
    } const place(explaining);
    auto begun = while_running([&] { return relay.explain(from, to, client); });
    const auto until = base::steady_now() + longest_explaining;
    if (!begun.whole.valid()) return begun.so_far;
    while (begun.whole.wait_for(std::chrono::milliseconds(50)) != std::future_status::ready) {
        if (!running) throw Stopping();
        if (base::steady_now() < until) continue;
        begun.so_far.hosts.emplace_back("the name servers do not answer");
        return begun.so_far;
    }
    return begun.whole.get();
}

/// Makes the new overrides from those in force; they are on the disk before relay has them.
template <class Make>
Changed Gateway::Impl::change(Make make) {
    const std::lock_guard one_at_a_time(change_mutex);
    auto changed = make(overrides, settings.relay);
    if (!changed) return tl::make_unexpected(changed.error());
    std::shared_ptr<const relay::Relay::Prepared> prepared;
    try {
        prepared = relay::Relay::prepare(relay_settings(settings, *changed));
    } catch (const std::runtime_error& error) {
        return tl::make_unexpected(Objection{Objection::Kind::failed, error.what()});
    }
    while_running([&] {
        const auto saved = save_overrides(overrides_file, *changed);
        if (!saved) changed = tl::make_unexpected(Objection{Objection::Kind::failed, saved.error()});
        if (saved) relay.reload(std::move(prepared));
    });
    if (!changed) return tl::make_unexpected(changed.error());
    const std::lock_guard lock(facts);
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
        return change(
            [&](const auto& before, const auto& from_file) { return set_route(before, from_file, route); });
    };
    operations.unset_route = [this](const relay::RouteSettings& route) {
        return change(
            [&](const auto& before, const auto& from_file) { return unset_route(before, from_file, route); });
    };
    operations.enable = [this](const std::string& name, bool enabled) {
        return change([&](const auto& before, const auto& from_file) {
            return enable_gateway(before, from_file, name, enabled);
        });
    };
    operations.suspend = [this](const std::string& address, bool suspended) {
        return change([&](const auto& before, const auto& from_file) {
            return suspend_egress(before, from_file, address, suspended);
        });
    };
    operations.changed = [this](const std::string& by, const std::string& what,
                                std::optional<std::size_t> messages) {
        log.write(LogLevel::info, "changed", [&](LogLine& line) {
            line.add("what", what);
            if (messages) line.add("messages", std::uint64_t{*messages});
            line.add_if("by", by);
        });
    };
    operations.absolve = [this](const std::string& address, const std::string& site) {
        return while_running([&] { return relay.absolve(address, site); });
    };
}

Reloaded Gateway::Impl::reload() {
    const std::lock_guard one_at_a_time(change_mutex);
    service::reloading();
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
            prepared = relay::Relay::prepare(relay_settings(reading.settings, overrides));
        } catch (const std::runtime_error& error) {
            reading.fault("state_dir", error.what());
        }
    }
    if (reading.faults.empty()) {
        try {
            while_running([&] { directory.reload(reading.settings.synced()); });
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
    while_running([&] { relay.reload(std::move(prepared)); });
    for (const auto& warning : reading.warnings) warn(log, "configuration", warning.line(file));
    if (gateway_mode_after) gateway_mode->reload(std::move(*gateway_mode_after));
    status.reload(status_terms(reading.settings, log));
    log.reload(reading.settings.log);
    result.after_restart_only = needs_restart(started, reading.settings);
    std::string later;
    for (const auto& key : result.after_restart_only) later.append(later.empty() ? "" : ", ").append(key);
    log.write(later.empty() ? LogLevel::info : LogLevel::warning, "reloaded",
              [&](LogLine& line) { line.add("file", file.native()).add_if("after_restart_only", later); });
    {
        const std::lock_guard lock(facts);
        settings = std::move(reading.settings);
    }
    service::ready("");
    return result;
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

void Gateway::reload() { impl_->reload(); }

std::string Gateway::summary() {
    const auto reasons = impl_->not_ready();
    const auto state = impl_->while_running([this] { return impl_->relay.state(); });
    return (reasons.empty() ? std::string("ready") : "not ready: " + reasons.front()) + ", " +
           std::to_string(state.messages) + " messages in the queue";
}

void Gateway::hurry() { impl_->relay.hurry(); }

bool Gateway::stop(std::chrono::seconds grace) {
    impl_->log.write(LogLevel::info, "stopping", [](LogLine&) {});
    // First the word, then the wait: those who come now are sent away, so it ends when those inside leave.
    impl_->running = false;
    { const std::unique_lock lock(impl_->gate); }
    const std::lock_guard no_change(impl_->change_mutex);
    impl_->relay.stop(grace);
    impl_->directory.stop();
    if (impl_->gateway_mode) impl_->gateway_mode->stop();
    const bool ended = impl_->status.stop(std::chrono::seconds(3));
    impl_->log.write(LogLevel::info, "stopped", [](LogLine&) {});
    return ended;
}

}  // namespace postern::agent
