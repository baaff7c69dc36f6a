// Name servers, our own name, and the reverse names of the addresses that mail leaves from.
#include <algorithm>
#include <asio/ip/udp.hpp>

#include "relay/egress/blocklist.h"
#include "relay/mail/address.h"
#include "relay/net/address_range.h"
#include "relay/net/addresses.h"
#include "relay/net/dnssec.h"
#include "relay/trial_parts.h"
#include "sync/base/ascii.h"
#include "sync/base/ip_address.h"

namespace postern::relay::trial {

namespace {

using Result = Finding::Result;
using asio::ip::address;

constexpr const char* outside = "gmail.com";
/// Far away, one of each family (RFC 1035 root servers): where a packet there would leave from is all that is
/// asked.
constexpr std::string_view far_away[] = {"198.41.0.4", "2001:503:ba3e::2:30"};
constexpr std::size_t addresses_max = 4;  // of our name, each of which takes a look

/// Given to what depends on look-ups that did not work.
constexpr const char* see_name_servers =
    "when \"dns\" has failed too, mend that first; else the name servers that are asked for this name do not "
    "answer";

bool is_private(const address& one) { return relay::is_private({one.to_string(), one.is_v4() ? 32u : 128u}); }

/// Where a packet for the outside would leave from; nothing is sent.
std::vector<address> sources(net::io_context& io) {
    std::vector<address> out;
    for (const auto text : far_away) {
        const asio::ip::udp::endpoint there(asio::ip::make_address(text), 53);
        std::error_code error;
        asio::ip::udp::socket socket(io);
        socket.open(there.protocol(), error);
        if (!error) socket.connect(there, error);
        if (error) continue;
        const auto here = socket.local_endpoint(error).address();
        if (!error && !here.is_loopback()) out.push_back(here);
    }
    return out;
}

std::string list_of(const std::vector<address>& addresses) {
    std::string out;
    for (const auto& one : addresses) out += (out.empty() ? "" : ", ") + one.to_string();
    return out;
}

/// What is found where our name leads to, and whether that is this machine.
net::awaitable<Finding> led_to(World& world, std::string what, address there) {
    const std::string leads = world.settings->hostname + " has " + there.to_string();
    if (is_own(world, there)) co_return Finding{what, Result::ok, leads + ", of this machine", ""};
    const std::string greeting = co_await greeting_of(world, net::Endpoint(there, 25));
    if (greets_as(greeting, world.settings->hostname))
        co_return Finding{what, Result::ok, leads + ", which leads here", ""};
    const std::string advice =
        "let the address record of hostname name an address that this machine's mail leaves from, or set "
        "hostname to a name that leads here";
    if (!greeting.empty())
        co_return Finding{what, Result::warning, leads + ", where another server answers: " + greeting,
                          advice};
    auto own = sources(world.io);
    std::erase_if(own, [&](const address& one) { return one.is_v4() != there.is_v4() || is_private(one); });
    if (own.empty())
        co_return Finding{
            what, Result::ok,
            leads + ", not an address of this machine: right if its mail leaves from there, by a router", ""};
    co_return Finding{what, Result::warning,
                      leads + ", not an address of this machine; its mail leaves from " + list_of(own),
                      advice};
}

}  // namespace

net::awaitable<Finding> reverse_name(World& world, std::string what, address own, std::string hostname) {
    const std::string text = own.to_string();
    net::NameAnswer answer = co_await world.resolver.names(own);
    if (answer.status == net::Lookup::transient)
        co_return Finding{what, Result::warning,
                          "the reverse name of " + text + " is not known: " + answer.why, see_name_servers};
    if (answer.status != net::Lookup::found)
        co_return Finding{what, Result::warning, text + " has no reverse name: " + answer.why,
                          "have the owner of the address set a PTR record to " + hostname +
                              "; many receivers refuse mail without"};
    for (const auto& name : answer.names) {
        net::AddressAnswer back = co_await world.resolver.addresses(name);
        if (std::find(back.addresses.begin(), back.addresses.end(), own) == back.addresses.end()) continue;
        if (name == base::lower(hostname))
            co_return Finding{what, Result::ok,
                              text + " is " + name + " by its reverse name, which leads back", ""};
        co_return Finding{what, Result::warning,
                          "the reverse name of " + text + ", " + name +
                              ", leads back, but is not the EHLO name " + hostname,
                          "set hostname to " + name +
                              " (of this [[egress]], where there is one), or have the "
                              "PTR record set to " +
                              hostname};
    }
    co_return Finding{
        what, Result::warning,
        "the reverse name of " + text + ", " + answer.names.front() + ", does not lead back to it",
        "give " + answer.names.front() + " an address record with " + text};
}

bool is_own(World& world, const address& one) {
    std::error_code error;
    net::tcp::acceptor probe(world.io);
    probe.open(net::Endpoint(one, 0).protocol(), error);
    if (!error) probe.bind(net::Endpoint(one, 0), error);
    return !error;
}

net::awaitable<Findings> try_name_servers(World& world, std::string what) {
    std::string name = world.settings->hostname;
    net::AddressAnswer answer = co_await world.resolver.addresses(name);
    bool answered = answer.status != net::Lookup::transient;
    if (!answered) {
        std::string other = outside;
        answered = (co_await world.resolver.mx(other)).status != net::Lookup::transient;
    }
    Findings out;
    if (answered)
        out.push_back({what, Result::ok, "the name servers answer", ""});
    else
        out.push_back(
            {what, Result::failed, "cannot look up " + name + ": " + answer.why,
             world.resolver.dnssec().reason().empty()
                 ? "set dns.servers to a resolver that can be reached, or allow port 53 to the outside"
                 : "see what is said of dnssec"});
    co_return out;
}

net::awaitable<Findings> try_dnssec(World& world, std::string what) {
    auto questions =
        std::make_shared<net::Questions>(world.io, world.clock, world.outside, world.settings->dns);
    const net::RootKeys keys = co_await net::find_root_keys(questions, world.settings->dns);
    std::string asker, name = base::lower(world.settings->hostname);
    const bool answered =
        keys.found != net::RootKeys::Found::unanswered ||
        (co_await questions->ask(asker, name, net::RecordType::a)).status != net::Lookup::transient;
    questions->close();
    Findings out;
    if (!answered) co_return out;  // the name servers are silent, which is told
    net::Dnssec dnssec(world.settings->dns, world.proven);
    dnssec.learn(keys, true);
    if (dnssec.well())
        out.push_back({what, Result::ok, "answers can be validated", ""});
    else
        out.push_back(
            {what, dnssec.waived() ? Result::warning : Result::failed, dnssec.effect(), dnssec.advice()});
    co_return out;
}

net::awaitable<Findings> try_signing(World& world, std::string what, std::vector<DomainKey> keys) {
    Findings out;
    for (const auto& one : keys) {
        const std::string name = one.name();
        const std::string advice = "publish the record that \"postern dkim list " + one.domain +
                                   "\" prints; until then receivers take the signature for a broken one";
        const net::TextAnswer answer = co_await world.resolver.text(name);
        if (answer.status == net::Lookup::transient) {
            out.push_back(
                {what, Result::warning, "cannot look up " + name + ": " + answer.why, see_name_servers});
            continue;
        }
        if (answer.status != net::Lookup::found) {
            out.push_back({what, Result::failed, name + ": " + answer.why, advice});
            continue;
        }
        std::string why;
        bool right = false;
        for (const auto& text : answer.texts) {
            const auto differs = one.key.differs(text);
            right = right || differs.empty();
            if (why.empty()) why = differs;
        }
        if (right && answer.texts.size() == 1)
            out.push_back({what, Result::ok, name + " has our key", ""});
        else if (right)
            out.push_back(
                {what, Result::warning, name + " has " + std::to_string(answer.texts.size()) + " records",
                 "leave only ours there: which one a receiver takes is chance (RFC 6376 §3.6.2.2)"});
        else
            out.push_back({what, Result::failed, name + ' ' + why, advice});
    }
    co_return out;
}

net::awaitable<Findings> try_hostname(World& world, std::string what) {
    std::string name = world.settings->hostname;
    Findings out;
    if (name.find('.') == std::string::npos) {
        out.push_back({what, Result::warning,
                       name + " is a name without a domain, which many receivers refuse",
                       "set hostname to a name in a domain of yours, such as " + name + ".example.com"});
        co_return out;
    }
    net::AddressAnswer answer = co_await world.resolver.addresses(name);
    switch (answer.status) {
        case net::Lookup::found: break;
        case net::Lookup::no_data:
        case net::Lookup::no_name:
            out.push_back(
                {what, Result::warning, name + ": " + answer.why,
                 "receivers look it up: give it an address record, or set hostname to a name that has one"});
            co_return out;
        case net::Lookup::transient:
            out.push_back(
                {what, Result::warning, "cannot look up " + name + ": " + answer.why, see_name_servers});
            co_return out;
    }
    if (answer.addresses.size() > addresses_max) answer.addresses.resize(addresses_max);
    for (const auto& one : answer.addresses) out.push_back(co_await led_to(world, what, plain(one)));
    co_return out;
}

net::awaitable<Findings> try_system_choice(World& world, std::string what) {
    const std::string name = world.settings->hostname;
    const auto& pool = world.settings->egress;
    auto own = sources(world.io);
    std::erase_if(own, [&](const address& one) {
        return std::any_of(pool.begin(), pool.end(), [&](const EgressSettings& other) {
            return base::is_v6_literal(other.address) == one.is_v6();
        });
    });
    Findings out;
    if (own.empty() && pool.empty())
        out.push_back({what, Result::failed, "this machine has no route to the outside",
                       "give it one, or a [[gateway]] of type \"round-robin\" that takes all mail"});
    net::AddressAnswer answer = co_await world.resolver.addresses(name);
    for (const auto& one : own) {
        if (!is_private(one)) {
            out.push_back(co_await reverse_name(world, what, one, name));
            continue;
        }
        // What a router makes of it is not seen from here; our name should lead there.
        bool led = false;
        for (const auto& there : answer.addresses) {
            if (there.is_v4() != one.is_v4() || is_private(there)) continue;
            led = true;
            out.push_back(co_await reverse_name(world, what, there, name));
        }
        if (!led && one.is_v4())
            out.push_back({what, Result::warning,
                           "mail leaves from " + one.to_string() +
                               ", a private address; which one others see cannot be told from here",
                           "see that the address others see has the reverse name " + name + ", and that " +
                               name + " has that address"});
    }
    co_return out;
}

net::awaitable<Findings> try_egress(World& world, std::string what, EgressSettings egress) {
    Findings out;
    std::error_code error;
    auto own = asio::ip::make_address(egress.address, error);
    if (error) co_return out;
    if (!is_own(world, own)) {
        out.push_back({what, Result::failed, "is not an address of this machine",
                       "add it to a network interface, or take it out of the configuration"});
        co_return out;
    }
    std::string hostname = egress.hostname.empty() ? world.settings->hostname : egress.hostname;
    out.push_back(co_await reverse_name(world, what, own, hostname));
    co_return out;
}

net::awaitable<Findings> try_blocklists(World& world, std::string what, std::string own) {
    Findings out;
    auto zones = world.settings->delivery.blocklists;
    BlocklistAnswer answer = co_await ask_blocklists(world.resolver, zones, own);
    for (const auto& [zone, text] : answer.listed)
        out.push_back({what, Result::failed, "is listed by " + zone + ": " + text,
                       "find out why, mend it, and ask them to delist it"});
    for (const auto& [zone, fault] : answer.faults)
        out.push_back({"blocklist " + zone, Result::warning, fault,
                       "ask through a resolver of your own, or take it out"});
    if (answer.listed.empty() && !answer.checked.empty())
        out.push_back({what, Result::ok, "is on none of the blocklists", ""});
    co_return out;
}

}  // namespace postern::relay::trial
