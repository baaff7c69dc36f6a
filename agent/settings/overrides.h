// What the operator has changed while the gateway runs: routes, gateways, egress addresses. Kept over
// restarts in state_dir, laid over the configuration file; pure functions but for load and save.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <tl/expected.hpp>

#include "relay/settings.h"
#include "sync/base/disk.h"

namespace postern::agent {

/// What is as the file says has no entry. A gateway or address that is no longer in the file keeps its entry.
struct Overrides {
    std::vector<relay::RouteSettings> routes;           // `configured` is false
    std::map<std::string, bool, std::less<>> gateways;  // by name: enabled
    std::map<std::string, bool, std::less<>> egress;    // by address: suspended
    /// When an operator changed each last, at whichever of several gateways, also if it has no entry any
    /// more: milliseconds since 1970, later than what was changed by it. By what it is: see
    /// overrides_shared.cc.
    std::map<std::string, std::uint64_t, std::less<>> changed{};
};

/// Why a change is not made.
struct Objection {
    enum class Kind : std::uint8_t { wrong, unknown, conflict, failed };
    Kind kind = Kind::wrong;
    std::string why;
};
using Change = tl::expected<Overrides, Objection>;

/// The settings of the file with the overrides laid over them. Of two routes for the same mail relay prefers
/// the one that is not `configured`, as long as its gateway can be used.
relay::Settings merged(relay::Settings file, const Overrides& overrides);

/// Sends mail through a gateway. `sender` is "user@domain", "domain", "*" or "", `recipient` a domain or "";
/// one of them is given. Replaces an earlier override for the same mail.
Change set_route(Overrides before, const relay::Settings& file, relay::RouteSettings route);
/// Takes back set_route(). A route from the file stays: conflict.
Change unset_route(Overrides before, const relay::Settings& file, relay::RouteSettings route);
Change enable_gateway(Overrides before, const relay::Settings& file, const std::string& name, bool enabled);
Change suspend_egress(Overrides before, const relay::Settings& file, const std::string& address,
                      bool suspended);

std::string to_json(const Overrides& overrides);
/// The error says in words what is wrong with the text.
tl::expected<Overrides, std::string> from_json(std::string_view text);

/// `after`, in which whatever differs from `before` was changed at `now`.
Overrides stamped(Overrides after, const Overrides& before, std::uint64_t now);
/// `ours`, with what was changed later at another gateway. All gateways come to the same, in whatever order
/// they hear of each other.
/// What was changed after `until`, by a clock that is wrong, is passed over.
Overrides with_later(Overrides ours, const Overrides& theirs, std::uint64_t until = UINT64_MAX);
/// What was set before there were others, dated so that they take it.
Overrides dated(Overrides overrides);

/// Nothing when there is no file. A damaged one is renamed to "FILE.damaged"; `trouble` then says so in
/// words. Throws std::runtime_error for one that cannot be read: mail must not go where it was led away from.
Overrides load_overrides(base::Disk& disk, const std::filesystem::path& file, std::string& trouble);
/// Replaces the file at once, mode 0600, and waits until it is on the disk. The error is in words.
tl::expected<void, std::string> save_overrides(base::Disk& disk, const std::filesystem::path& file,
                                               const Overrides& overrides);

}  // namespace postern::agent
