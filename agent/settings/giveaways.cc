#include "agent/settings/giveaways.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <string>

#include "agent/machine/privileges.h"
#include "relay/net/address_range.h"
#include "relay/signing/keyring.h"
#include "sync/base/ip_address.h"

namespace postern::agent {
namespace {

std::string element(std::string_view section, std::size_t index, std::string_view key) {
    return std::string(section).append("[").append(std::to_string(index)).append("].").append(key);
}

bool overlap(const relay::Network& a, const relay::Network& b) {
    return relay::contains(a, b.address) || relay::contains(b, a.address);
}

std::string text_of(const relay::Network& network) {
    return network.address + '/' + std::to_string(network.prefix);
}

void check_networks(ParsedConfiguration& parsed) {
    const auto& primaries = parsed.settings.relay.primaries;
    for (std::size_t i = 0; i < primaries.size(); ++i) {
        const auto key = element("primary", i, "addresses");
        for (const auto& network : primaries[i].addresses) {
            const unsigned narrow = base::is_v6_literal(network.address) ? 48 : 16;
            if (network.prefix == 0)
                parsed.warn(key,
                            text_of(network) + " is everybody: this machine relays for the whole Internet");
            else if (network.prefix < narrow && !relay::is_private(network))
                parsed.warn(key, text_of(network) +
                                     " is a wide range of public addresses, and all of them may "
                                     "send mail through this machine");
        }
        for (std::size_t earlier = 0; earlier < i; ++earlier)
            for (const auto& network : primaries[i].addresses)
                for (const auto& other : primaries[earlier].addresses)
                    if (overlap(network, other))
                        parsed.warn(key, text_of(network) + " is also of primary " + primaries[earlier].name +
                                             ", which mail from there is taken to be of");
    }
}

/// Others are all but root, the account and who is in its group to read.
void check_secret(ParsedConfiguration& parsed, const std::string& key, const std::filesystem::path& file) {
    struct stat status {};
    if (file.empty() || stat(file.c_str(), &status) != 0) return;
    std::string what;
    if ((status.st_mode & S_IROTH) != 0) what = "can be read by every account";
    if ((status.st_mode & (S_IWOTH | S_IWGRP)) != 0)
        what.append(what.empty() ? "" : ", and ").append("can be changed by others");
    if (status.st_uid != 0 && status.st_uid != geteuid())
        what.append(what.empty() ? "" : ", and ").append("belongs to " + account_name(status.st_uid));
    if (what.empty()) return;
    std::array<char, 8> mode{};
    std::snprintf(mode.data(), mode.size(), "%04o", status.st_mode & 07777u);
    parsed.warn(key, '"' + file.string() + "\" " + what + " (mode " + mode.data() +
                         "): chown root:" + account_name(geteuid()) + " and chmod 640");
}

void check_secrets(ParsedConfiguration& parsed) {
    const auto& settings = parsed.settings;
    for (std::size_t i = 0; i < settings.directories.size(); ++i)
        check_secret(parsed, element("primary", i, "password_file"), settings.directories[i].password_file);
    for (std::size_t i = 0; i < settings.relay.gateways.size(); ++i)
        check_secret(parsed, element("gateway", i, "password_file"),
                     settings.relay.gateways[i].password_file);
    check_secret(parsed, "status.gateway_mode_password_file", settings.gateway_mode.password_file);
    check_secret(parsed, "cluster.password_file", settings.cluster.redis.password_file);
    check_secret(parsed, "tls.private_key", settings.relay.tls.private_key);
    check_secret(parsed, "status.token_file", settings.token_file());
    for (const auto& one : relay::Keyring::read(settings.relay.dkim.keys).keys)
        check_secret(parsed, "dkim.keys", one.file);
    check_secret(parsed, "state_dir", settings.relay.state_dir / "srs.secret");
    check_secret(parsed, "state_dir", settings.relay.state_dir / "marks.secret");
}

}  // namespace

void warn_of_giveaways(ParsedConfiguration& parsed) {
    const auto& hostname = parsed.settings.relay.hostname;
    // One that was written in the wrong place is told there.
    const bool misplaced = std::any_of(parsed.faults.begin(), parsed.faults.end(),
                                       [](const Fault& fault) { return fault.key.ends_with(".hostname"); });
    if (!misplaced && hostname.find('.') == std::string::npos)
        parsed.warn("hostname",
                    '"' + hostname + "\" is not fully qualified, which many receivers refuse: set hostname");
    check_networks(parsed);
    check_secrets(parsed);
}

}  // namespace postern::agent
