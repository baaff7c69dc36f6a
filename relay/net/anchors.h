// Which zones a file of DNSSEC trust anchors speaks for.
#pragma once

#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace postern::relay::net {

/// The owners of the DS and DNSKEY records of a zone file's text: lower case, no trailing dot, "" for the
/// root.
std::set<std::string> anchored_zones(std::string_view text);

/// The same of a file; nullopt when there is none, or its name is "". Throws std::runtime_error when it
/// cannot be read: without its anchors DANE would be off, and nobody would be told.
std::optional<std::set<std::string>> anchored_zones_of(const std::filesystem::path& file);

/// Whether one of the zones is `name` or stands above it, the root aside.
bool is_anchored(const std::set<std::string>& zones, std::string_view name);

}  // namespace postern::relay::net
