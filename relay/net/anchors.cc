#include "relay/net/anchors.h"

#include <sstream>
#include <stdexcept>

#include "relay/mail/address.h"
#include "sync/base/ascii.h"
#include "sync/base/file.h"
#include "sync/base/file_fault.h"

namespace postern::relay::net {

std::set<std::string> anchored_zones(std::string_view text) {
    std::set<std::string> zones;
    std::istringstream lines{std::string(text)};
    std::string owner;
    for (std::string line; std::getline(lines, line);) {
        line = line.substr(0, line.find(';'));
        std::istringstream words(line);
        std::string word;
        // A line that begins with a blank is of the owner before (RFC 1035 §5.1).
        if (!line.empty() && line.front() != ' ' && line.front() != '\t' && words >> word) {
            owner = base::lower(word);
            if (owner.ends_with('.')) owner.pop_back();
        }
        while (words >> word)
            if (word == "DS" || word == "DNSKEY") zones.insert(owner);
    }
    return zones;
}

std::optional<std::set<std::string>> anchored_zones_of(const std::filesystem::path& file) {
    constexpr std::size_t most = 1 << 20;
    if (file.empty()) return std::nullopt;
    const auto text = base::read_file(file, most);
    if (text) return anchored_zones(*text);
    if (text.error() == std::errc::no_such_file_or_directory) return std::nullopt;
    throw std::runtime_error("dns.trust_anchors: cannot read " + base::file_fault(file, text.error()));
}

bool is_anchored(const std::set<std::string>& zones, std::string_view name) {
    while (!name.empty()) {
        if (zones.contains(std::string(name))) return true;
        const std::size_t dot = name.find('.');
        name = dot == std::string_view::npos ? std::string_view() : name.substr(dot + 1);
    }
    return false;
}

}  // namespace postern::relay::net
