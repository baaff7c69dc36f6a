#include "agent/keys.h"

#include "agent/key_types.h"

namespace postern::agent {
namespace {

using namespace key;

constexpr std::int64_t many = 1'000'000;

using relay::ClientTls;
const std::vector<std::pair<std::string_view, ClientTls>> client_tls{
    {"off", ClientTls::off},
    {"opportunistic", ClientTls::opportunistic},
    {"required", ClientTls::required},
    {"verify", ClientTls::verify}};

Section top() {
    return {.name = "",
            .help = "",
            .keys = {
                text(
                    "hostname", "", [](Settings& s) -> auto& { return s.relay.hostname; },
                    "name in EHLO, Received and bounces, fully qualified; empty: the machine's own"),
                path(
                    "state_dir", "/var/lib/postern", [](Settings& s) -> auto& { return s.relay.state_dir; },
                    "queue, directory, token; made when missing, used by one process only"),
                text(
                    "user", "postern", [](Settings& s) -> auto& { return s.user; },
                    "account to become after binding when started as root; empty: stay"),
            }};
}

Section listener() {
    using relay::ListenerTls;
    return {.name = "listener",
            .help = "Where mail comes in; one or more.",
            .keys = {host_port(
                         "address", "0.0.0.0:25", {},
                         [](Settings& s) -> auto& { return s.relay.listeners.back().address; },
                         "IP address and port, \"[::]:25\" for IPv6; a socket with it from systemd is used")
                         .need(),
                     choice<ListenerTls>(
                         "tls", "opportunistic",
                         {{"off", ListenerTls::off},
                          {"opportunistic", ListenerTls::opportunistic},
                          {"required", ListenerTls::required},
                          {"implicit", ListenerTls::implicit}},
                         [](Settings& s) -> auto& { return s.relay.listeners.back().tls; },
                         "opportunistic offers STARTTLS once there is a certificate")},
            .begin = [](Settings& s) { s.relay.listeners.emplace_back(); }};
}

Section tls() {
    return {.name = "tls",
            .help = "Our certificate, and whom we trust.",
            .keys = {path(
                         "certificate", "", [](Settings& s) -> auto& { return s.relay.tls.certificate; },
                         "PEM with the chain; empty: STARTTLS is not offered"),
                     path(
                         "private_key", "", [](Settings& s) -> auto& { return s.relay.tls.private_key; },
                         "PEM, readable by the account postern runs as"),
                     path(
                         "ca_file", "", [](Settings& s) -> auto& { return s.relay.tls.ca_file; },
                         "PEM, authorities trusted where tls is \"verify\"; empty: the system's")}};
}

Section primary() {
    using sync::Api;
    return {
        .name = "primary",
        .help = "A mail server with mailboxes, beside which postern stands; one or more.",
        .keys = {name(
                     "name", "main", [](Settings& s) -> auto& { return s.relay.primaries.back().name; },
                     "in logs and commands")
                     .need(),
                 text(
                     "url", "https://mail.example.com",
                     [](Settings& s) -> auto& { return s.directories.back().url; },
                     "its web services; without it nothing is known of its users")
                     .without(),
                 text(
                     "username", "gateway",
                     [](Settings& s) -> auto& { return s.directories.back().username; },
                     "a system administrator there")
                     .without(),
                 path(
                     "password_file", "/etc/postern/secrets/main",
                     [](Settings& s) -> auto& { return s.directories.back().password_file; },
                     "holds the password and nothing else; read at each sign-in")
                     .without(),
                 choice<Api>(
                     "api", "auto", {{"auto", Api::auto_}, {"rest", Api::rest}, {"soap", Api::soap}},
                     [](Settings& s) -> auto& { return s.directories.back().api; },
                     "generation of its web services"),
                 networks(
                     "addresses", {"192.0.2.10"},
                     [](Settings& s) -> auto& { return s.relay.primaries.back().addresses; },
                     "where its outgoing mail comes from")
                     .need(),
                 host_port(
                     "deliver_to", "mail.example.com:25", 25,
                     [](Settings& s) -> auto& { return s.relay.primaries.back().deliver_to; },
                     "where mail for its domains, bounces too, goes; without it by MX")
                     .without(),
                 duration(
                     "poll_every", "5m", "1s", "1d",
                     [](Settings& s) -> auto& { return s.directories.back().poll_every; },
                     "pause between two readings of its directory"),
                 duration(
                     "trust_for", "72h", "1s", "365d",
                     [](Settings& s) -> auto& { return s.directories.back().trust_for; },
                     "how old the directory may get before \"no such user\" means \"try later\""),
                 path(
                     "ca_file", "", [](Settings& s) -> auto& { return s.directories.back().ca_file; },
                     "PEM, authorities trusted for its url; empty: the system's"),
                 boolean(
                     "verify_tls", true, [](Settings& s) -> auto& { return s.directories.back().verify_tls; },
                     "false sends the password to whoever answers: closed networks only"),
                 duration(
                     "request_gap", "250ms", "0s", "1m",
                     [](Settings& s) -> auto& { return s.directories.back().gap; },
                     "pause between two requests, to be polite")},
        .begin =
            [](Settings& s) {
                s.relay.primaries.emplace_back();
                s.directories.emplace_back();
            },
        .shown = false};
}

Section accept() {
    using relay::BareNewline, relay::Check, relay::ForeignSender;
    const auto place = [](auto member) {
        return [member](Settings& s) -> auto& { return s.relay.accept.*member; };
    };
    using A = relay::AcceptSettings;
    return {.name = "accept",
            .help = "What is taken.",
            .keys = {
                choice<bool>("mode", "enforce", {{"enforce", true}, {"monitor", false}}, place(&A::enforce),
                             "monitor: say what would be refused, refuse nothing the primary sends"),
                choice<Check>("sender", "user",
                              {{"any", Check::any}, {"domain", Check::domain}, {"user", Check::user}},
                              place(&A::sender), "what of a sender must exist on the primary"),
                choice<ForeignSender>("foreign_sender", "refuse",
                                      {{"refuse", ForeignSender::refuse}, {"accept", ForeignSender::accept}},
                                      place(&A::foreign_sender), "mail the primary forwards for outsiders"),
                choice<BareNewline>("bare_newline", "normalize",
                                    {{"normalize", BareNewline::normalize}, {"refuse", BareNewline::refuse}},
                                    place(&A::bare_newline),
                                    "a bare CR or LF in the primary's mail; anyone else's is refused"),
                integer("recipients", 1000, 1, 50'000, place(&A::recipients), "per message"),
                integer("connections", 1000, 1, many, place(&A::connections), "at once, in all"),
                integer("protocol_errors", 10, 1, 1000, place(&A::protocol_errors),
                        "of one client before it is sent away with 421"),
                duration("timeout", "5m", "1s", "1h", place(&A::timeout), "for a command or a block of data"),
                size("minimum_free", "64MiB", "0B", "1048576GiB", place(&A::minimum_free),
                     "left on the disk of state_dir; below it mail is answered 452")}};
}

Section gateway() {
    using relay::GatewayType;
    return {.name = "gateway",
            .help = "A next hop that is not the recipient's own mail exchanger.",
            .keys = {name(
                         "name", "archive", [](Settings& s) -> auto& { return s.relay.gateways.back().name; },
                         "in routes, logs and commands")
                         .need(),
                     host_port(
                         "address", "smtp.archive.example:587", 25,
                         [](Settings& s) -> auto& { return s.relay.gateways.back().address; },
                         "host name or IP address, and port (25 when left out)")
                         .need(),
                     choice<ClientTls>(
                         "tls", "opportunistic", client_tls,
                         [](Settings& s) -> auto& { return s.relay.gateways.back().tls; },
                         "verify: the certificate must match the host name"),
                     choice<bool>(
                         "status", "enabled", {{"enabled", true}, {"disabled", false}},
                         [](Settings& s) -> auto& { return s.relay.gateways.back().enabled; },
                         "disabled: nothing goes this way"),
                     choice<GatewayType>(
                         "type", "specified",
                         {{"specified", GatewayType::specified}, {"round-robin", GatewayType::round_robin}},
                         [](Settings& s) -> auto& { return s.relay.gateways.back().type; },
                         "specified: where a route names it; round-robin: its turn of all mail")},
            .begin = [](Settings& s) { s.relay.gateways.emplace_back(); },
            .shown = false};
}

std::string set_route_sender(Settings& settings, const Value& value) {
    const auto& given = std::get<std::string>(value);
    const auto at = given.rfind('@');
    const bool user = at != std::string::npos;
    if (given != "*" && (!is_domain_name(user ? std::string_view(given).substr(at + 1) : given) || at == 0))
        return quoted(given) +
               " is not a user (\"user@example.com\"), a domain (\"example.com\") or \"*\" for everybody; "
               "international domains are written as A-labels (\"xn--...\")";
    settings.relay.routes.back().sender = lower_case(given);
    return {};
}

Section route() {
    return {
        .name = "route",
        .help = "Sends a sender's mail through a gateway; user before domain before everybody.",
        .keys = {{"sender", "\"user@domain\", \"domain\" or \"*\"", std::string("ceo@example.com"),
                  "whose mail", set_route_sender, Given::required},
                 name(
                     "gateway", "archive", [](Settings& s) -> auto& { return s.relay.routes.back().gateway; },
                     "name of a [[gateway]]")
                     .need()},
        .begin = [](Settings& s) { s.relay.routes.emplace_back(); },
        .shown = false};
}

Section queue() {
    const auto place = [](auto member) {
        return [member](Settings& s) -> auto& { return s.relay.queue.*member; };
    };
    using Q = relay::QueueSettings;
    return {.name = "queue",
            .help = "Mail that waits.",
            .keys = {duration("expire", "5d", "1s", "365d", place(&Q::expire), "then a bounce"),
                     duration("retry_first", "1m", "1s", "1d", place(&Q::retry_first),
                              "pauses grow from here ..."),
                     duration("retry_max", "4h", "1s", "30d", place(&Q::retry_max), "... to here"),
                     size("message_size", "50MiB", "1KiB", "2GiB", place(&Q::message_size),
                          "of one message, announced as SIZE"),
                     size("volume_size", "512MiB", "4MiB", "64GiB", place(&Q::volume_size),
                          "of one file of the spool; larger ones get slow after a backlog")}};
}

Section delivery() {
    const auto place = [](auto member) {
        return [member](Settings& s) -> auto& { return s.relay.delivery.*member; };
    };
    using D = relay::DeliverySettings;
    return {
        .name = "delivery",
        .help = "Mail that leaves.",
        .keys = {
            integer("port", 25, 1, 65535, place(&D::port), "of mail exchangers"),
            choice<ClientTls>("tls", "opportunistic", client_tls, place(&D::tls), "towards mail exchangers"),
            integer("connections", 500, 1, 50'000, place(&D::connections), "at once, in all"),
            integer("per_destination", 20, 1, 1000, place(&D::per_destination), "connections to one of them"),
            integer("recipients", 100, 1, many, place(&D::recipients), "per transaction"),
            duration("connect_timeout", "30s", "1s", "10m", place(&D::connect_timeout), "for one address"),
            duration("command_timeout", "5m", "1s", "1h", place(&D::command_timeout),
                     "for the reply to a command"),
            duration("data_timeout", "10m", "1s", "1h", place(&D::data_timeout),
                     "for the reply to a message; too short makes duplicates"),
            duration("idle", "2s", "0s", "5m", place(&D::idle),
                     "how long a connection without work is kept")}};
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
        settings.relay.dns.stub.emplace_back(lower_case(zone), server);
    }
    return {};
}

Section dns() {
    return {
        .name = "dns",
        .help = "Whom names are asked.",
        .keys = {
            {"servers", "list of addresses, \"@port\" allowed", std::vector<std::string>{},
             "resolvers, as \"192.0.2.53\" or \"127.0.0.1@5353\"; empty: from the root down",
             set_dns_servers},
            {"stub", "table of zone = server", Pairs{},
             "zones with a server of their own, as { \"corp.example\" = \"127.0.0.1@5353\" }", set_dns_stub},
            path(
                "trust_anchors", "/usr/share/dns/root.key",
                [](Settings& s) -> auto& { return s.relay.dns.trust_anchors; },
                "DNSSEC keys of the root; empty: answers are not validated"),
            duration(
                "timeout", "20s", "1s", "5m", [](Settings& s) -> auto& { return s.relay.dns.timeout; },
                "for one question with all its detours")}};
}

std::string set_gateway_mode(Settings& settings, const Value& value) {
    const auto& given = std::get<std::string>(value);
    if (given.empty()) return {};  // off
    auto parsed = parse_host_port(given, std::nullopt);
    if (!parsed) return quoted(given) + ": " + parsed.error();
    if (!is_ip_literal(parsed->host))
        return key::quoted(parsed->host) + " is a name; an IP address is needed";
    settings.gateway_mode.address = std::move(*parsed);
    return {};
}

Section status() {
    return {
        .name = "status",
        .help = "Health, metrics and what the commands talk to.",
        .keys = {host_port(
                     "address", "127.0.0.1:8025", {}, [](Settings& s) -> auto& { return s.status.address; },
                     "loopback only"),
                 path(
                     "token_file", "", [](Settings& s) -> auto& { return s.status.token_file; },
                     "what changes need to show; empty: \"token\" in state_dir, made at the first start"),
                 {"gateway_mode", "host:port", std::string(),
                  "where primaries in \"SmarterMail gateway mode\" read the spool count, as "
                  "\"192.0.2.20:9998\"; empty: nowhere",
                  set_gateway_mode},
                 text(
                     "gateway_mode_user", "", [](Settings& s) -> auto& { return s.gateway_mode.user; },
                     "whom they sign in there as; for nothing else"),
                 path(
                     "gateway_mode_password_file", "",
                     [](Settings& s) -> auto& { return s.gateway_mode.password_file; },
                     "holds that user's password and nothing else"),
                 boolean(
                     "gateway_mode_plain", false, [](Settings& s) -> auto& { return s.gateway_mode.plain; },
                     "true: without [tls] certificate the password may cross the network unencrypted")}};
}

Section log() {
    return {.name = "log",
            .help = "One line per event, to standard error.",
            .keys = {
                choice<LogFormat>(
                    "format", "text", {{"text", LogFormat::text}, {"json", LogFormat::json}},
                    [](Settings& s) -> auto& { return s.log.format; }, "text is key=value"),
                choice<LogLevel>(
                    "level", "info",
                    {{"error", LogLevel::error},
                     {"warning", LogLevel::warning},
                     {"info", LogLevel::info},
                     {"debug", LogLevel::debug}},
                    [](Settings& s) -> auto& { return s.log.level; }, "what is less important is left out")}};
}

}  // namespace

const std::vector<Section>& sections() {
    static const std::vector<Section> table{top(),   listener(), tls(),      primary(), accept(), gateway(),
                                            route(), queue(),    delivery(), dns(),     status(), log()};
    return table;
}

}  // namespace postern::agent
