// The addresses that a destination's mail can be handed to, and what is asked of each, as values.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "relay/egress/pool.h"
#include "relay/mail/reply.h"
#include "relay/mail/route_key.h"
#include "relay/net/addresses.h"
#include "relay/net/asio.h"
#include "relay/net/resolver.h"
#include "relay/security/policy.h"
#include "relay/security/sts_store.h"
#include "relay/settings.h"

namespace postern::relay {

using HostPolicyPtr = std::shared_ptr<const HostPolicy>;

/// How we sign in at a gateway.
struct Login {
    std::string user;
    std::filesystem::path password_file;
    bool insecure = false;  // also where the server has not proven who it is
};

struct Target {
    std::string host;  // as in MX or configuration
    net::Endpoint endpoint;
    HostPolicyPtr policy;
    std::uint16_t preference = 0;  // hosts with the same take turns
    std::string demands;           // what a connection to it must have proven, in words; "" for nothing
    std::optional<Login> login;    // of the settings that the address is from, never of later ones
    std::string origin;            // those settings, of a gateway or a primary; see origin_of()

    std::string text() const;  // host[address]:port
};

/// What a message asks of TLS beyond the policies (RFC 8689): nothing, REQUIRETLS, or "TLS-Required: No".
enum class TlsWish : std::uint8_t { none, required, optional };
TlsWish tls_wish(const Envelope& envelope);

struct Targets {
    std::vector<Target> list;  // at most 40; empty when there is nowhere to go
    /// Why the list is empty: a permanent (class 5) or transient (class 4) status with a text, code 0.
    Reply trouble;
    /// Destinations with the same site share connections, limits and troubles: the names of the hosts in the
    /// list and what is demanded of each; for gateways and primaries their key.
    std::string site;
    bool barred = false;  // a policy bars a host that could be reached
    struct Bar {
        std::string host;
        HostPolicyPtr policy;
    };
    std::vector<Bar> bars{};  // those hosts, at most as many as in the list
    /// Their names alone, or the one of delivery.receivers they belong to: what a verdict about our address
    /// is kept for.
    std::string exchangers;
    /// Limits of the configuration for it, 0 for the general ones.
    unsigned connections = 0, messages_per_minute = 0;
};

/// Whether the list has the target's host with the same demands.
bool permits(const std::vector<Target>& list, const Target& target);

/// What settings say of a gateway or primary that makes another next hop of it: address, TLS, login. "" for
/// mail exchangers, and for what settings do not have.
std::string origin_of(const Settings& settings, const RouteKey& route);

/// Which address families the hosts can be reached by.
Families families_of(const std::vector<Target>& targets);

/// Whether `endpoint` is one of our own listeners.
using IsOurs = std::function<bool(const net::Endpoint&)>;
IsOurs our_listeners(const Settings& settings, OwnAddresses& own);

struct Surroundings {
    const base::Clock& clock;
    net::Resolver resolver;  // asks on behalf of whoever wants to know
    StsStore& policies;
    SettingsPtr settings;
    IsOurs ours;
    std::shared_ptr<OwnAddresses> own;
};

}  // namespace postern::relay
