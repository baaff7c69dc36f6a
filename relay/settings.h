// Everything relay can be told, as plain values. The agent reads them from the configuration file; they are
// immutable once handed over, and a reload hands over a new set.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <variant>
#include <vector>

namespace postern::relay {

/// An address range in CIDR form; a single address has the full prefix.
struct Network {
    std::string address;  // as written, IPv4 or IPv6 literal
    unsigned prefix = 0;
};

struct HostPort {
    std::string host;  // name, IPv4 or IPv6 literal without brackets
    std::uint16_t port = 25;
};

enum class ListenerTls : std::uint8_t { off, opportunistic, required, implicit };

struct ListenerSettings {
    HostPort address;
    ListenerTls tls = ListenerTls::opportunistic;
    int inherited_fd = -1;  // a listening socket passed by systemd, used instead of binding
};

/// How a next hop is secured. `verify` needs a certificate that matches the host name.
enum class ClientTls : std::uint8_t { off, opportunistic, required, verify };

struct PrimarySettings {
    std::string name;
    std::vector<Network> addresses;  // where its outgoing mail comes from
    HostPort deliver_to;             // where mail for its domains goes; empty host: bounces go by MX
};

enum class Check : std::uint8_t { any, domain, user };
enum class ForeignSender : std::uint8_t { refuse, accept };
enum class BareNewline : std::uint8_t { normalize, refuse };

struct AcceptSettings {
    bool enforce = true;  // false: monitor, say what would be refused and refuse nothing
    Check sender = Check::user;
    ForeignSender foreign_sender = ForeignSender::refuse;
    BareNewline bare_newline = BareNewline::normalize;
    unsigned recipients = 1000;         // per message; RFC 5321 §4.5.3.1.8 asks for at least 100
    unsigned connections = 1000;        // in all
    unsigned protocol_errors = 10;      // then 421
    std::chrono::seconds timeout{300};  // for a command or a block of data, RFC 5321 §4.5.3.2.7
    std::uint64_t minimum_free = 64ull
                                 << 20;  // bytes left on the spool's disk below which mail is answered 452
};

enum class GatewayType : std::uint8_t { specified, round_robin };

struct GatewaySettings {
    std::string name;
    HostPort address;
    ClientTls tls = ClientTls::opportunistic;
    bool enabled = true;
    GatewayType type = GatewayType::specified;
};

struct RouteSettings {
    std::string sender;   // "user@domain", "domain" or "*"; lower case
    std::string gateway;  // name of a gateway
};

struct QueueSettings {
    std::chrono::seconds expire = std::chrono::hours(120);
    std::chrono::seconds retry_first = std::chrono::minutes(1);
    std::chrono::seconds retry_max = std::chrono::hours(4);
    std::uint64_t message_size = 50ull << 20;  // bytes, offered as SIZE
    std::uint64_t volume_size = 512ull << 20;  // bytes of one spool volume
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
};

struct DnsSettings {
    std::vector<std::string> servers;  // "192.0.2.53" or "127.0.0.1@5353"; empty: from the root
    std::vector<std::pair<std::string, std::string>> stub;  // zone, server
    std::filesystem::path trust_anchors;                    // empty or missing: no validation
    std::chrono::seconds timeout{20};
};

struct TlsSettings {
    std::filesystem::path certificate, private_key;  // both empty: STARTTLS is not offered
    std::filesystem::path ca_file;                   // empty: the system's store
};

struct Settings {
    std::string hostname;
    std::filesystem::path state_dir;
    std::vector<ListenerSettings> listeners;
    TlsSettings tls;
    std::vector<PrimarySettings> primaries;
    AcceptSettings accept;
    std::vector<GatewaySettings> gateways;
    std::vector<RouteSettings> routes;
    QueueSettings queue;
    DeliverySettings delivery;
    DnsSettings dns;
};

using SettingsPtr = std::shared_ptr<const Settings>;

}  // namespace postern::relay
