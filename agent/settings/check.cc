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
#include "agent/settings/keys_cluster.h"
#include "agent/settings/reply_rules.h"
#include "agent/settings/settings.h"
#include "agent/settings/suggestion.h"
#include "relay/mail/address.h"
#include "relay/net/address_range.h"
#include "relay/signing/keyring.h"
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

bool given(const ParsedConfiguration& parsed, std::string_view key) {
    return parsed.positions.find(key) != parsed.positions.end();
}

/// Reports every value that an earlier element of the section has too.
template <class Elements, class Text>
void check_unique(ParsedConfiguration& parsed, std::string_view section, std::string_view key,
                  const Elements& elements, Text text) {
    std::set<std::string> seen;
    for (std::size_t i = 0; i < elements.size(); ++i) {
        const std::string value = text(elements[i]);
        if (!value.empty() && !seen.insert(value).second)
            parsed.fault(element(section, i, key),
                         '"' + value + "\" is already used by another [[" + std::string(section) + "]]");
    }
}

/// Whether both cannot be bound at once: one address, or one of them is all of that family.
bool overlap(const relay::HostPort& a, const relay::HostPort& b) {
    if (a.host.empty() || b.host.empty() || a.port != b.port || a.port == 0) return false;
    if (same_place(a, b)) return true;
    const auto all = [](const relay::HostPort& one) {
        return same_place(one, {"0.0.0.0", one.port}) || same_place(one, {"::", one.port});
    };
    return base::is_v6_literal(a.host) == base::is_v6_literal(b.host) && (all(a) || all(b));
}

/// Each listener against those in front of it, and against what else listens here.
void check_places(ParsedConfiguration& parsed) {
    const auto& settings = parsed.settings;
    const auto& listeners = settings.relay.listeners;
    for (std::size_t i = 0; i < listeners.size(); ++i) {
        const auto& place = listeners[i].address;
        const auto fault = [&](const std::string& other) {
            parsed.fault(element("listener", i, "address"),
                         '"' + format_host_port(place) + "\" cannot be had beside " + other);
        };
        const auto before = std::find_if(
            listeners.begin(), listeners.begin() + static_cast<std::ptrdiff_t>(i),
            [&](const auto& one) { return overlap(one.address, place) && !same_place(one.address, place); });
        if (before != listeners.begin() + static_cast<std::ptrdiff_t>(i))
            fault("the listener at " + format_host_port(before->address));
        if (overlap(settings.status.address, place))
            fault("status.address, " + format_host_port(settings.status.address));
        if (settings.gateway_mode.on() && overlap(settings.gateway_mode.address, place))
            fault("status.gateway_mode, " + format_host_port(settings.gateway_mode.address));
    }
}

void check_listeners(ParsedConfiguration& parsed) {
    const auto& settings = parsed.settings.relay;
    if (settings.listeners.empty() && !given(parsed, "listener"))
        parsed.fault("listener", "is missing: add [[listener]] with an address such as \"0.0.0.0:25\"");
    check_unique(parsed, "listener", "address", settings.listeners, [](const auto& listener) {
        return listener.address.host.empty() ? "" : format_host_port(listener.address);
    });
    for (std::size_t i = 0; i < settings.listeners.size(); ++i) {
        const auto& listener = settings.listeners[i];
        if (!listener.address.host.empty() && !base::is_ip_literal(listener.address.host))
            parsed.fault(element("listener", i, "address"),
                         '"' + listener.address.host + "\" is a name; a listener needs an IP address");
        const bool needs =
            listener.tls == relay::ListenerTls::required || listener.tls == relay::ListenerTls::implicit;
        if (needs && settings.tls.certificate.empty() && !given(parsed, "tls.certificate"))
            parsed.fault(
                element("listener", i, "tls"),
                "needs a certificate: set tls.certificate and tls.private_key, or use opportunistic or off");
    }
}

void check_tls(ParsedConfiguration& parsed) {
    const auto& tls = parsed.settings.relay.tls;
    if (!tls.certificate.empty() && !given(parsed, "tls.private_key"))
        parsed.fault("tls.certificate", "is of no use without tls.private_key");
    if (!tls.private_key.empty() && !given(parsed, "tls.certificate"))
        parsed.fault("tls.private_key", "is of no use without tls.certificate");
}

/// Octets before what follows the "://" of a scheme that is one of these; 0: of none.
std::size_t length_of(std::span<const sync::Scheme> schemes, std::string_view url) {
    for (const auto& scheme : schemes)
        if (url.starts_with(scheme.name) && url.substr(scheme.name.size()).starts_with("://"))
            return scheme.name.size() + 3;
    return 0;
}

void check_url(ParsedConfiguration& parsed, std::string_view key, const sync::PrimarySettings& web) {
    const std::string_view url = web.url;
    const auto& kind = sync::back_end(web);
    const auto start = length_of(kind.schemes, url);
    const auto host = url.substr(start, url.find('/', start) - start);
    if (host.find('@') != std::string_view::npos)  // not shown: there may be a password in it
        return parsed.fault(key, "names a user before the \"@\": give username and password_file instead");
    const bool named = start != 0 && (host.starts_with('[') || parse_host_port(host, std::uint16_t{443}));
    if (named && sync::BaseUrl::parse(url, kind.schemes)) return;
    std::string why = '"' + std::string(url) + "\" is not " + std::string(kind.url);
    const auto kinds = sync::back_ends();
    const auto other = std::find_if(kinds.begin(), kinds.end(), [&](const auto& one) {
        return start == 0 && length_of(one.schemes, url) != 0;
    });
    if (other != kinds.end()) why += "; for such a url set api = \"" + std::string(other->api) + '"';
    parsed.fault(key, std::move(why));
}

/// Where a password would be shown on the way.
bool is_plain_beyond_loopback(const sync::PrimarySettings& web) {
    const auto& kind = sync::back_end(web);
    const auto parsed = sync::BaseUrl::parse(web.url, kind.schemes);
    return kind.account && parsed && !parsed->tls && parsed->host != "localhost" &&
           !is_loopback(parsed->host);
}

/// What the primary may send.
void check_mail_of(ParsedConfiguration& parsed, std::size_t i) {
    const auto& primaries = parsed.settings.relay.primaries;
    for (const auto& other : primaries[i].sends_for)
        if (std::none_of(primaries.begin(), primaries.end(),
                         [&](const auto& one) { return one.name == other; }))
            parsed.fault(element("primary", i, "sends_for"), '"' + other + "\" is no name of a [[primary]]");
    if (given(parsed, element("primary", i, "addresses")) && primaries[i].addresses.empty())
        parsed.fault(element("primary", i, "addresses"),
                     "names no address, so no mail would be taken from this primary");
}

/// How the primary, which has a url, is asked for its users.
void check_asking_of(ParsedConfiguration& parsed, std::size_t i) {
    const auto& web = parsed.settings.directories[i];
    const auto& kind = sync::back_end(web);
    const auto key = [i](std::string_view name) { return element("primary", i, name); };
    if (web.url.empty())
        parsed.fault(key("url"), "is empty; leave it out when there is none");
    else
        check_url(parsed, key("url"), web);
    if (is_plain_beyond_loopback(web) && !web.plain_http)
        parsed.fault(
            key("url"),
            "would show the password to the network: begin it with https://, or set plain_http = true "
            "in a closed network");
    for (const auto* name : {"username", "password_file"}) {
        if (kind.account && !given(parsed, key(name)))
            parsed.fault(key(name), "is missing; the url needs it");
        if (!kind.account && given(parsed, key(name)))
            parsed.fault(key(name), "is of no use where api is \"" + web.api + "\": leave it out");
    }
    const auto& domains = parsed.settings.relay.primaries[i].domains;
    const bool named = !domains.empty() && std::find(domains.begin(), domains.end(), "*") == domains.end();
    if (!kind.lists && !named)
        parsed.fault(key("domains"), std::string(domains.empty() ? "is missing" : "must name them") +
                                         ": api = \"" + web.api +
                                         "\" cannot list what the primary has, so name its domains here, "
                                         "as [\"example.com\"]");
}

void check_primaries(ParsedConfiguration& parsed) {
    const auto& settings = parsed.settings;
    if (settings.relay.primaries.empty() && !given(parsed, "primary"))
        parsed.fault("primary",
                     "is missing: add [[primary]] with its name and addresses, or nobody may send mail");
    check_unique(parsed, "primary", "name", settings.relay.primaries,
                 [](const auto& primary) { return primary.name; });
    const bool asked = settings.relay.accept.sender != relay::Check::any;
    for (std::size_t i = 0; i < settings.directories.size(); ++i) {
        check_mail_of(parsed, i);
        const auto url = element("primary", i, "url");
        if (given(parsed, url))
            check_asking_of(parsed, i);
        else if (asked)
            parsed.fault(url,
                         "is missing: accept.sender looks senders up in the primary's directory; give url, "
                         "username and password_file, or set accept.sender = \"any\"");
    }
}

void check_gateways(ParsedConfiguration& parsed) {
    using relay::ClientTls;
    const auto& gateways = parsed.settings.relay.gateways;
    check_unique(parsed, "gateway", "name", gateways, [](const auto& gateway) { return gateway.name; });
    for (std::size_t i = 0; i < gateways.size(); ++i) {
        const auto& gateway = gateways[i];
        const auto key = [i](std::string_view name) { return element("gateway", i, name); };
        if (gateway.username.empty() && !gateway.password_file.empty())
            parsed.fault(key("password_file"), "is of no use without username");
        if (gateway.username.empty()) continue;
        if (gateway.username.size() > 255) parsed.fault(key("username"), "is longer than 255 octets");
        if (gateway.password_file.empty() && !given(parsed, key("password_file")))
            parsed.fault(key("username"), "needs password_file, a file that holds the password");
        const bool verified = gateway.tls == ClientTls::verify || gateway.tls == ClientTls::dane ||
                              gateway.tls == ClientTls::implicit;
        if (!verified && !gateway.allow_insecure_auth)
            parsed.fault(
                given(parsed, key("tls")) ? key("tls") : key("username"),
                "would show the password to whoever answers: set tls to verify, dane or implicit, or "
                "allow_insecure_auth = true in a closed network");
    }
}

void check_routes(ParsedConfiguration& parsed) {
    const auto& settings = parsed.settings.relay;
    std::vector<std::string_view> names;
    names.reserve(settings.gateways.size());
    for (const auto& gateway : settings.gateways) names.push_back(gateway.name);
    std::set<std::pair<std::string, std::string>> seen;
    for (std::size_t i = 0; i < settings.routes.size(); ++i) {
        const auto& route = settings.routes[i];
        const auto key = [i](std::string_view name) { return element("route", i, name); };
        const bool has_sender = given(parsed, key("sender")), has_recipient = given(parsed, key("recipient"));
        if (!has_sender && !has_recipient)
            parsed.fault(element("route", i, ""),
                         "needs sender, recipient or both; sender = \"*\" is everybody");
        else if (!(route.sender + route.recipient).empty() &&
                 !seen.emplace(route.sender, route.recipient).second)
            parsed.fault(key(has_sender ? "sender" : "recipient"),
                         "there is already a [[route]] for " + in_words(route));
        const std::string_view name = route.gateway;
        if (name.empty() || std::find(names.begin(), names.end(), name) != names.end()) continue;
        std::string text = "there is no [[gateway]] named \"" + std::string(name) + '"';
        if (const auto meant = nearest(name, names); !meant.empty())
            text.append("; is \"").append(meant).append("\" meant?");
        parsed.fault(key("gateway"), std::move(text));
    }
}

void check_gateway_mode(ParsedConfiguration& parsed) {
    const auto& mode = parsed.settings.gateway_mode;
    if (!mode.on()) return;
    const std::string key = "status.gateway_mode";
    if (overlap(mode.address, parsed.settings.status.address))
        parsed.fault(key, "needs an address of its own, other than status.address");
    if (mode.user.empty())
        parsed.fault(key, "needs status.gateway_mode_user and status.gateway_mode_password_file");
    else if (mode.user.size() > 200)
        parsed.fault("status.gateway_mode_user", "is longer than 200 characters");
    if (!mode.user.empty() && mode.password_file.empty())
        parsed.fault(key, "needs status.gateway_mode_password_file");
    if (!is_loopback(mode.address.host) && parsed.settings.relay.tls.certificate.empty() && !mode.plain)
        parsed.fault(key,
                     "would take a password over the network without TLS: set tls.certificate and "
                     "tls.private_key, or status.gateway_mode_plain = true in a closed network");
}

void check_readable(ParsedConfiguration& parsed, const std::string& key, const std::filesystem::path& file) {
    if (file.empty()) return;
    const auto fault = [&](const std::string& why) { parsed.fault(key, '"' + file.string() + "\" " + why); };
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
void check_anchors(ParsedConfiguration& parsed) {
    constexpr const char* key = "dns.trust_anchors";
    const auto& file = parsed.settings.relay.dns.trust_anchors;
    if (file.empty()) return;
    const auto opened = base::open_file(file, O_RDONLY);
    if (opened) return check_readable(parsed, key, file);
    const std::string why =
        '"' + file.string() + "\" cannot be read (" +
        base::file_trouble(file, opened.error(), base::FileUse::read) +
        "), so no answer of a name server is validated and there is no DANE; it comes with the "
        "package dns-root-data";
    if (given(parsed, key))
        parsed.fault(key, why + ". Set it to \"\" to do without");
    else
        parsed.warn(key, why);
}

/// Who reads reports about TLS may drop those that are not signed (RFC 8460 §5.3).
void check_report_sender(ParsedConfiguration& parsed, const relay::Keyring::Keys& keys) {
    const auto& reports = parsed.settings.relay.tls_reports;
    if (!reports.send) return;
    const auto sender = relay::parse_address(reports.from);
    const std::string domain = sender ? sender->domain : parsed.settings.relay.hostname;
    const bool signed_by_us = std::any_of(keys.begin(), keys.end(), [&](const auto& one) {
        return domain == one.domain || domain.ends_with('.' + one.domain);
    });
    if (!signed_by_us)
        parsed.warn("tls_reports.from", "no key in dkim.keys is of " + domain +
                                            ", so reports are not signed and their readers may drop them");
}

/// What is wrong with keys; a domain whose key cannot be used would be sent for without a signature.
void check_signing(ParsedConfiguration& parsed) {
    constexpr const char* key = "dkim.keys";
    const auto& folder = parsed.settings.relay.dkim.keys;
    std::error_code error;
    if (!folder.empty() && given(parsed, key) && !std::filesystem::is_directory(folder, error))
        return parsed.fault(
            key, error ? base::file_fault(folder, error) : '"' + folder.string() + "\" is not a folder");
    const auto read = relay::Keyring::read(folder);
    for (const auto& fault : read.faults) parsed.fault(key, fault.text);
    for (const auto& one : read.keys)
        if (one.key.kind() == relay::DkimKey::Kind::rsa && one.key.bits() < 2048)
            parsed.warn(key, '"' + one.file.string() + "\" holds an RSA key of " +
                                 std::to_string(one.key.bits()) + " bits; 2048 are usual: postern dkim new " +
                                 one.domain);
    check_report_sender(parsed, read.keys);
}

/// A file of rules has lines and columns of its own.
void read_rules(ParsedConfiguration& parsed) {
    const auto& file = parsed.settings.reply_rules;
    auto& rules = parsed.settings.relay.delivery.reply_rules;
    if (file.empty()) {
        rules = shipped_reply_rules();
        return;
    }
    const auto text = read_small_file(file);
    if (!text) return parsed.fault("delivery.reply_rules", '"' + file.string() + "\" " + text.error());
    auto read = parse_reply_rules(*text);
    if (read) {
        rules = std::move(*read);
        return;
    }
    for (auto& fault : read.error()) {
        fault.file = file;
        parsed.faults.push_back(std::move(fault));
    }
}

/// A gateway that all mail of a kind must go through is there, and takes none beside it.
void check_named_gateway(ParsedConfiguration& parsed, const std::string& key, const std::string& name) {
    if (name.empty()) return;
    const auto& gateways = parsed.settings.relay.gateways;
    const auto found =
        std::find_if(gateways.begin(), gateways.end(), [&](const auto& one) { return one.name == name; });
    if (found == gateways.end())
        parsed.fault(key, "there is no [[gateway]] named \"" + name + '"');
    else if (found->type == relay::GatewayType::round_robin)
        parsed.fault(key,
                     "the gateway \"" + name + "\" takes its turn of all mail: set its type to specified");
}

void check_copies(ParsedConfiguration& parsed) {
    const auto& relay = parsed.settings.relay;
    check_named_gateway(parsed, "journal.gateway", relay.journal.gateway);
    check_named_gateway(parsed, "screening.gateway", relay.screening.gateway);
    if (relay.journal.to.empty() && !relay.journal.gateway.empty())
        parsed.fault("journal.gateway", "is of no use without journal.to");
    const bool screens = !relay.screening.gateway.empty();
    if (screens && relay.screening.gateway == relay.journal.gateway)
        parsed.fault("screening.gateway", "leads to the archive: give the screening gateway one of its own");
    for (std::size_t i = 0; screens && i < relay.routes.size(); ++i)
        if (relay.routes[i].gateway == relay.screening.gateway)
            parsed.fault(element("route", i, "gateway"),
                         '"' + relay.screening.gateway +
                             "\" is screening.gateway, which hands mail back: choose its senders by "
                             "screening.of instead");
    if (screens && relay.screening.addresses.empty())
        parsed.fault("screening.gateway", "needs screening.addresses, where mail comes back from");
    if (!screens && !relay.screening.addresses.empty())
        parsed.fault("screening.addresses", "are of no use without screening.gateway");
    // What came from such an address could be a primary's new mail as well.
    for (const auto& primary : relay.primaries)
        for (const auto& theirs : primary.addresses)
            for (const auto& back : relay.screening.addresses)
                if (relay::contains(theirs, back.address) || relay::contains(back, theirs.address))
                    return parsed.fault("screening.addresses",
                                        '"' + back.address + "\" is an address of the primary " +
                                            primary.name + " too: mail that comes back needs one of its own");
}

void check_suspects(ParsedConfiguration& parsed) {
    const auto& relay = parsed.settings.relay;
    const auto& wanted = relay.delivery.suspects;
    if (wanted.empty()) return;
    const auto is_it = [&](const auto& egress) { return egress.address == wanted; };
    if (std::none_of(relay.egress.begin(), relay.egress.end(), is_it))
        parsed.fault("delivery.suspects", '"' + wanted + "\" is the address of no [[egress]]");
    else if (std::all_of(relay.egress.begin(), relay.egress.end(), is_it))
        parsed.fault("delivery.suspects", "no [[egress]] would be left for other mail");
}

}  // namespace

std::string in_words(const relay::RouteSettings& route) {
    const bool all = route.sender.empty() || route.sender == "*";
    return (all ? std::string("everybody") : route.sender) +
           (route.recipient.empty() ? "" : " to " + route.recipient);
}

void check_consistency(ParsedConfiguration& parsed) {
    const auto& settings = parsed.settings;
    if (base::is_ip_literal(settings.relay.hostname))
        parsed.fault("hostname", '"' + settings.relay.hostname + "\" is an address; a host name is needed");
    else if (!is_domain_name(settings.relay.hostname))
        parsed.fault("hostname", given(parsed, "hostname")
                                     ? '"' + settings.relay.hostname + "\" is not a host name"
                                     : "the machine calls itself \"" + settings.relay.hostname +
                                           "\", which is not a host name: set hostname");
    if (given(parsed, "state_dir") && settings.relay.state_dir.empty())
        parsed.fault("state_dir", "must not be empty");
    check_listeners(parsed);
    check_cluster(parsed);
    check_places(parsed);
    check_tls(parsed);
    check_primaries(parsed);
    check_gateways(parsed);
    check_routes(parsed);
    check_unique(parsed, "limit", "sender", settings.relay.limits.rules,
                 [](const auto& rule) { return rule.sender; });
    check_unique(parsed, "destination", "domain", settings.relay.destinations,
                 [](const auto& destination) { return destination.domain; });
    check_unique(parsed, "egress", "address", settings.relay.egress,
                 [](const auto& egress) { return egress.address; });
    check_suspects(parsed);
    check_copies(parsed);
    check_gateway_mode(parsed);
    if (settings.relay.queue.retry_first > settings.relay.queue.retry_max)
        parsed.fault(given(parsed, "queue.retry_first") ? "queue.retry_first" : "queue.retry_max",
                     "retry_first is longer than retry_max");
    if (!is_loopback(settings.status.address.host))
        parsed.fault("status.address",
                     "must be a loopback address such as \"127.0.0.1:8025\": the status endpoint "
                     "has no TLS yet");
}

void check_files(ParsedConfiguration& parsed) {
    const auto& settings = parsed.settings;
    check_readable(parsed, "tls.certificate", settings.relay.tls.certificate);
    check_readable(parsed, "tls.private_key", settings.relay.tls.private_key);
    check_readable(parsed, "tls.ca_file", settings.relay.tls.ca_file);
    check_readable(parsed, "status.gateway_mode_password_file", settings.gateway_mode.password_file);
    check_readable(parsed, "cluster.password_file", settings.cluster.redis.password_file);
    check_readable(parsed, "cluster.ca_file", settings.cluster.redis.ca_file);
    check_anchors(parsed);
    for (std::size_t i = 0; i < settings.directories.size(); ++i) {
        check_readable(parsed, element("primary", i, "password_file"), settings.directories[i].password_file);
        check_readable(parsed, element("primary", i, "ca_file"), settings.directories[i].ca_file);
    }
    for (std::size_t i = 0; i < settings.relay.gateways.size(); ++i)
        check_readable(parsed, element("gateway", i, "password_file"),
                       settings.relay.gateways[i].password_file);
    check_signing(parsed);
    read_rules(parsed);
}

}  // namespace postern::agent
