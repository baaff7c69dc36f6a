// What the keys must fulfil together, and the files they name.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <set>
#include <system_error>

#include "agent/machine/address_text.h"
#include "agent/machine/privileges.h"
#include "agent/machine/sockets.h"
#include "agent/settings/reply_rules.h"
#include "agent/settings/settings.h"
#include "agent/settings/suggestion.h"
#include "sync/back_ends.h"
#include "sync/base/file.h"
#include "sync/base/file_fault.h"
#include "sync/base/ip_address.h"

namespace postern::agent {
namespace {

std::string element(std::string_view section, std::size_t index, std::string_view key) {
    std::string path(section);
    path.append("[").append(std::to_string(index)).append("]");
    return key.empty() ? path : path.append(".").append(key);
}

bool given(const Reading& reading, std::string_view key) {
    return reading.positions.find(key) != reading.positions.end();
}

/// Reports every value that an earlier element of the section has too.
template <class Elements, class Text>
void check_unique(Reading& reading, std::string_view section, std::string_view key, const Elements& elements,
                  Text text) {
    std::set<std::string> seen;
    for (std::size_t i = 0; i < elements.size(); ++i) {
        const std::string value = text(elements[i]);
        if (!value.empty() && !seen.insert(value).second)
            reading.fault(element(section, i, key),
                          '"' + value + "\" is already used by another [[" + std::string(section) + "]]");
    }
}

void check_listeners(Reading& reading) {
    const auto& settings = reading.settings.relay;
    if (settings.listeners.empty() && !given(reading, "listener"))
        reading.fault("listener", "is missing: add [[listener]] with an address such as \"0.0.0.0:25\"");
    check_unique(reading, "listener", "address", settings.listeners, [](const auto& listener) {
        return listener.address.host.empty() ? "" : format_host_port(listener.address);
    });
    for (std::size_t i = 0; i < settings.listeners.size(); ++i) {
        const auto& listener = settings.listeners[i];
        if (!listener.address.host.empty() && !base::is_ip_literal(listener.address.host))
            reading.fault(element("listener", i, "address"),
                          '"' + listener.address.host + "\" is a name; a listener needs an IP address");
        const bool needs =
            listener.tls == relay::ListenerTls::required || listener.tls == relay::ListenerTls::implicit;
        if (needs && settings.tls.certificate.empty() && !given(reading, "tls.certificate"))
            reading.fault(
                element("listener", i, "tls"),
                "needs a certificate: set tls.certificate and tls.private_key, or use opportunistic or off");
    }
}

void check_tls(Reading& reading) {
    const auto& tls = reading.settings.relay.tls;
    if (!tls.certificate.empty() && !given(reading, "tls.private_key"))
        reading.fault("tls.certificate", "is of no use without tls.private_key");
    if (!tls.private_key.empty() && !given(reading, "tls.certificate"))
        reading.fault("tls.private_key", "is of no use without tls.certificate");
}

/// Octets before what follows the "://" of a scheme that is one of these; 0: of none.
std::size_t length_of(std::span<const sync::Scheme> schemes, std::string_view url) {
    for (const auto& scheme : schemes)
        if (url.starts_with(scheme.name) && url.substr(scheme.name.size()).starts_with("://"))
            return scheme.name.size() + 3;
    return 0;
}

void check_url(Reading& reading, std::string_view key, const sync::PrimarySettings& web) {
    const std::string_view url = web.url;
    const auto& kind = sync::back_end(web);
    const auto start = length_of(kind.schemes, url);
    const auto host = url.substr(start, url.find('/', start) - start);
    if (host.find('@') != std::string_view::npos)  // not shown: there may be a password in it
        return reading.fault(key, "names a user before the \"@\": give username and password_file instead");
    const bool named = start != 0 && (host.starts_with('[') || parse_host_port(host, std::uint16_t{443}));
    if (named && sync::BaseUrl::parse(url, kind.schemes)) return;
    std::string why = '"' + std::string(url) + "\" is not " + std::string(kind.url);
    const auto kinds = sync::back_ends();
    const auto other = std::find_if(kinds.begin(), kinds.end(), [&](const auto& one) {
        return start == 0 && length_of(one.schemes, url) != 0;
    });
    if (other != kinds.end()) why += "; for such a url set api = \"" + std::string(other->api) + '"';
    reading.fault(key, std::move(why));
}

/// Where a password would be shown on the way.
bool is_plain_beyond_loopback(const sync::PrimarySettings& web) {
    const auto& kind = sync::back_end(web);
    const auto parsed = sync::BaseUrl::parse(web.url, kind.schemes);
    return kind.account && parsed && !parsed->tls && parsed->host != "localhost" &&
           !is_loopback(parsed->host);
}

void check_primaries(Reading& reading) {
    const auto& settings = reading.settings;
    if (settings.relay.primaries.empty() && !given(reading, "primary"))
        reading.fault("primary",
                      "is missing: add [[primary]] with its name and addresses, or nobody may send mail");
    check_unique(reading, "primary", "name", settings.relay.primaries,
                 [](const auto& primary) { return primary.name; });
    const bool asked = settings.relay.accept.sender != relay::Check::any;
    for (std::size_t i = 0; i < settings.directories.size(); ++i) {
        const auto& web = settings.directories[i];
        const auto key = [i](std::string_view name) { return element("primary", i, name); };
        for (const auto& other : settings.relay.primaries[i].sends_for)
            if (std::none_of(settings.relay.primaries.begin(), settings.relay.primaries.end(),
                             [&](const auto& one) { return one.name == other; }))
                reading.fault(key("sends_for"), '"' + other + "\" is no name of a [[primary]]");
        if (given(reading, key("addresses")) && settings.relay.primaries[i].addresses.empty())
            reading.fault(key("addresses"), "names no address, so no mail would be taken from this primary");
        if (!given(reading, key("url"))) {
            if (asked)
                reading.fault(key("url"),
                              "is missing: accept.sender looks senders up in the primary's directory; give "
                              "url, username "
                              "and password_file, or set accept.sender = \"any\"");
            continue;
        }
        if (web.url.empty())
            reading.fault(key("url"), "is empty; leave it out when there is none");
        else
            check_url(reading, key("url"), web);
        if (is_plain_beyond_loopback(web) && !web.plain_http)
            reading.fault(
                key("url"),
                "would show the password to the network: begin it with https://, or set plain_http = true "
                "in a closed network");
        const auto& kind = sync::back_end(web);
        for (const auto* name : {"username", "password_file"}) {
            if (kind.account && !given(reading, key(name)))
                reading.fault(key(name), "is missing; the url needs it");
            if (!kind.account && given(reading, key(name)))
                reading.fault(key(name), "is of no use where api is \"" + web.api + "\": leave it out");
        }
        const auto& domains = settings.relay.primaries[i].domains;
        const bool named =
            !domains.empty() && std::find(domains.begin(), domains.end(), "*") == domains.end();
        if (!kind.lists && !named)
            reading.fault(key("domains"),
                          std::string(domains.empty() ? "is missing" : "must name them") + ": api = \"" +
                              web.api +
                              "\" cannot list what the primary has, so name its domains here, "
                              "as [\"example.com\"]");
    }
}

void check_gateways(Reading& reading) {
    using relay::ClientTls;
    const auto& gateways = reading.settings.relay.gateways;
    check_unique(reading, "gateway", "name", gateways, [](const auto& gateway) { return gateway.name; });
    for (std::size_t i = 0; i < gateways.size(); ++i) {
        const auto& gateway = gateways[i];
        const auto key = [i](std::string_view name) { return element("gateway", i, name); };
        if (gateway.username.empty() && !gateway.password_file.empty())
            reading.fault(key("password_file"), "is of no use without username");
        if (gateway.username.empty()) continue;
        if (gateway.username.size() > 255) reading.fault(key("username"), "is longer than 255 octets");
        if (gateway.password_file.empty() && !given(reading, key("password_file")))
            reading.fault(key("username"), "needs password_file, a file that holds the password");
        const bool verified = gateway.tls == ClientTls::verify || gateway.tls == ClientTls::dane ||
                              gateway.tls == ClientTls::implicit;
        if (!verified && !gateway.allow_insecure_auth)
            reading.fault(
                given(reading, key("tls")) ? key("tls") : key("username"),
                "would show the password to whoever answers: set tls to verify, dane or implicit, or "
                "allow_insecure_auth = true in a closed network");
    }
}

void check_routes(Reading& reading) {
    const auto& settings = reading.settings.relay;
    std::vector<std::string_view> names;
    names.reserve(settings.gateways.size());
    for (const auto& gateway : settings.gateways) names.push_back(gateway.name);
    std::set<std::pair<std::string, std::string>> seen;
    for (std::size_t i = 0; i < settings.routes.size(); ++i) {
        const auto& route = settings.routes[i];
        const auto key = [i](std::string_view name) { return element("route", i, name); };
        const bool has_sender = given(reading, key("sender")),
                   has_recipient = given(reading, key("recipient"));
        if (!has_sender && !has_recipient)
            reading.fault(element("route", i, ""),
                          "needs sender, recipient or both; sender = \"*\" is everybody");
        else if (!(route.sender + route.recipient).empty() &&
                 !seen.emplace(route.sender, route.recipient).second)
            reading.fault(key(has_sender ? "sender" : "recipient"),
                          "there is already a [[route]] for " + in_words(route));
        const std::string_view name = route.gateway;
        if (name.empty() || std::find(names.begin(), names.end(), name) != names.end()) continue;
        std::string text = "there is no [[gateway]] named \"" + std::string(name) + '"';
        if (const auto meant = nearest(name, names); !meant.empty())
            text.append("; is \"").append(meant).append("\" meant?");
        reading.fault(key("gateway"), std::move(text));
    }
}

void check_gateway_mode(Reading& reading) {
    const auto& mode = reading.settings.gateway_mode;
    if (!mode.on()) return;
    const std::string key = "status.gateway_mode";
    if (format_host_port(mode.address) == format_host_port(reading.settings.status.address))
        reading.fault(key, "needs an address of its own, other than status.address");
    if (mode.user.empty())
        reading.fault(key, "needs status.gateway_mode_user and status.gateway_mode_password_file");
    else if (mode.user.size() > 200)
        reading.fault("status.gateway_mode_user", "is longer than 200 characters");
    if (!mode.user.empty() && mode.password_file.empty())
        reading.fault(key, "needs status.gateway_mode_password_file");
    if (!is_loopback(mode.address.host) && reading.settings.relay.tls.certificate.empty() && !mode.plain)
        reading.fault(key,
                      "would take a password over the network without TLS: set tls.certificate and "
                      "tls.private_key, or status.gateway_mode_plain = true in a closed network");
}

void check_readable(Reading& reading, const std::string& key, const std::filesystem::path& file) {
    if (file.empty()) return;
    const auto fault = [&](const std::string& why) { reading.fault(key, '"' + file.string() + "\" " + why); };
    const auto opened = base::open_file(file, O_RDONLY);
    if (!opened) {
        const std::string why = opened.error().message();
        if (opened.error() != std::errc::permission_denied) return fault("cannot be read: " + why);
        const std::string account = account_name(geteuid());
        return fault("cannot be read by the account " + account + ": " + why + "; chown root:" + account +
                     " and chmod 640 (and its folders must let that account in)");
    }
    struct stat status {};
    if (fstat(opened->get(), &status) != 0 || !S_ISREG(status.st_mode))
        fault("is not a regular file");
    else if (status.st_size == 0)
        fault("is empty");
}

/// Without the keys of the root no answer is validated: whoever names them must get them, and nobody loses
/// DANE unawares.
void check_anchors(Reading& reading) {
    constexpr const char* key = "dns.trust_anchors";
    const auto& file = reading.settings.relay.dns.trust_anchors;
    if (file.empty()) return;
    const auto opened = base::open_file(file, O_RDONLY);
    if (opened) return check_readable(reading, key, file);
    const std::string why =
        '"' + file.string() + "\" cannot be read (" +
        base::file_trouble(file, opened.error(), base::FileUse::read) +
        "), so no answer of a name server is validated and there is no DANE; it comes with the "
        "package dns-root-data";
    if (given(reading, key))
        reading.fault(key, why + ". Set it to \"\" to do without");
    else
        reading.warn(key, why);
}

/// A file of rules has lines and columns of its own.
void read_rules(Reading& reading) {
    const auto& file = reading.settings.reply_rules;
    auto& rules = reading.settings.relay.delivery.reply_rules;
    if (file.empty()) {
        rules = shipped_reply_rules();
        return;
    }
    const auto text = read_small_file(file);
    if (!text) return reading.fault("delivery.reply_rules", '"' + file.string() + "\" " + text.error());
    auto parsed = parse_reply_rules(*text);
    if (parsed) {
        rules = std::move(*parsed);
        return;
    }
    for (auto& fault : parsed.error()) {
        fault.file = file;
        reading.faults.push_back(std::move(fault));
    }
}

}  // namespace

std::string in_words(const relay::RouteSettings& route) {
    const bool all = route.sender.empty() || route.sender == "*";
    return (all ? std::string("everybody") : route.sender) +
           (route.recipient.empty() ? "" : " to " + route.recipient);
}

void check_consistency(Reading& reading) {
    const auto& settings = reading.settings;
    if (base::is_ip_literal(settings.relay.hostname))
        reading.fault("hostname", '"' + settings.relay.hostname + "\" is an address; a host name is needed");
    else if (!is_domain_name(settings.relay.hostname))
        reading.fault("hostname", given(reading, "hostname")
                                      ? '"' + settings.relay.hostname + "\" is not a host name"
                                      : "the machine calls itself \"" + settings.relay.hostname +
                                            "\", which is not a host name: set hostname");
    if (given(reading, "state_dir") && settings.relay.state_dir.empty())
        reading.fault("state_dir", "must not be empty");
    check_listeners(reading);
    check_tls(reading);
    check_primaries(reading);
    check_gateways(reading);
    check_routes(reading);
    check_unique(reading, "destination", "domain", settings.relay.destinations,
                 [](const auto& destination) { return destination.domain; });
    check_unique(reading, "egress", "address", settings.relay.egress,
                 [](const auto& egress) { return egress.address; });
    check_gateway_mode(reading);
    if (settings.relay.queue.retry_first > settings.relay.queue.retry_max)
        reading.fault(given(reading, "queue.retry_first") ? "queue.retry_first" : "queue.retry_max",
                      "retry_first is longer than retry_max");
    if (!is_loopback(settings.status.address.host))
        reading.fault("status.address",
                      "must be a loopback address such as \"127.0.0.1:8025\": the status endpoint "
                      "has no TLS yet");
}

void check_files(Reading& reading) {
    const auto& settings = reading.settings;
    check_readable(reading, "tls.certificate", settings.relay.tls.certificate);
    check_readable(reading, "tls.private_key", settings.relay.tls.private_key);
    check_readable(reading, "tls.ca_file", settings.relay.tls.ca_file);
    check_readable(reading, "status.gateway_mode_password_file", settings.gateway_mode.password_file);
    check_anchors(reading);
    for (std::size_t i = 0; i < settings.directories.size(); ++i) {
        check_readable(reading, element("primary", i, "password_file"),
                       settings.directories[i].password_file);
        check_readable(reading, element("primary", i, "ca_file"), settings.directories[i].ca_file);
    }
    for (std::size_t i = 0; i < settings.relay.gateways.size(); ++i)
        check_readable(reading, element("gateway", i, "password_file"),
                       settings.relay.gateways[i].password_file);
    read_rules(reading);
}

}  // namespace postern::agent
