// The keys about us, the primaries and what is taken; and all sections in their order.
#include "agent/settings/keys.h"

#include <initializer_list>
#include <iterator>

#include "agent/settings/key_types.h"
#include "agent/settings/keys_cluster.h"
#include "agent/settings/keys_copies.h"
#include "agent/settings/keys_limits.h"
#include "agent/settings/keys_outgoing.h"
#include "relay/limits.h"
#include "relay/mail/address.h"
#include "sync/back_ends.h"
#include "sync/base/ascii.h"
#include "sync/base/ip_address.h"

namespace postern::agent {
namespace {

using namespace key;

constexpr std::int64_t many = 1'000'000;

std::vector<Key> joined(std::initializer_list<std::vector<Key>> parts) {
    std::vector<Key> all;
    for (const auto& part : parts) all.insert(all.end(), part.begin(), part.end());
    return all;
}

Section top() {
    return {.name = "",
            .help = "",
            .keys = {
                text(
                    "hostname", "", [](Settings& s) -> auto& { return s.relay.hostname; },
                    "name in EHLO, Received and bounces, fully qualified; empty: the machine's own"),
                path(
                    "state_dir", default_state_dir, [](Settings& s) -> auto& { return s.relay.state_dir; },
                    "queue, directory, token; made when missing, used by one process only")
                    .at_start(),
                text(
                    "user", "postern", [](Settings& s) -> auto& { return s.user; },
                    "account to become after binding when started as root; empty: stay")
                    .at_start(),
                integer(
                    "threads", 0, 0, 64, [](Settings& s) -> auto& { return s.relay.threads; },
                    "loops that reception, and delivery, run on; 0: one for two processors")
                    .at_start(),
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
                         .need()
                         .at_start(),
                     choice<ListenerTls>(
                         "tls", "opportunistic",
                         {{"off", ListenerTls::off},
                          {"opportunistic", ListenerTls::opportunistic},
                          {"required", ListenerTls::required},
                          {"implicit", ListenerTls::implicit}},
                         [](Settings& s) -> auto& { return s.relay.listeners.back().tls; },
                         "opportunistic offers STARTTLS once there is a certificate")
                         .at_start()},
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

std::string set_domains(Settings& settings, const Value& value) {
    auto& domains = settings.relay.primaries.back().domains;
    for (const auto& text : std::get<std::vector<std::string>>(value)) {
        if (text != "*" && !is_domain_name(text)) return quoted(text) + " is neither a domain name nor \"*\"";
        domains.push_back(base::lower(text));
    }
    return {};
}

std::string set_sends_for(Settings& settings, const Value& value) {
    settings.relay.primaries.back().sends_for = std::get<std::vector<std::string>>(value);
    return {};
}

std::string set_postmaster(Settings& settings, const Value& value) {
    const auto& text = std::get<std::string>(value);
    if (!text.empty() && !relay::parse_address(text)) return quoted(text) + " is not an address";
    settings.relay.accept.postmaster = text;
    return {};
}

/// Of a primary: where its users are asked for.
std::vector<Key> asked_keys() {
    std::vector<std::pair<std::string_view, std::string>> apis;
    for (const auto& kind : sync::back_ends()) apis.emplace_back(kind.api, kind.api);
    return {
        name(
            "name", "main", [](Settings& s) -> auto& { return s.relay.primaries.back().name; },
            "in logs and commands")
            .need(),
        text(
            "url", "https://mail.example.com", [](Settings& s) -> auto& { return s.directories.back().url; },
            "its web services, or its mail port where api is \"smtp\"; without it nothing is known of "
            "its users")
            .without(),
        text(
            "username", "gateway", [](Settings& s) -> auto& { return s.directories.back().username; },
            "a system administrator there; not for smtp")
            .without(),
        path(
            "password_file", "/etc/postern/secrets/main",
            [](Settings& s) -> auto& { return s.directories.back().password_file; },
            "holds the password and nothing else; read at each sign-in")
            .without(),
        choice<std::string>(
            "api", "auto", std::move(apis), [](Settings& s) -> auto& { return s.directories.back().api; },
            "generation of its web services; smtp: it has none, and is asked about each address by "
            "RCPT")};
}

/// Of a primary: which mail is from it, and which goes to it.
std::vector<Key> mail_keys() {
    return {networks(
                "addresses", {"192.0.2.10"},
                [](Settings& s) -> auto& { return s.relay.primaries.back().addresses; },
                "where its outgoing mail comes from")
                .need(),
            host_port(
                "deliver_to", "mail.example.com:25", 25,
                [](Settings& s) -> auto& { return s.relay.primaries.back().deliver_to; },
                "where mail for its domains, bounces too, goes; without it by MX")
                .without(),
            {"domains", "list of domains", std::vector<std::string>{},
             "of several primaries: its own whoever else lists them, and the others' mail for them goes to "
             "its deliver_to; [\"*\"]: that for whatever it lists; for smtp all that it has",
             set_domains},
            {"sends_for", "list of names", std::vector<std::string>{},
             "other primaries whose users it may send as", set_sends_for}};
}

/// Of a primary: how its directory is read.
std::vector<Key> reading_keys() {
    return {
        duration(
            "poll_every", "5m", "1s", "1d",
            [](Settings& s) -> auto& { return s.directories.back().poll_every; },
            "pause between two readings of its directory"),
        duration(
            "trust_for", "72h", "1s", "365d",
            [](Settings& s) -> auto& { return s.directories.back().trust_for; },
            "how old the directory may get before \"no such user\" means \"try later\""),
        duration(
            "sudden_loss_hold", "1h", "0s", "7d",
            [](Settings& s) -> auto& { return s.directories.back().sudden_loss_hold; },
            "how long answers in which much is missing are doubted, in three readings at least"),
        path(
            "ca_file", "", [](Settings& s) -> auto& { return s.directories.back().ca_file; },
            "PEM, authorities trusted for its url; empty: the system's"),
        boolean(
            "verify_tls", true, [](Settings& s) -> auto& { return s.directories.back().verify_tls; },
            "false sends the password to whoever answers: closed networks only"),
        boolean(
            "plain_http", false, [](Settings& s) -> auto& { return s.directories.back().plain_http; },
            "true: url may be http:// beyond this machine, which shows the password to the network"),
        duration(
            "request_gap", "250ms", "0s", "1m", [](Settings& s) -> auto& { return s.directories.back().gap; },
            "pause between two requests, to be polite")};
}

Section primary() {
    return {.name = "primary",
            .help = "A mail server with mailboxes, beside which postern stands; one or more.",
            .keys = joined({asked_keys(), mail_keys(), reading_keys()}),
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
    return {
        .name = "accept",
        .help = "What is taken.",
        .keys = {
            choice<bool>("mode", "enforce", {{"enforce", true}, {"monitor", false}}, place(&A::enforce),
                         "monitor: say what would be refused, refuse nothing the primary sends"),
            choice<Check>("sender", "user",
                          {{"any", Check::any}, {"domain", Check::domain}, {"user", Check::user}},
                          place(&A::sender), "what of a sender must exist on the primary"),
            choice<ForeignSender>("foreign_sender", "refuse",
                                  {{"refuse", ForeignSender::refuse},
                                   {"accept", ForeignSender::accept},
                                   {"rewrite", ForeignSender::rewrite}},
                                  place(&A::foreign_sender),
                                  "mail the primary forwards for outsiders; rewrite: from an address of "
                                  "ours (SRS)"),
            domain("rewrite_domain", "", place(&A::rewrite_domain),
                   "of rewritten senders; its MX must lead here; empty: hostname"),
            choice<BareNewline>("bare_newline", "normalize",
                                {{"normalize", BareNewline::normalize}, {"refuse", BareNewline::refuse}},
                                place(&A::bare_newline),
                                "a bare CR or LF, or NUL, in the primary's mail; anyone else's is refused"),
            {"postmaster", "address", std::string(),
             "who gets mail for postmaster at hostname; empty: a primary's postmaster", set_postmaster},
            integer("recipients", 1000, 1, relay::limits::accepted_recipients, place(&A::recipients),
                    "per message"),
            integer("connections", 1000, 1, many, place(&A::connections), "at once, in all"),
            integer("protocol_errors", 10, 1, 1000, place(&A::protocol_errors),
                    "of one client before it is sent away with 421"),
            duration("timeout", "5m", "1s", "1h", place(&A::timeout), "for a command or a block of data"),
            size("minimum_free", "64MiB", "0B", "1048576GiB", place(&A::minimum_free),
                 "left on the disk of state_dir; below it mail is answered 452")}};
}

std::string set_gateway_mode(Settings& settings, const Value& value) {
    const auto& given = std::get<std::string>(value);
    if (given.empty()) return {};  // off
    auto parsed = parse_host_port(given, std::nullopt);
    if (!parsed) return quoted(given) + ": " + parsed.error();
    if (!base::is_ip_literal(parsed->host))
        return key::quoted(parsed->host) + " is a name; an IP address is needed";
    settings.gateway_mode.address = std::move(*parsed);
    return {};
}

Section status() {
    return {
        .name = "status",
        .help = "Health, metrics, and how programs and the commands reach the gateway.",
        .keys = {host_port(
                     "address", "127.0.0.1:8025", {}, [](Settings& s) -> auto& { return s.status.address; },
                     "loopback only")
                     .at_start(),
                 path(
                     "socket", "", [](Settings& s) -> auto& { return s.status.socket; },
                     "what the commands talk through; empty: control.sock in state_dir, in /run/postern when "
                     "that is /var/lib/postern")
                     .at_start(),
                 choice<bool>(
                     "reads", "open", {{"open", false}, {"token", true}},
                     [](Settings& s) -> auto& { return s.status.reads_need_token; },
                     "token: only who shows the token may read, besides /healthz and /readyz, and of the "
                     "commands' users only root and the account"),
                 path(
                     "token_file", "", [](Settings& s) -> auto& { return s.status.token_file; },
                     "what changes need to show; empty: \"token\" in state_dir, made at the first start"),
                 {"gateway_mode", "host:port", std::string(),
                  "where primaries in \"SmarterMail gateway mode\" read the spool count, as "
                  "\"192.0.2.20:9998\"; empty: nowhere",
                  set_gateway_mode, Given::defaulted, true},
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
    static const std::vector<Section> table = [] {
        std::vector<Section> all{top(), listener(), tls(), primary(), accept()};
        auto limits = limit_sections();
        std::move(limits.begin(), limits.end(), std::back_inserter(all));
        auto outgoing = outgoing_sections();
        std::move(outgoing.begin(), outgoing.end(), std::back_inserter(all));
        auto copies = copies_sections();
        std::move(copies.begin(), copies.end(), std::back_inserter(all));
        all.push_back(cluster_section());
        all.push_back(status());
        all.push_back(log());
        return all;
    }();
    return table;
}

}  // namespace postern::agent
