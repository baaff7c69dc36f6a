// What operators set at several gateways: of each entry the one that was changed last is in force at all.
#include <algorithm>
#include <set>

#include "agent/settings/overrides.h"
#include "sync/base/words.h"

namespace postern::agent {
namespace {

constexpr char between = '\n';  // which is in no name
constexpr std::size_t most_gone = 1000;

/// What each entry is about ("route", sender, recipient; "gateway", name; "egress", address), and what it
/// says.
std::map<std::string, std::string> entries(const Overrides& overrides) {
    std::map<std::string, std::string> out;
    for (const auto& route : overrides.routes)
        out["route" + (between + route.sender) + between + route.recipient] = route.gateway;
    for (const auto& [name, enabled] : overrides.gateways)
        out[std::string("gateway") + between + name] = enabled ? "enabled" : "disabled";
    for (const auto& [address, suspended] : overrides.egress)
        out[std::string("egress") + between + address] = suspended ? "suspended" : "in use";
    return out;
}

/// What a map has of a key, "" when nothing.
template <class Map>
auto of(const Map& map, const std::string& key) {
    const auto found = map.find(key);
    return found == map.end() ? typename Map::mapped_type{} : found->second;
}

/// "": it has no entry.
void set(Overrides& overrides, std::string_view what, const std::string& says) {
    const auto kind = base::take_part(what, between);
    if (kind == "route") {
        relay::RouteSettings route;
        route.sender = base::take_part(what, between);
        route.recipient = what;
        route.gateway = says;
        route.configured = false;
        std::erase_if(overrides.routes, [&](const auto& one) {
            return one.sender == route.sender && one.recipient == route.recipient;
        });
        if (!says.empty()) overrides.routes.push_back(std::move(route));
    } else if (auto* map = kind == "gateway"  ? &overrides.gateways
                           : kind == "egress" ? &overrides.egress
                                              : nullptr) {
        if (says.empty())
            map->erase(std::string(what));
        else
            (*map)[std::string(what)] = says == "enabled" || says == "suspended";
    }
}

/// That something is as the file says is not remembered for ever.
void forget_gone(Overrides& overrides) {
    const auto there = entries(overrides);
    std::set<std::pair<std::uint64_t, std::string>> gone;
    for (const auto& [what, at] : overrides.changed)
        if (!there.contains(what)) gone.emplace(at, what);
    for (; gone.size() > most_gone; gone.erase(gone.begin())) overrides.changed.erase(gone.begin()->second);
}

}  // namespace

Overrides stamped(Overrides after, const Overrides& before, std::uint64_t now) {
    const auto was = entries(before), is = entries(after);
    auto either = was;
    either.insert(is.begin(), is.end());
    for (const auto& [what, says] : either)
        if (of(was, what) != of(is, what)) after.changed[what] = std::max(of(before.changed, what) + 1, now);
    forget_gone(after);
    return after;
}

Overrides dated(Overrides overrides) {
    for (const auto& [what, says] : entries(overrides)) overrides.changed.try_emplace(what, 1);
    return overrides;
}

Overrides with_later(Overrides ours, const Overrides& theirs, std::uint64_t until) {
    const auto is = entries(ours), other = entries(theirs);
    for (const auto& [what, at] : theirs.changed) {
        const auto here = of(ours.changed, what);
        const auto says = of(other, what);
        // Of two at once all take the same.
        if (at > until || at < here || (at == here && says <= of(is, what))) continue;
        set(ours, what, says);
        ours.changed[what] = at;
    }
    forget_gone(ours);
    return ours;
}

}  // namespace postern::agent
