// Everything the configuration file says, as plain values, and how it is read.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <tl/expected.hpp>

#include "agent/log/settings.h"
#include "agent/settings/value.h"
#include "relay/settings.h"
#include "sync/cluster/settings.h"
#include "sync/sync.h"

namespace postern::agent {

struct StatusSettings {
    relay::HostPort address{"127.0.0.1", 8025};
    std::filesystem::path socket;      // of the commands; empty: see Settings::socket()
    std::filesystem::path token_file;  // empty: "token" in state_dir
    bool reads_need_token = false;
    bool operator==(const StatusSettings&) const = default;
};

/// Where the primaries' own gateway mode reads how many messages wait here.
struct GatewayModeSettings {
    relay::HostPort address{"", 0};  // empty host: off
    std::string user;
    std::filesystem::path password_file;
    bool plain = false;  // HTTP without a certificate may leave the machine

    bool on() const { return !address.host.empty(); }
    bool operator==(const GatewayModeSettings&) const = default;
};

struct Settings {
    std::string user;  // the account to become after binding when started as root; empty: stay
    relay::Settings relay;
    std::vector<sync::PrimarySettings> directories;  // the web services of relay.primaries, same order
    StatusSettings status;
    GatewayModeSettings gateway_mode;
    sync::ClusterSettings cluster;
    bool cluster_plain = false;  // what is shared may leave the machine unencrypted
    LogSettings log;
    std::filesystem::path reply_rules;  // file of relay.delivery.reply_rules; empty: the shipped ones
    /// What only a start takes, as the file gives it, by key: "listener[0].tls".
    std::map<std::string, Value, std::less<>> at_start;

    /// The primaries that have a directory to read, that is a url.
    std::vector<sync::PrimarySettings> synced() const;
    std::filesystem::path token_file() const;
    /// With a name.
    sync::ClusterSettings clustered() const;
    /// Where the commands reach the gateway: beside a state_dir of the default name in the service's runtime
    /// directory, else in state_dir itself.
    std::filesystem::path socket() const;
    bool operator==(const Settings&) const = default;
};

/// Where something stands in the file; line 0 means the file as a whole.
struct Position {
    std::uint32_t line = 0, column = 0;
};

/// One thing wrong with the configuration.
struct Fault {
    Position position;
    std::string key;               // "listener[0].tls"
    std::string text;              // what is wrong, and what would be right
    std::filesystem::path file{};  // when it is another than the configuration file
    bool passing = false;          // of the machine's state, not of the file: trying again may help

    /// "postern.toml:14:9: listener[0].tls: ..."
    std::string line(const std::filesystem::path& configuration) const;
};

/// By their places; what has the same stays in its order.
void sort_as_in_file(std::vector<Fault>& faults);

inline constexpr std::string_view default_state_dir = "/var/lib/postern", runtime_directory = "/run/postern";

/// Settings with the place of every key that was given, and every fault that was found. The settings are only
/// to be used when there is no fault.
struct ParsedConfiguration {
    Settings settings;
    std::map<std::string, Position, std::less<>> positions;
    std::vector<Fault> faults;
    std::vector<Fault> warnings;  // what works, and is probably not meant

    void fault(std::string_view key, std::string text);
    void warn(std::string_view key, std::string text);
    /// A missing key is reported where the section it belongs to begins.
    Position position_of(std::string_view key) const;
};

/// Reads TOML text: syntax, names, types, units, bounds, and how keys fit together. Touches no file.
ParsedConfiguration parse_settings(std::string_view text);

/// Reads and parses a file of at most 1 MiB. An unreadable one is a fault.
ParsedConfiguration read_settings(const std::filesystem::path& file);

/// What must hold for keys together: names that exist, at least one listener, and the like.
void check_consistency(ParsedConfiguration& parsed);

/// The files the settings name: there, and readable by the calling process. Reads the reply rules.
void check_files(ParsedConfiguration& parsed);

/// The content of a file of at most 1 MiB. The error says in words why there is none.
tl::expected<std::string, std::string> read_small_file(const std::filesystem::path& file);

/// The keys, of sections that repeat the sections, of which only a start takes what differs.
std::vector<std::string> differing_at_start(const Settings& running, const Settings& wanted);

/// Whom a route is for: "everybody to example.com".
std::string in_words(const relay::RouteSettings& route);

}  // namespace postern::agent
