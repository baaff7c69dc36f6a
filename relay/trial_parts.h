// The single trials of try_out(), each a coroutine beside the others.
#pragma once

#include <asio/thread_pool.hpp>
#include <string>
#include <vector>

#include "relay/delivery/client.h"
#include "relay/finding.h"
#include "relay/net/asio.h"
#include "relay/net/outside.h"
#include "relay/net/resolver.h"
#include "relay/net/tls.h"
#include "relay/security/sts_store.h"
#include "relay/settings.h"
#include "relay/signing/keyring.h"
#include "sync/base/clock.h"
#include "sync/base/disk.h"

namespace postern::relay::trial {

using Findings = std::vector<Finding>;

/// What the trials share; lives as long as they do.
struct World {
    World(net::io_context& loop, const base::Clock& time, base::Disk& disk, net::Outside& beyond,
          SettingsPtr given, std::string sender, std::string recipient);

    net::io_context& io;
    const base::Clock& clock;
    net::Outside& outside;
    SettingsPtr settings;  // less patient than those given
    std::string from, to;
    const bool proven;  // DNSSEC validation worked before with these settings
    net::Resolver resolver;
    StsStore policies;
    net::TlsContext tls;
    asio::thread_pool files{1};  // passwords are read on
};

net::awaitable<Findings> try_name_servers(World& world, std::string what);
/// Whether they pass DNSSEC on; nothing when they are silent.
net::awaitable<Findings> try_dnssec(World& world, std::string what);
net::awaitable<Findings> try_hostname(World& world, std::string what);
/// The reverse names of the addresses that the system chooses to leave from, for families that no [[egress]]
/// address is of.
net::awaitable<Findings> try_system_choice(World& world, std::string what);
net::awaitable<Findings> try_egress(World& world, std::string what, EgressSettings egress);
net::awaitable<Findings> try_blocklists(World& world, std::string what, std::string address);

/// Whether the keys of a domain are in the DNS.
net::awaitable<Findings> try_signing(World& world, std::string what, std::vector<DomainKey> keys);

net::awaitable<Findings> try_listener(World& world, std::string what, HostPort address, bool implicit_tls);
net::awaitable<Findings> try_gateway(World& world, std::string what, GatewaySettings gateway);
net::awaitable<Findings> try_deliver_to(World& world, std::string what, PrimarySettings primary);
/// Whether the reverse name of `own` leads back to it, and is `hostname`.
net::awaitable<Finding> reverse_name(World& world, std::string what, asio::ip::address own,
                                     std::string hostname);
/// From `source`, "" for the system's choice.
net::awaitable<Findings> try_port(World& world, std::string what, std::string source);

/// Whether all mail for other domains goes through gateways, as far as the file says.
bool gateways_take_all(const Settings& settings);

/// What to do when a next hop named in `section` ("[[gateway]]") did not open a session.
std::string_view advice_for(const Refusal& refusal, std::string_view section);

/// The first line that whoever listens there says; "" when nobody does within some seconds.
net::awaitable<std::string> greeting_of(World& world, net::Endpoint endpoint);

/// Whether a greeting ("220 gw1.example.net ESMTP") is that of `hostname`.
bool greets_as(std::string_view greeting, std::string_view hostname);

bool is_own(World& world, const asio::ip::address& address);

}  // namespace postern::relay::trial
