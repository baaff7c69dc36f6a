#include "agent/program/run.h"

#include <signal.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <stop_token>
#include <system_error>
#include <thread>

#include "agent/command/client.h"
#include "agent/command/online_check.h"
#include "agent/http/answer.h"
#include "agent/log/log.h"
#include "agent/machine/descriptor_limit.h"
#include "agent/machine/privileges.h"
#include "agent/machine/sockets.h"
#include "agent/program/gateway.h"
#include "agent/program/service.h"
#include "agent/program/signals.h"
#include "agent/settings/environment.h"
#include "agent/settings/settings.h"
#include "agent/status/views.h"
#include "sync/base/file_fault.h"

namespace postern::agent {
namespace {

constexpr std::chrono::seconds grace{30};

/// The account to become, when root is to be given up.
std::optional<Account> account_to_become(ParsedConfiguration& parsed) {
    if (geteuid() != 0 || parsed.settings.user.empty() || parsed.settings.user == "root") return std::nullopt;
    auto account = find_account(parsed.settings.user);
    if (account) return *account;
    parsed.fault("user", account.error());
    return std::nullopt;
}

/// Everything that can be found wrong before anything is opened.
std::optional<Account> check_all(ParsedConfiguration& parsed, const InUse& in_use, base::Time now) {
    if (!parsed.faults.empty() && parsed.positions.empty()) return std::nullopt;  // not even TOML
    auto account = account_to_become(parsed);
    check_environment(parsed, in_use, now, account);
    return account;
}

/// What systemd has bound for us.
InUse passed_places() {
    InUse in_use;
    if (const auto passed = passed_sockets())
        for (const auto& socket : *passed) in_use.addresses.push_back(socket.address);
    return in_use;
}

/// A gateway that runs with this state_dir holds its ports rightly.
InUse running_places(const Settings& settings, const base::Clock& clock) {
    InUse in_use = passed_places();
    in_use.every_address = call(settings.socket(), {"GET", "/healthz", {}}, clock).has_value();
    return in_use;
}

void print_faults(const ParsedConfiguration& parsed, const std::filesystem::path& config) {
    for (const auto& fault : parsed.faults)
        std::fprintf(stderr, "%s\n", printable(fault.line(config)).c_str());
    for (const auto& warning : parsed.warnings)
        std::fprintf(stderr, "warning: %s\n", printable(warning.line(config)).c_str());
}

/// Of the commands' socket, which the account could not make in /run itself.
void make_runtime_directory(const Settings& settings, const std::optional<Account>& account) {
    if (!account || settings.socket().parent_path() != runtime_directory) return;
    const std::string directory(runtime_directory);
    if (mkdir(directory.c_str(), 0755) != 0)
        return;  // made by systemd, or told when the socket cannot be made
    if (chmod(directory.c_str(), 0755) != 0 || chown(directory.c_str(), account->user, account->group) != 0)
        rmdir(directory.c_str());
}

std::string make_state_dir(const std::filesystem::path& directory, const std::optional<Account>& account) {
    struct stat status {};
    if (::stat(directory.c_str(), &status) == 0)
        return S_ISDIR(status.st_mode) ? "" : directory.string() + " is not a directory";
    std::error_code error;
    std::filesystem::create_directories(directory, error);
    if (!error && account && chown(directory.c_str(), account->user, account->group) != 0)
        error.assign(errno, std::generic_category());
    return error ? "cannot make " + base::file_fault(directory, error) : "";
}

/// Binds what needs root, then gives root up. Words when something fails.
std::string take_places(Settings& settings, const std::optional<Account>& account) {
    if (auto fault = make_state_dir(settings.relay.state_dir, account); !fault.empty())
        return "state_dir: " + fault;
    make_runtime_directory(settings, account);
    const auto passed = passed_sockets();
    if (!passed) return passed.error();
    if (const auto assigned = assign(*passed, settings.relay.listeners); !assigned) return assigned.error();
    if (!account) return "";
    if (const auto bound = bind_remaining(settings.relay.listeners); !bound) return bound.error();
    become(*account);
    return "";
}

/// Reloads on a thread of its own: what a file or a name server takes must not keep the watchdog waiting.
class Reloader {
public:
    explicit Reloader(Gateway& gateway) : gateway_(gateway) {}

    void ask() {
        ++asked_;
        asked_.notify_one();
    }

private:
    void work(const std::stop_token& stop) {
        const std::stop_callback wake(stop, [this] { ask(); });
        for (unsigned done = 0;;) {
            asked_.wait(done);
            done = asked_;  // several signals while one reload goes on are one more
            if (stop.stop_requested()) return;
            try {
                gateway_.reload();
            } catch (const std::exception&) {  // it is stopping
            }
        }
    }

    Gateway& gateway_;
    std::atomic<unsigned> asked_{0};
    std::jthread thread_{[this](const std::stop_token& stop) { work(stop); }};
};

/// Waits for signals on this thread, feeds the watchdog meanwhile; returns when it is time to stop.
void serve(Gateway& gateway, const Signals& signals) {
    Reloader reloader(gateway);
    const auto interval = service::watchdog_interval();
    for (;;) {
        const int signal = signals.wait(interval.value_or(std::chrono::hours(1)));
        if (Signals::ends(signal)) return;
        if (signal == SIGHUP) reloader.ask();
        if (interval) service::alive(gateway.summary());
    }
}

/// Stops, at once when a second signal to end comes meanwhile. False as Gateway::stop.
bool stop(Gateway& gateway, const Signals& signals) {
    std::atomic<bool> over{false};
    auto stopped = std::async(std::launch::async, [&] {
        const std::shared_ptr<void> at_the_end(nullptr, [&](void*) {
            over = true;
            signals.wake();
        });
        return gateway.stop(grace);
    });
    while (!over)
        if (Signals::ends(signals.wait())) gateway.hurry();
    return stopped.get();
}

int serve_until_told(const std::filesystem::path& config, Settings settings, Log& log,
                     const base::Clock& clock, base::Disk& disk, const Signals& signals) {
    std::optional<Gateway> gateway;
    try {
        gateway.emplace(config, std::move(settings), log, clock, disk);
        gateway->start();
    } catch (const std::exception& error) {
        log.write(LogLevel::error, "not-started", [&](LogLine& line) { line.add("reason", error.what()); });
        return EX_OSERR;
    }
    service::ready(gateway->summary());
    serve(*gateway, signals);
    service::stopping();
    // A client that holds on to the status endpoint must not keep the process; mail and directory are closed
    // by now.
    if (!stop(*gateway, signals)) {
        log.settle();
        std::_Exit(EX_OK);
    }
    return EX_OK;
}

/// Each line as soon as it is known: who waits sees for what.
std::vector<relay::Finding> show_online(const Settings& settings, const base::Clock& clock,
                                        const Command& command) {
    const auto names = tried_online(settings);
    if (isatty(STDERR_FILENO) != 0) std::fprintf(stderr, "%s", trying(names).c_str());
    const FindingTable table(names);
    std::printf("\n%s", table.heading().c_str());
    std::fflush(stdout);
    auto findings =
        check_online(settings, clock, command.from, command.to, [&](const relay::Finding& finding) {
            std::fputs(table.line(finding).c_str(), stdout);
            std::fflush(stdout);
        });
    std::fputs(what_to_do(findings).c_str(), stdout);
    return findings;
}

}  // namespace

int run(const std::filesystem::path& config, const base::Clock& clock, base::Disk& disk) {
    umask(077);
    signal(SIGPIPE, SIG_IGN);
    const Signals signals;
    const auto raised = raise_descriptor_limit();

    auto parsed = read_settings(config);
    const auto account = check_all(parsed, passed_places(), clock.wall());
    if (!parsed.faults.empty()) {
        print_faults(parsed, config);
        const bool passing = std::all_of(parsed.faults.begin(), parsed.faults.end(),
                                         [](const Fault& fault) { return fault.passing; });
        return passing ? EX_OSERR : EX_CONFIG;
    }
    Log log(parsed.settings.log, clock);
    const auto warn = [&log](std::string_view where, const std::string& text) {
        log.write(LogLevel::warning, "trouble",
                  [&](LogLine& line) { line.add("where", where).add("text", text); });
    };
    if (!raised) warn("machine", raised.error());
    if (const auto fault = take_places(parsed.settings, account); !fault.empty()) {
        log.write(LogLevel::error, "not-started", [&](LogLine& line) { line.add("reason", fault); });
        return EX_OSERR;
    }
    auto warnings = std::move(parsed.warnings);
    for (auto& fault : egress_faults(parsed)) warnings.push_back(std::move(fault));
    for (const auto& warning : warnings) warn("configuration", warning.line(config));
    return serve_until_told(config, std::move(parsed.settings), log, clock, disk, signals);
}

int check(const Command& command, const base::Clock& clock) {
    auto parsed = read_settings(command.config);
    check_all(parsed, running_places(parsed.settings, clock), clock.wall());
    const bool online = parsed.faults.empty() && command.online;
    for (auto& fault : egress_faults(parsed)) parsed.faults.push_back(std::move(fault));
    const bool right = parsed.faults.empty();
    if (!command.json) {
        print_faults(parsed, command.config);
        if (right) std::printf("%s: no faults\n", command.config.c_str());
    }
    std::vector<relay::Finding> findings;
    if (online)
        findings = command.json ? check_online(parsed.settings, clock, command.from, command.to)
                                : show_online(parsed.settings, clock, command);
    if (command.json) std::fputs(dump(check_view(command.config, parsed, findings)).c_str(), stdout);
    return !right ? EX_CONFIG : all_right(findings) ? EX_OK : EX_UNAVAILABLE;
}

}  // namespace postern::agent
