#include "agent/settings/environment.h"

#include <openssl/err.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <stdexcept>
#include <system_error>

#include "agent/machine/address_text.h"
#include "agent/machine/sockets.h"
#include "agent/settings/giveaways.h"
#include "agent/settings/own_certificate.h"
#include "relay/net/tls.h"
#include "relay/reception/srs_secret.h"
#include "relay/screening/screening.h"
#include "sync/base/disk.h"
#include "sync/base/file.h"
#include "sync/base/file_fault.h"
#include "sync/base/ip_address.h"

namespace postern::agent {
namespace {

std::string system_text(int error) { return std::generic_category().message(error); }

bool has_fault(const ParsedConfiguration& parsed, std::string_view key) {
    return std::any_of(parsed.faults.begin(), parsed.faults.end(),
                       [key](const Fault& fault) { return fault.key == key; });
}

/// The words of an exception name the key first.
void tell(ParsedConfiguration& parsed, const std::string& text) {
    for (const std::string key : {"tls.certificate", "tls.private_key", "tls.ca_file"})
        if (text.starts_with(key + ' ')) return parsed.fault(key, text.substr(key.size() + 1));
    parsed.fault("tls", text);
}

void check_tls_files(ParsedConfiguration& parsed, base::Time now) {
    const auto& tls = parsed.settings.relay.tls;
    for (const auto* key : {"tls.certificate", "tls.private_key", "tls.ca_file"})
        if (has_fault(parsed, key)) return;
    try {
        // A certificate that has ended is no fault: mail would stop, where it is better sent with an old one.
        if (const auto context = relay::net::server_context(tls))
            for (auto& trouble :
                 own_certificate(context->native_handle(), parsed.settings.relay.hostname, now).troubles)
                parsed.warn("tls.certificate", std::move(trouble));
        if (!tls.ca_file.empty()) relay::net::client_context(tls);
    } catch (const std::runtime_error& error) {
        tell(parsed, error.what());
    }
    const auto& directories = parsed.settings.directories;
    for (std::size_t i = 0; i < directories.size(); ++i) {
        const std::string key = "primary[" + std::to_string(i) + "].ca_file";
        if (directories[i].ca_file.empty() || has_fault(parsed, key)) continue;
        relay::TlsSettings trusted;
        trusted.ca_file = directories[i].ca_file;
        try {
            relay::net::client_context(trusted);
        } catch (const std::runtime_error&) {
            parsed.fault(key, '"' + directories[i].ca_file.string() + "\" holds no certificate in PEM");
        }
    }
    ERR_clear_error();
}

/// Ports are freed and addresses come up: what is told here is worth trying again.
void passing_fault(ParsedConfiguration& parsed, const std::string& key, std::string text) {
    parsed.fault(key, std::move(text));
    if (!parsed.faults.empty() && parsed.faults.back().key == key) parsed.faults.back().passing = true;
}

/// Whether a start could use it, or make it.
void check_state_dir(ParsedConfiguration& parsed) {
    const auto& directory = parsed.settings.relay.state_dir;
    if (directory.empty() || has_fault(parsed, "state_dir")) return;
    const auto fault = [&](const std::string& why) {
        passing_fault(parsed, "state_dir", '"' + directory.string() + "\" " + why);
    };
    struct stat status {};
    if (stat(directory.c_str(), &status) == 0) {
        if (!S_ISDIR(status.st_mode)) return fault("is not a directory");
        if (faccessat(AT_FDCWD, directory.c_str(), R_OK | W_OK | X_OK, AT_EACCESS) == 0) return;
        const std::string why = system_text(errno);  // before a look-up of the account changes it
        return fault("cannot be used by " + account_name(geteuid()) + ": " + why);
    }
    if (errno != ENOENT) return fault("cannot be used: " + base::file_trouble(directory, base::last_error()));
    auto above = directory.parent_path();
    while (above.has_relative_path() && stat(above.c_str(), &status) != 0 && errno == ENOENT)
        above = above.parent_path();
    if (stat(above.c_str(), &status) != 0 || !S_ISDIR(status.st_mode))
        fault("cannot be made: " + above.string() + " is not a directory");
}

bool is_folder(std::string_view name) { return name == "spool" || name == "content" || name == "damaged"; }

bool is_read_at_start(std::string_view name) {
    constexpr std::array<std::string_view, 4> known{"client-id", "directory.cache", "egress.state",
                                                    "overrides.json"};
    return std::find(known.begin(), known.end(), name) != known.end();
}

bool is_of_the_mail(std::string_view name) {
    return name == "lock" || name.ends_with(".segment") || name.ends_with(".volume");
}

bool is_written_from_start_on(std::string_view name) {
    return is_of_the_mail(name) || name == "spool" || name == "content";
}

bool is_file(std::string_view name) {
    return is_read_at_start(name) || is_of_the_mail(name) || name == "checkpoint" || name == "srs.secret" ||
           name == "marks.secret";
}

/// The first of its kind is.
void tell(std::string& text, std::string what) {
    if (text.empty()) text = std::move(what);
}

/// What is in it, made by root's hand or copied as root: a start needs some of it, and does badly without the
/// rest.
void check_state(ParsedConfiguration& parsed) {
    const auto& directory = parsed.settings.relay.state_dir;
    if (directory.empty() || has_fault(parsed, "state_dir")) return;
    std::error_code none;
    std::string refused, wanting;
    const auto look = [&](const std::filesystem::directory_entry& entry) {
        const auto& path = entry.path();
        const auto name = path.filename().string();
        std::error_code unseen;
        const auto kind = std::filesystem::status(path, unseen).type();
        const bool other = is_folder(name) ? kind != std::filesystem::file_type::directory
                                           : is_file(name) && kind != std::filesystem::file_type::regular;
        if (!unseen && other)
            return tell(refused, path.string() + (is_folder(name) ? " is no folder" : " is no file"));
        const auto may = [&](int how) {
            if (faccessat(AT_FDCWD, path.c_str(), how, AT_EACCESS) == 0) return std::string();
            return base::file_fault(path, base::last_error());
        };
        const int all = R_OK | W_OK | (kind == std::filesystem::file_type::directory ? X_OK : 0);
        if (is_read_at_start(name)) tell(refused, may(R_OK));
        tell(is_written_from_start_on(name) ? refused : wanting, may(all));
    };
    for (const auto& folder : {directory, directory / "spool"})
        for (const auto& entry : std::filesystem::directory_iterator(folder, none)) look(entry);
    if (!refused.empty()) return passing_fault(parsed, "state_dir", refused);
    if (!wanting.empty()) parsed.warn("state_dir", wanting);
    try {
        base::SystemDisk disk;
        const auto& relay = parsed.settings.relay;
        if (std::filesystem::exists(directory / "srs.secret", none)) relay::rewriting(disk, relay);
        if (std::filesystem::exists(directory / "marks.secret", none)) relay::marks_for(disk, relay);
    } catch (const std::runtime_error& error) {
        passing_fault(parsed, "state_dir", error.what());
    }
}

void check_listeners(ParsedConfiguration& parsed, const InUse& in_use) {
    const auto& listeners = parsed.settings.relay.listeners;
    for (std::size_t i = 0; i < listeners.size(); ++i) {
        const auto& address = listeners[i].address;
        const std::string key = "listener[" + std::to_string(i) + "].address";
        if (!base::is_ip_literal(address.host) || has_fault(parsed, key)) continue;
        const auto& held = in_use.addresses;
        if (std::any_of(held.begin(), held.end(),
                        [&](const auto& each) { return same_place(each, address); }))
            continue;
        const base::Descriptor fd = bound_socket(address);
        const int error = !fd || listen(fd.get(), 1) != 0 ? errno : 0;
        // Low ports are the service's to have; an ordinary user who only looks cannot tell.
        if (error == 0 || error == EACCES || (error == EADDRINUSE && in_use.every_address)) continue;
        passing_fault(parsed, key,
                      '"' + format_host_port(address) + "\" cannot be bound: " + system_text(error) +
                          (error == EADDRINUSE      ? "; another mail server is probably running"
                           : error == EADDRNOTAVAIL ? "; it is not an address of this machine"
                                                    : ""));
    }
}

}  // namespace

void check_environment(ParsedConfiguration& parsed, const InUse& in_use, base::Time now,
                       const std::optional<Account>& account) {
    check_listeners(parsed, in_use);
    std::optional<ActingAs> acting;
    if (account) acting.emplace(*account);
    check_files(parsed);
    check_tls_files(parsed, now);
    check_state_dir(parsed);
    check_state(parsed);
    warn_of_giveaways(parsed);
    sort_as_in_file(parsed.warnings);
}

std::vector<Fault> egress_faults(const ParsedConfiguration& parsed) {
    ParsedConfiguration found{{}, parsed.positions, {}, {}};
    const auto& egress = parsed.settings.relay.egress;
    for (std::size_t i = 0; i < egress.size(); ++i) {
        if (egress[i].address.empty()) continue;  // its text is at fault, which was told
        if (auto fault = binding_fault(egress[i].address); !fault.empty())
            found.fault("egress[" + std::to_string(i) + "].address", '"' + egress[i].address + "\" " + fault);
    }
    return found.faults;
}

}  // namespace postern::agent
