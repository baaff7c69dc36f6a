#include "agent/settings/settings.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

namespace postern::agent {

std::vector<sync::PrimarySettings> Settings::synced() const {
    std::vector<sync::PrimarySettings> result;
    for (std::size_t i = 0; i < directories.size(); ++i) {
        if (directories[i].url.empty()) continue;
        result.push_back(directories[i]);
        result.back().hostname = relay.hostname;
        std::copy_if(relay.primaries[i].domains.begin(), relay.primaries[i].domains.end(),
                     std::back_inserter(result.back().own), [](const auto& one) { return one != "*"; });
    }
    return result;
}

std::filesystem::path Settings::token_file() const {
    return status.token_file.empty() ? relay.state_dir / "token" : status.token_file;
}

std::filesystem::path Settings::socket() const {
    if (!status.socket.empty()) return status.socket;
    return (relay.state_dir == default_state_dir ? std::filesystem::path(runtime_directory)
                                                 : relay.state_dir) /
           "control.sock";
}

void sort_as_in_file(std::vector<Fault>& faults) {
    std::stable_sort(faults.begin(), faults.end(), [](const Fault& a, const Fault& b) {
        return std::pair(a.position.line, a.position.column) < std::pair(b.position.line, b.position.column);
    });
}

std::string Fault::line(const std::filesystem::path& configuration) const {
    std::string line = (file.empty() ? configuration : file).string();
    if (position.line != 0)
        line.append(":")
            .append(std::to_string(position.line))
            .append(":")
            .append(std::to_string(position.column));
    if (!key.empty()) line.append(": ").append(key);
    return line.append(": ").append(text);
}

void ParsedConfiguration::fault(std::string_view key, std::string text) {
    // What follows from a fault of the same key would only lead astray.
    if (std::any_of(faults.begin(), faults.end(), [&](const Fault& each) { return each.key == key; })) return;
    faults.push_back({position_of(key), std::string(key), std::move(text)});
}

void ParsedConfiguration::warn(std::string_view key, std::string text) {
    warnings.push_back({position_of(key), std::string(key), std::move(text)});
}

sync::ClusterSettings Settings::clustered() const {
    auto out = cluster;
    if (out.name.empty()) out.name = relay.hostname;
    return out;
}

Position ParsedConfiguration::position_of(std::string_view key) const {
    for (auto path = key; !path.empty(); path = path.substr(0, path.find_last_of(".["))) {
        if (const auto found = positions.find(path); found != positions.end()) return found->second;
        if (path.find_first_of(".[") == std::string_view::npos) break;
    }
    return {};
}

std::vector<std::string> differing_at_start(const Settings& running, const Settings& wanted) {
    std::set<std::string> names;
    const auto compare = [&names](const Settings& one, const Settings& other) {
        for (const auto& [key, value] : one.at_start) {
            const auto found = other.at_start.find(key);
            if (found == other.at_start.end() || found->second != value)
                names.insert(key.substr(0, key.find('[')));
        }
    };
    compare(running, wanted);
    compare(wanted, running);
    return {names.begin(), names.end()};
}

}  // namespace postern::agent
