#include "agent/program/dkim.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "agent/http/answer.h"
#include "agent/log/log_line.h"
#include "agent/machine/privileges.h"
#include "agent/settings/settings.h"
#include "relay/signing/keyring.h"
#include "sync/base/ascii.h"
#include "sync/base/domain_name.h"
#include "sync/base/file.h"
#include "sync/base/file_fault.h"
#include "sync/base/time_text.h"

namespace postern::agent {
namespace {

namespace fs = std::filesystem;
using relay::DkimKey;
using relay::DomainKey;

constexpr std::size_t string_max = 255;  // of a TXT record (RFC 1035 §3.3.14)

int refuse(const std::string& why, int code) {
    std::fprintf(stderr, "postern: %s\n", printable(why).c_str());
    return code;
}

/// The settings; nullopt with the fault printed when the file cannot be read.
std::optional<Settings> settings_of(const Command& command) {
    const auto reading = read_settings(command.config);
    if (!reading.positions.empty() || reading.faults.empty()) return reading.settings;
    std::fprintf(stderr, "%s\n", printable(reading.faults.front().line(command.config)).c_str());
    return std::nullopt;
}

/// "p20261128": another with each day, so that the one before stays valid for what is on its way.
std::string selector_of(base::Time now) {
    std::string day = base::iso_time(now).substr(0, std::string_view("2026-01-31").size());
    std::erase(day, '-');
    return 'p' + day;
}

/// As a zone file has it; an RSA key is longer than one string may be.
std::string zone_line(const DomainKey& key) {
    std::string out = key.name() + ". IN TXT (";
    std::string record = key.key.record();
    while (!record.empty()) {
        out += " \"" + record.substr(0, string_max) + '"';
        record.erase(0, string_max);
    }
    return out + " )\n";
}

nlohmann::json view(const DomainKey& key) {
    return {{"domain", key.domain},      {"selector", key.selector},
            {"file", key.file.string()}, {"algorithm", std::string(key.key.algorithm())},
            {"bits", key.key.bits()},    {"name", key.name()},
            {"record", key.key.record()}};
}

/// Folders for root and for the account that reads the key.
std::error_code make_folders(const fs::path& folder, const std::optional<Account>& account) {
    for (const auto& one : {folder.parent_path(), folder}) {
        std::error_code error;
        if (fs::is_directory(one, error)) continue;
        if (mkdir(one.c_str(), 0750) != 0) return base::last_error();
        if (account && chown(one.c_str(), 0, account->group) != 0) return base::last_error();
        if (chmod(one.c_str(), 0750) != 0) return base::last_error();  // whatever the umask is
    }
    return {};
}

std::error_code write_key(const fs::path& file, const DkimKey& key, const std::optional<Account>& account) {
    if (auto error = make_folders(file.parent_path(), account)) return error;
    const auto opened = base::open_file(file, O_WRONLY | O_CREAT | O_EXCL, 0600);
    if (!opened) return opened.error();
    const auto pem = key.pem();
    auto error = base::write_all(opened->get(), pem.text());
    if (!error && account && fchown(opened->get(), 0, account->group) != 0) error = base::last_error();
    if (!error && fchmod(opened->get(), 0640) != 0) error = base::last_error();
    if (!error) error = base::sync_file(*opened);
    if (!error) error = base::sync_folder(file.parent_path());
    if (error) unlink(file.c_str());
    return error;
}

}  // namespace

int make_dkim_key(const Command& command, const base::Clock& clock) {
    const auto settings = settings_of(command);
    if (!settings) return EX_CONFIG;
    const auto& folder = settings->relay.dkim.keys;
    if (folder.empty())
        return refuse("dkim.keys is \"\" in " + command.config.string() + ", so nothing is signed",
                      EX_CONFIG);
    const auto& given = command.subjects.front();
    const auto domain = base::DomainName::parse(given);
    if (!domain) return refuse('"' + given + "\" is no domain: " + domain.error(), EX_USAGE);
    const auto selector =
        command.selector.empty() ? selector_of(clock.wall()) : base::lower(command.selector);
    if (!relay::is_selector(selector))
        return refuse('"' + selector + "\" is no selector: letters, digits and \"-\", as mail2026", EX_USAGE);
    std::optional<Account> account;
    if (const auto& user = settings->user; geteuid() == 0 && !user.empty() && user != "root") {
        const auto found = find_account(user);
        if (!found) return refuse(found.error(), EX_CONFIG);
        account = *found;
    }
    const auto file = relay::key_file(folder, domain->text(), selector);
    std::error_code none;
    if (fs::exists(file, none))
        return refuse(file.string() +
                          " is there already: choose another --selector, the old one has to stay "
                          "valid for mail that is on its way",
                      EX_DATAERR);
    DomainKey key{domain->text(), selector,
                  DkimKey::make(command.ed25519 ? DkimKey::Kind::ed25519 : DkimKey::Kind::rsa), file};
    if (const auto error = write_key(file, key.key, account))
        return refuse(base::file_fault(file, error, base::FileUse::read),
                      error == std::errc::permission_denied ? EX_NOPERM : EX_DATAERR);
    if (command.json) {
        std::fputs(dump(view(key)).append("\n").c_str(), stdout);
        return EX_OK;
    }
    std::printf(
        "%s is the new key. Publish this record in the zone of %s:\n\n%s\n"
        "\"postern check --online\" says whether it is there. Then \"postern reload\": from then on it "
        "signs.\n",
        printable(file.string()).c_str(), domain->text().c_str(), zone_line(key).c_str());
    return EX_OK;
}

int list_dkim_keys(const Command& command) {
    const auto settings = settings_of(command);
    if (!settings) return EX_CONFIG;
    const auto read = relay::Keyring::read(settings->relay.dkim.keys);
    std::string wanted = command.subjects.empty() ? "" : command.subjects.front();
    if (const auto domain = base::DomainName::parse(wanted)) wanted = domain->text();
    auto list = nlohmann::json::array();
    std::string text;
    for (const auto& one : read.keys) {
        if (!wanted.empty() && one.domain != wanted) continue;
        list.push_back(view(one));
        text += zone_line(one);
    }
    if (command.json)
        std::fputs(dump({{"keys", list}}).append("\n").c_str(), stdout);
    else
        std::fputs(text.c_str(), stdout);
    for (const auto& fault : read.faults)
        std::fprintf(stderr, "postern: %s\n", printable(fault.text).c_str());
    if (!read.faults.empty()) return EX_CONFIG;
    if (!list.empty() || command.json) return EX_OK;
    return refuse("there is no key" + (wanted.empty() ? "" : " for " + wanted) + " in " +
                      settings->relay.dkim.keys.string() + "; \"postern dkim new DOMAIN\" makes one",
                  EX_DATAERR);
}

}  // namespace postern::agent
