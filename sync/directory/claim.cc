#include "sync/directory/claim.h"

#include <algorithm>
#include <map>
#include <set>
#include <string_view>
#include <tuple>

namespace postern::sync {

std::vector<Claim> claims(const Directory& directory) {
    if (directory.size() < 2) return {};
    // By name: who has it, in the order in which they count.
    using Rank =
        std::tuple<bool, bool, bool, std::size_t>;  // disowned, an alias, disabled, place in the settings
    std::map<std::string_view, std::set<Rank>> owners;
    for (std::size_t i = 0; i < directory.size(); ++i) {
        for (const auto& [name, record] : directory[i].domains) {
            owners[name].emplace(disowned(directory, i, name), false, !record.enabled, i);
            for (const std::string& alias : record.domain_aliases.content)
                owners[alias].emplace(disowned(directory, i, alias), true, !record.enabled, i);
        }
    }
    std::vector<Claim> found;
    for (const auto& [name, ranks] : owners) {
        const std::size_t first = std::get<std::size_t>(*ranks.begin());
        std::set<std::size_t> others;
        for (const Rank& rank : ranks) others.insert(std::get<std::size_t>(rank));
        others.erase(first);
        for (const std::size_t other : others)
            found.push_back({std::string(name), directory[first].name, directory[other].name});
    }
    std::sort(found.begin(), found.end());
    return found;
}

}  // namespace postern::sync
