#include "agent/settings/keys_outgoing.h"

#include "agent/settings/key_types.h"
#include "relay/mail/address.h"
#include "sync/base/ascii.h"
#include "sync/base/utf8.h"

namespace postern::agent {
namespace {

using namespace key;
using relay::ClientTls;

constexpr std::int64_t many = 1'000'000;

using TlsChoices = std::vector<std::pair<std::string_view, ClientTls>>;
const TlsChoices exchanger_tls{{"off", ClientTls::off},
                               {"opportunistic", ClientTls::opportunistic},
                               {"required", ClientTls::required},
                               {"verify", ClientTls::verify},
                               {"dane", ClientTls::dane}};

TlsChoices every_tls() {
    auto choices = exchanger_tls;
    choices.emplace_back("implicit", ClientTls::implicit);
    return choices;
}

/// A place in the last element of a [[section]].
template <class Element, class Member>
auto last(std::vector<Element> relay::Settings::*elements, Member Element::*member) {
    return [elements, member](Settings& s) -> auto& { return (s.relay.*elements).back().*member; };
}

Section dkim() {
    return {.name = "dkim",
            .help = "Signatures on outgoing mail.",
            .keys = {path(
                "keys", "/etc/postern/dkim", [](Settings& s) -> auto& { return s.relay.dkim.keys; },
                "folder of keys, DOMAIN/SELECTOR.pem, as \"postern dkim new\" makes them; empty: nothing is "
                "signed")}};
}

Section gateway() {
    using G = relay::GatewaySettings;
    using relay::GatewayType;
    const auto place = [](auto member) { return last(&relay::Settings::gateways, member); };
    return {
        .name = "gateway",
        .help = "A next hop that is not the recipient's own mail exchanger.",
        .keys = {name("name", "archive", place(&G::name), "in routes, logs and commands").need(),
                 host_port("address", "smtp.archive.example:587", 25, place(&G::address),
                           "host name or IP address, and port (25 when left out)")
                     .need(),
                 choice<ClientTls>("tls", "opportunistic", every_tls(), place(&G::tls),
                                   "verify: the certificate must match the host name; dane: a signed TLSA "
                                   "record; implicit: TLS from the first octet, verified"),
                 choice<bool>("status", "enabled", {{"enabled", true}, {"disabled", false}},
                              place(&G::enabled), "disabled: nothing goes this way"),
                 choice<GatewayType>(
                     "type", "specified",
                     {{"specified", GatewayType::specified}, {"round-robin", GatewayType::round_robin}},
                     place(&G::type), "specified: where a route names it; round-robin: its turn of all mail"),
                 text("username", "", place(&G::username), "whom to sign in as; empty: no AUTH"),
                 path("password_file", "", place(&G::password_file),
                      "holds the password and nothing else; read at each connection"),
                 boolean("allow_insecure_auth", false, place(&G::allow_insecure_auth),
                         "true: the password may go over TLS that was not verified, or none"),
                 integer("connections", 0, 0, 1000, place(&G::connections),
                         "at once; 0: as delivery.per_destination"),
                 integer("messages_per_minute", 0, 0, many, place(&G::messages_per_minute),
                         "0: as many as it takes")},
        .begin = [](Settings& s) { s.relay.gateways.emplace_back(); },
        .shown = false};
}

std::string set_route_sender(Settings& settings, const Value& value) {
    const auto& given = std::get<std::string>(value);
    if (!is_route_sender(given))
        return quoted(given) +
               " is not a user (\"user@example.com\"), a domain (\"example.com\") or \"*\" for everybody; "
               "international domains are written as A-labels (\"xn--...\")";
    settings.relay.routes.back().sender = base::lower(given);
    return {};
}

Section route() {
    using R = relay::RouteSettings;
    const auto place = [](auto member) { return last(&relay::Settings::routes, member); };
    return {.name = "route",
            .help =
                "Sends mail through a gateway. Sender, recipient or both; the most specific wins: user, "
                "domain, recipient, everybody.",
            .keys = {{"sender", "\"user@domain\", \"domain\" or \"*\"", std::string("ceo@example.com"),
                      "whose mail", set_route_sender, Given::optional},
                     domain("recipient", "partner.example", place(&R::recipient), "mail for this domain")
                         .without(),
                     name("gateway", "archive", place(&R::gateway), "name of a [[gateway]]").need()},
            .begin = [](Settings& s) { s.relay.routes.emplace_back(); },
            .shown = false};
}

Section destination() {
    using D = relay::DestinationSettings;
    const auto place = [](auto member) { return last(&relay::Settings::destinations, member); };
    return {.name = "destination",
            .help = "A domain whose mail exchangers are treated in a way of their own.",
            .keys = {domain("domain", "partner.example", place(&D::domain), "of recipients").need(),
                     choice<ClientTls>("tls", "verify", every_tls(), place(&D::tls),
                                       "instead of delivery.tls; opportunistic keeps DANE and MTA-STS")
                         .without(),
                     integer("connections", 0, 0, 1000, place(&D::connections),
                             "at once; 0: as delivery.per_destination"),
                     integer("messages_per_minute", 0, 0, many, place(&D::messages_per_minute),
                             "0: as delivery.messages_per_minute")},
            .begin = [](Settings& s) { s.relay.destinations.emplace_back(); },
            .shown = false};
}

std::string set_egress_address(Settings& settings, const Value& value) {
    const auto& given = std::get<std::string>(value);
    const auto address = canonical_ip(given);
    if (!address) return quoted(given) + " is not an IP address; IPv6 is written without brackets";
    settings.relay.egress.back().address = *address;
    return {};
}

Section egress() {
    using E = relay::EgressSettings;
    using relay::WarmUp;
    const auto place = [](auto member) { return last(&relay::Settings::egress, member); };
    return {.name = "egress",
            .help =
                "An address of this machine that mail to mail exchangers leaves from; without any, the "
                "system chooses.",
            .keys = {{"address", "IP address", std::string("192.0.2.20"), "IPv4 or IPv6, without brackets",
                      set_egress_address, Given::required},
                     domain("hostname", "", place(&E::hostname),
                            "EHLO name; the address must lead to it by its reverse name, and it back; empty: "
                            "hostname"),
                     choice<WarmUp>(
                         "warm_up", "automatic",
                         {{"automatic", WarmUp::automatic}, {"yes", WarmUp::yes}, {"no", WarmUp::no}},
                         place(&E::warm_up),
                         "automatic: when it joins addresses that are in use; yes: also when all are new")},
            .begin = [](Settings& s) { s.relay.egress.emplace_back(); },
            .shown = false};
}

Section queue() {
    using Q = relay::QueueSettings;
    const auto place = [](auto member) {
        return [member](Settings& s) -> auto& { return s.relay.queue.*member; };
    };
    return {
        .name = "queue",
        .help = "Mail that waits.",
        .keys = {
            duration("expire", "5d", "1s", "365d", place(&Q::expire), "then a bounce"),
            duration("retry_first", "1m", "1s", "1d", place(&Q::retry_first), "pauses grow from here ..."),
            duration("retry_max", "4h", "1s", "30d", place(&Q::retry_max), "... to here"),
            size("message_size", "50MiB", "1KiB", "2GiB", place(&Q::message_size),
                 "of one message, announced as SIZE"),
            size("volume_size", "64MiB", "4MiB", "1GiB", place(&Q::volume_size), "of one file of the spool")
                .at_start(),
            duration("delay_notice", "0s", "0s", "30d", place(&Q::delay_notice),
                     "after it a sender is told that mail still waits, as \"4h\"; 0s: never"),
            size("report_size", "50KiB", "0B", "16MiB", place(&Q::report_size),
                 "of a message returned whole in a report, where its sender asked for that (RET=FULL)")}};
}

std::string set_blocklists(Settings& settings, const Value& value) {
    constexpr std::size_t most = 32;
    const auto& zones = std::get<std::vector<std::string>>(value);
    if (zones.size() > most) return "there are more than " + std::to_string(most);
    for (const auto& zone : zones) {
        if (!is_domain_name(zone)) return quoted(zone) + " is not a zone such as \"zen.spamhaus.org\"";
        settings.relay.delivery.blocklists.push_back(base::lower(zone));
    }
    return {};
}

std::string set_receivers(Settings& settings, const Value& value) {
    constexpr std::size_t most = 100;
    const auto& patterns = std::get<std::vector<std::string>>(value);
    if (patterns.size() > most) return "there are more than " + std::to_string(most);
    settings.relay.delivery.receivers.clear();
    for (const auto& pattern : patterns) {
        // Without a domain behind the star it would make one receiver of the whole world.
        const bool star = pattern.starts_with("*.");
        const auto domain = star ? std::string_view(pattern).substr(2) : std::string_view(pattern);
        if (!is_domain_name(domain) || (star && domain.find('.') == std::string_view::npos))
            return quoted(pattern) +
                   " is not the name of exchangers such as \"*.mail.protection.outlook.com\"";
        settings.relay.delivery.receivers.push_back(base::lower(pattern));
    }
    return {};
}

std::string set_warm_up(Settings& settings, const Value& value) {
    constexpr std::size_t most = 365;
    const auto& days = std::get<std::vector<std::int64_t>>(value);
    if (days.size() > most) return "there are more than " + std::to_string(most) + " days";
    auto& plan = settings.relay.delivery.warm_up;
    plan.clear();
    for (const auto messages : days) {
        if (messages < 1 || messages > 1000 * many)
            return std::to_string(messages) + " is not in 1 to " + std::to_string(1000 * many);
        plan.push_back(static_cast<unsigned>(messages));
    }
    return {};
}

Section delivery() {
    using D = relay::DeliverySettings;
    using relay::Rotation;
    const auto place = [](auto member) {
        return [member](Settings& s) -> auto& { return s.relay.delivery.*member; };
    };
    const D initial;
    const std::vector<std::int64_t> plan(initial.warm_up.begin(), initial.warm_up.end());
    return {
        .name = "delivery",
        .help = "Mail that leaves.",
        .keys = {
            integer("port", 25, 1, 65535, place(&D::port), "of mail exchangers"),
            choice<ClientTls>("tls", "opportunistic",
                              TlsChoices(exchanger_tls.begin(),
                                         exchanger_tls.end() - 1),  // not every domain has TLSA records
                              place(&D::tls), "towards mail exchangers"),
            boolean("dane", true, place(&D::dane),
                    "where tls is opportunistic: believe signed TLSA records (RFC 7672)"),
            boolean("mta_sts", true, place(&D::mta_sts),
                    "where tls is opportunistic: do as the domain's MTA-STS policy asks (RFC 8461)"),
            networks("ignore_addresses", {"0.0.0.0/8", "127.0.0.0/8", "::/128", "::1/128"},
                     place(&D::ignore_addresses),
                     "where no MX record, policy host or address literal leads; add private ranges nobody "
                     "shall reach"),
            integer("connections", 500, 1, 50'000, place(&D::connections), "at once, in all"),
            integer("per_destination", 20, 1, 1000, place(&D::per_destination), "connections to one of them"),
            integer("messages_per_minute", 0, 0, many, place(&D::messages_per_minute),
                    "to one of them; 0: as many as it takes"),
            integer("recipients", 100, 1, many, place(&D::recipients), "per transaction"),
            duration("connect_timeout", "30s", "1s", "10m", place(&D::connect_timeout), "for one address"),
            duration("command_timeout", "5m", "1s", "1h", place(&D::command_timeout),
                     "for the reply to a command"),
            duration("data_timeout", "10m", "1s", "1h", place(&D::data_timeout),
                     "for the reply to a message; too short makes duplicates"),
            duration("idle", "2s", "0s", "5m", place(&D::idle), "how long a connection without work is kept"),
            choice<Rotation>("rotation", "on-listing",
                             {{"on-listing", Rotation::on_listing},
                              {"round-robin", Rotation::round_robin},
                              {"per-domain", Rotation::per_domain}},
                             place(&D::rotation),
                             "which [[egress]]: the first until it is listed; each in turn; one for each "
                             "sender domain"),
            {"suspects", "IP address", std::string(),
             "the [[egress]] address that mail of senders with unusual volume leaves from, and no other mail "
             "does",
             [](Settings& all, const Value& value) {
                 const auto& given = std::get<std::string>(value);
                 all.relay.delivery.suspects = canonical_ip(given).value_or(given);
                 return std::string();
             }},
            {"blocklists", "list of zones", std::vector<std::string>{},
             "DNSBLs the [[egress]] addresses are looked up in, as [\"zen.spamhaus.org\"]", set_blocklists},
            duration("blocklist_every", "15m", "1s", "1d", place(&D::blocklist_every),
                     "pause between two look-ups"),
            {"receivers", "list of names", initial.receivers,
             "exchangers that belong to one receiver: its verdict about an address holds for all of them",
             set_receivers},
            duration("listed_for", "6h", "1s", "30d", place(&D::listed_for),
                     "how long a receiver's verdict about an address holds, unless a rule says"),
            {"warm_up", "list of numbers", plan,
             "what a new [[egress]] address may send on its first day, its second, ...; []: any amount",
             set_warm_up},
            path(
                "reply_rules", "", [](Settings& s) -> auto& { return s.reply_rules; },
                "rules that tell what a refusal is about; empty: those of \"postern config "
                "--reply-rules\"")}};
}

/// An address that mail may come from, "" for the default.
Key report_address(std::string_view name, std::string relay::TlsReportSettings::*member,
                   std::string_view help) {
    return {name, "address", std::string(), help, [member](Settings& settings, const Value& value) {
                const auto& text = std::get<std::string>(value);
                const auto parsed = relay::parse_address(text);
                const bool usable = parsed && !parsed->null() && is_domain_name(parsed->domain) &&
                                    base::is_ascii(text) &&
                                    text.find_first_of("\"<>\\(),;: ") == std::string::npos;
                if (!text.empty() && !usable)
                    return quoted(text) + " is not an address as \"tls-reports@example.com\"";
                settings.relay.tls_reports.*member = text;
                return std::string();
            }};
}

Section tls_reports() {
    using T = relay::TlsReportSettings;
    return {.name = "tls_reports",
            .help = "Reports about TLS, once a day, to the domains that ask for them (RFC 8460).",
            .keys = {
                boolean(
                    "send", false, [](Settings& s) -> auto& { return s.relay.tls_reports.send; },
                    "true: count how TLS fares with the hosts of each domain, and tell the domain"),
                report_address("from", &T::from,
                               "whom they come from, of a domain with a key in dkim.keys; empty: postmaster "
                               "at hostname"),
                report_address("contact", &T::contact, "whom their readers may ask; empty: from"),
                text(
                    "organization", "", [](Settings& s) -> auto& { return s.relay.tls_reports.organization; },
                    "who reports, as people call it; empty: hostname")}};
}

std::string set_dns_servers(Settings& settings, const Value& value) {
    for (const auto& server : std::get<std::vector<std::string>>(value)) {
        if (!is_dns_server(server)) return quoted(server) + " is not an IP address, or one with \"@port\"";
        settings.relay.dns.servers.push_back(server);
    }
    return {};
}

std::string set_dns_stub(Settings& settings, const Value& value) {
    for (const auto& [zone, server] : std::get<Pairs>(value)) {
        if (!is_domain_name(zone)) return quoted(zone) + " is not a domain name";
        if (!is_dns_server(server)) return quoted(server) + " is not an IP address, or one with \"@port\"";
        settings.relay.dns.stub.emplace_back(base::lower(zone), server);
    }
    return {};
}

Section dns() {
    return {
        .name = "dns",
        .help = "Whom names are asked.",
        .keys = {{"servers", "list of addresses, \"@port\" allowed", std::vector<std::string>{},
                  "resolvers, as \"192.0.2.53\" or \"127.0.0.1@5353\"; empty: from the root down",
                  set_dns_servers},
                 {"stub", "table of zone = server", Pairs{},
                  "zones with a server of their own, as { \"corp.example\" = \"127.0.0.1@5353\" }; believed "
                  "without "
                  "DNSSEC, unless trust_anchors has a key of the zone",
                  set_dns_stub},
                 path(
                     "trust_anchors", "/usr/share/dns/root.key",
                     [](Settings& s) -> auto& { return s.relay.dns.trust_anchors; },
                     "DNSSEC keys of the root; empty: answers are not validated"),
                 duration(
                     "timeout", "20s", "1s", "5m", [](Settings& s) -> auto& { return s.relay.dns.timeout; },
                     "for one question with all its detours")}};
}

}  // namespace

std::vector<Section> outgoing_sections() {
    return {gateway(), route(), destination(), egress(), queue(), delivery(), dkim(), tls_reports(), dns()};
}

}  // namespace postern::agent
