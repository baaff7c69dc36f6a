// Everything relay can be told, as plain values. The agent reads them from the configuration file; they are
// immutable once handed over, and a reload hands over a new set.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace postern::relay {

/// An address range in CIDR form; a single address has the full prefix.
struct Network {
    std::string address;  // as written, IPv4 or IPv6 literal
    unsigned prefix = 0;
    bool operator==(const Network&) const = default;
};

struct HostPort {
    std::string host;  // name, IPv4 or IPv6 literal without brackets
    std::uint16_t port = 25;
    bool operator==(const HostPort&) const = default;
};

enum class ListenerTls : std::uint8_t { off, opportunistic, required, implicit };

struct ListenerSettings {
    HostPort address;
    ListenerTls tls = ListenerTls::opportunistic;
    int inherited_fd = -1;  // a listening socket passed by systemd, used instead of binding
    bool operator==(const ListenerSettings&) const = default;
};

/// How a next hop is secured. `required`: encrypted, whatever the certificate. `verify`: the certificate must
/// match the host name. `dane`: it must match TLSA records that DNSSEC proves (RFC 7672). `implicit`: TLS
/// from the first octet (RFC 8314), verified as by `verify`.
enum class ClientTls : std::uint8_t { off, opportunistic, required, verify, dane, implicit };

struct PrimarySettings {
    std::string name;
    std::vector<Network> addresses;      // where its outgoing mail comes from
    HostPort deliver_to;                 // where mail for its domains goes; empty host: bounces go by MX
    std::vector<std::string> domains{};  // lower case; the other primaries' mail for them goes to deliver_to
    std::vector<std::string> sends_for{};  // names of other primaries whose users it may send as
    bool operator==(const PrimarySettings&) const = default;
};

enum class Check : std::uint8_t { any, domain, user };
enum class ForeignSender : std::uint8_t { refuse, accept, rewrite };  // rewrite: SRS
enum class BareNewline : std::uint8_t { normalize, refuse };

struct AcceptSettings {
    bool enforce = true;  // false: monitor, say what would be refused and refuse nothing
    Check sender = Check::user;
    ForeignSender foreign_sender = ForeignSender::refuse;
    std::string rewrite_domain;  // of rewritten reverse-paths; its MX must lead here. "": hostname
    BareNewline bare_newline = BareNewline::normalize;
    std::string postmaster;             // who gets mail for the postmaster of this host; "": a primary's
    unsigned recipients = 1000;         // per message; RFC 5321 §4.5.3.1.8 asks for at least 100
    unsigned connections = 1000;        // in all
    unsigned protocol_errors = 10;      // then 421
    std::chrono::seconds timeout{300};  // for a command or a block of data, RFC 5321 §4.5.3.2.7
    /// Bytes left on the spool's disk below which mail is answered 452.
    std::uint64_t minimum_free = 64ull << 20;
    bool operator==(const AcceptSettings&) const = default;
};

enum class GatewayType : std::uint8_t { specified, round_robin };

struct GatewaySettings {
    std::string name;
    HostPort address;
    ClientTls tls = ClientTls::opportunistic;
    bool enabled = true;
    GatewayType type = GatewayType::specified;
    std::string username;                 // "": no AUTH
    std::filesystem::path password_file;  // read at each connection
    bool allow_insecure_auth = false;     // credentials may go over TLS that was not verified, or none
    unsigned connections = 0;             // at once; 0: as DeliverySettings::per_destination
    unsigned messages_per_minute = 0;     // 0: as many as it takes
    bool operator==(const GatewaySettings&) const = default;
};

/// At least one of sender and recipient is given; both: both must match.
struct RouteSettings {
    std::string sender;      // "user@domain", "domain" or "*"; lower case; "": any
    std::string recipient;   // a domain, lower case; "": any
    std::string gateway;     // name of a gateway
    bool configured = true;  // from the file; false: set while running
    bool operator==(const RouteSettings&) const = default;
};

/// A domain whose exchangers are treated in a way of their own. Limits hold for the site the domain leads to.
struct DestinationSettings {
    std::string domain;            // recipient domain, lower case
    std::optional<ClientTls> tls;  // instead of DeliverySettings::tls
    unsigned connections = 0;      // 0: as DeliverySettings::per_destination
    unsigned messages_per_minute = 0;
    bool operator==(const DestinationSettings&) const = default;
};

enum class WarmUp : std::uint8_t { automatic, yes, no };

/// A local address that mail to mail exchangers leaves from.
struct EgressSettings {
    std::string address;   // IPv4 or IPv6 literal, without brackets
    std::string hostname;  // EHLO name; "": Settings::hostname
    /// automatic: when it joins a pool that has been in use; yes: also when the whole pool is new.
    WarmUp warm_up = WarmUp::automatic;
    bool suspended = false;  // by the operator: nothing leaves from it
    bool operator==(const EgressSettings&) const = default;
};

enum class Rotation : std::uint8_t { on_listing, round_robin, per_domain };

/// How much may be handed in: of messages that have one, or of recipients outside of the primaries' domains.
struct VolumeLimit {
    enum class Unit : std::uint8_t { messages, recipients };
    Unit unit = Unit::recipients;
    std::uint64_t count = 0;
    std::chrono::seconds period = std::chrono::hours(1);  // a minute, an hour or a day
    bool operator==(const VolumeLimit&) const = default;
};

/// For one sender instead of what holds for all.
struct LimitRule {
    std::string sender;  // "user@domain", "*@domain" for each user of it, or "domain"; lower case
    std::vector<VolumeLimit> limits;  // {}: none
    bool operator==(const LimitRule&) const = default;
};

/// What is done about a sender that sends more than is usual for it.
struct UnusualSettings {
    enum class Mode : std::uint8_t { off, monitor, enforce };  // monitor: it is told what would be done
    Mode mode = Mode::enforce;
    std::chrono::seconds learn = std::chrono::hours(24 * 7);  // a new site is only watched for so long
    bool operator==(const UnusualSettings&) const = default;
};

struct LimitSettings {
    std::vector<VolumeLimit> user, domain, primary, all;
    std::vector<LimitRule> rules;
    bool operator==(const LimitSettings&) const = default;
};

/// Copies of mail for an archive.
struct JournalSettings {
    enum class Direction : std::uint8_t { all, outgoing, incoming };
    std::string to;       // the archive's address; "": nothing is copied
    std::string gateway;  // that leads to it; "": as other mail for that address
    /// Whose mail, sent or received: "user@domain", "domain" or "*"; lower case.
    std::vector<std::string> of{"*"};
    Direction direction = Direction::all;
    bool operator==(const JournalSettings&) const = default;
};

/// What primaries send goes through a gateway that looks into it, and comes back.
struct ScreeningSettings {
    std::string gateway;                                           // "": nothing does
    std::vector<Network> addresses;                                // where it comes back from
    std::vector<std::string> of{"*"};                              // senders, as in JournalSettings
    std::chrono::seconds expected_within = std::chrono::hours(1);  // then it is told
    bool operator==(const ScreeningSettings&) const = default;
};

/// What a receiver's refusal is about.
enum class ReplyMeaning : std::uint8_t {
    unknown,            // no rule knows the text
    listed,             // our address is refused by this site
    listed_everywhere,  // our address is on a public blocklist
    rate_limited,       // too much at once from us
    greylisted,         // this message is too early: later, from the same address
    content,            // this message
    recipient,          // this mailbox
    configuration,      // our reverse name, SPF, TLS: another address would not help
};

/// One line of the rule file. A field that is empty matches everything; text is compared without case.
struct ReplyRule {
    std::string name;  // in logs and `explain`
    ReplyMeaning meaning = ReplyMeaning::unknown;
    std::string code;              // how the reply code begins: "5", "55", "550"
    std::string status;            // how the enhanced status begins: "5.7.", "5.7.606"
    std::string text;              // somewhere in the text, `*` stands for any run of characters
    std::string host;              // the whole name of the receiving host, `*` as above
    std::chrono::seconds hold{0};  // how long the verdict holds; 0: DeliverySettings::listed_for
    bool operator==(const ReplyRule&) const = default;
};

struct QueueSettings {
    std::chrono::seconds expire = std::chrono::hours(120);
    std::chrono::seconds retry_first = std::chrono::minutes(1);
    std::chrono::seconds retry_max = std::chrono::hours(4);
    std::uint64_t message_size = 50ull << 20;  // bytes, offered as SIZE
    std::uint64_t volume_size = 64ull << 20;   // octets of one segment of the spool
    std::chrono::seconds delay_notice{0};      // after it the sender is told that mail still waits; 0: never
    std::uint64_t report_size = 50ull << 10;   // bytes of a message returned in a report, else its header
    bool operator==(const QueueSettings&) const = default;
};

struct DeliverySettings {
    std::uint16_t port = 25;                   // of mail exchangers
    ClientTls tls = ClientTls::opportunistic;  // towards mail exchangers
    unsigned connections = 500;                // in all
    unsigned per_destination = 20;             // connections to one destination
    unsigned recipients = 100;                 // per transaction
    std::chrono::seconds connect_timeout{30};
    std::chrono::seconds command_timeout{300};  // banner, EHLO, MAIL, RCPT, RFC 5321 §4.5.3.2
    std::chrono::seconds data_timeout{600};     // after the final dot
    std::chrono::seconds idle{2};               // a connection without work is kept this long
    unsigned messages_per_minute = 0;           // to one site; 0: as many as it takes
    bool dane = true;                           // for exchangers, where tls is opportunistic (RFC 7672)
    bool mta_sts = true;                        // the same (RFC 8461)
    std::vector<Network> ignore_addresses;      // that MX records and address literals never lead to
    Rotation rotation = Rotation::on_listing;
    std::string suspects;  // of [[egress]], that mail of senders with unusual volume leaves from; "": as all
    std::vector<std::string> blocklists;        // DNSBL zones our own addresses are looked up in
    std::chrono::seconds blocklist_every{900};  // between two look-ups
    /// Names of exchangers that belong to one receiver, `*` for any run of characters: what it says of one of
    /// our addresses holds for all of them.
    std::vector<std::string> receivers{"*.mail.protection.outlook.com", "*.mx.microsoft"};
    std::chrono::seconds listed_for{6 * 3600};  // how long a receiver's verdict holds
    std::vector<unsigned> warm_up{50,   100,   200,   400,   800,   1600, 3000,
                                  6000, 12000, 25000, 50000, 100000};  // messages a day, day by day; {}: none
    std::vector<ReplyRule> reply_rules;                                // the first that matches decides
    bool operator==(const DeliverySettings&) const = default;
};

struct DnsSettings {
    std::vector<std::string> servers;  // "192.0.2.53" or "127.0.0.1@5353"; empty: from the root
    std::vector<std::pair<std::string, std::string>> stub;  // zone, server
    std::filesystem::path trust_anchors;                    // empty or missing: no validation
    std::chrono::seconds timeout{20};
    bool operator==(const DnsSettings&) const = default;
};

struct DkimSettings {
    std::filesystem::path keys;  // folder with DOMAIN/SELECTOR.pem; empty: nothing is signed
    bool operator==(const DkimSettings&) const = default;
};

/// Reports about TLS to the domains that ask for them (RFC 8460).
struct TlsReportSettings {
    bool send = false;
    std::string from;          // "": postmaster at Settings::hostname
    std::string contact;       // whom their readers may ask; "": `from`
    std::string organization;  // "": Settings::hostname
    bool operator==(const TlsReportSettings&) const = default;
};

struct TlsSettings {
    std::filesystem::path certificate, private_key;  // both empty: STARTTLS is not offered
    std::filesystem::path ca_file;                   // empty: the system's store
    bool operator==(const TlsSettings&) const = default;
};

struct Settings {
    std::string hostname;
    std::filesystem::path state_dir;
    unsigned threads = 1;  // loops that reception, and delivery, run on; 0: by the machine's processors
    std::vector<ListenerSettings> listeners;
    TlsSettings tls;
    std::vector<PrimarySettings> primaries;
    AcceptSettings accept;
    LimitSettings limits;
    UnusualSettings unusual;
    JournalSettings journal;
    ScreeningSettings screening;
    std::vector<GatewaySettings> gateways;
    std::vector<RouteSettings> routes;
    std::vector<DestinationSettings> destinations;
    std::vector<EgressSettings> egress;  // empty: the system's choice, with Settings::hostname
    QueueSettings queue;
    DeliverySettings delivery;
    DnsSettings dns;
    DkimSettings dkim;
    TlsReportSettings tls_reports;
    bool operator==(const Settings&) const = default;
};

using SettingsPtr = std::shared_ptr<const Settings>;

}  // namespace postern::relay
