// Servers that mail comes in by or leaves to.
#include <algorithm>
#include <asio/ip/v6_only.hpp>

#include "relay/delivery/route.h"
#include "relay/delivery/target_lookup.h"
#include "relay/mail/address.h"
#include "relay/mail/route_key.h"
#include "relay/mail/stage.h"
#include "relay/trial_parts.h"
#include "sync/base/ascii.h"
#include "sync/base/ip_address.h"

namespace postern::relay::trial {

namespace {

using Result = Finding::Result;

constexpr std::chrono::seconds connect_patience{8}, command_patience{10}, knock_patience{5},
    greeting_patience{5};
/// Domains that have taken mail on port 25 for decades; one that answers is enough.
constexpr std::string_view outside[] = {"gmail.com", "outlook.com", "yahoo.com"};
constexpr std::size_t refusals_shown = 3;

struct Opened {
    std::unique_ptr<Client> client;
    Refusal refusal;   // the last
    std::string seen;  // of each address that did not work
};

net::awaitable<Opened> open_one(World& world, std::vector<Target> targets, std::optional<Login> login) {
    Client::Options options{Source{{}, world.settings->hostname},
                            world.tls,
                            std::min(world.settings->delivery.connect_timeout, connect_patience),
                            std::min(world.settings->delivery.command_timeout, command_patience),
                            world.settings->delivery.data_timeout,
                            world.files.get_executor(),
                            std::move(login)};
    Opened out;
    for (std::size_t at = 0; at < targets.size(); ++at) {
        out.client =
            co_await Client::open(world.io, world.clock, world.outside, targets[at], options, out.refusal);
        if (out.client) break;
        const Refusal& refusal = out.refusal;
        if (at >= refusals_shown) continue;
        out.seen += (at == 0 ? "" : "; ") + targets[at].text() + ", " + text_of(refusal.stage) + ": " +
                    refusal.reason;
        if (refusal.reply.code != 0) out.seen += (refusal.reason.empty() ? "" : ": ") + refusal.reply.line();
    }
    co_return out;
}

/// Of a next hop whose name led nowhere.
std::string_view advice_without_target(const Reply& trouble) {
    if (trouble.status.subject == 4 && trouble.status.detail == 6)
        return "write the address of the other server: mail would go round until it is refused";
    if (trouble.status.subject == 7) return "see what its DNS records demand, or set tls to verify";
    if (trouble.status.subject == 4 && trouble.status.detail == 3)
        return "when \"dns\" has failed too, mend that first; else correct the host, or see that the name "
               "servers of its zone answer";
    return "correct the host, or give its name an address record";
}

net::awaitable<Targets> targets_of(World& world, RouteKey route) {
    auto own = std::make_shared<OwnAddresses>();
    Surroundings around{
        world.clock, world.resolver, world.policies, world.settings, our_listeners(*world.settings, *own),
        own};
    co_return co_await find_targets(std::move(around), std::move(route), TlsWish::none);
}

/// A connection to a next hop of ours; null, and why stands in `out`, when there is none. `section`: where it
/// is configured.
net::awaitable<std::unique_ptr<Client>> reach(World& world, std::string what, RouteKey route,
                                              std::string_view section, std::optional<Login> login,
                                              Findings& out) {
    Targets targets = co_await targets_of(world, std::move(route));
    if (targets.list.empty()) {
        out.push_back({what, Result::failed, targets.trouble.text,
                       std::string(advice_without_target(targets.trouble))});
        co_return nullptr;
    }
    Opened opened = co_await open_one(world, std::move(targets.list), std::move(login));
    if (!opened.client)
        out.push_back(
            {what, Result::failed, std::move(opened.seen), std::string(advice_for(opened.refusal, section))});
    co_return std::move(opened.client);
}

}  // namespace

std::string_view advice_for(const Refusal& refusal, std::string_view section) {
    const bool gateway = section == "[[gateway]]";
    if (refusal.stage == Stage::tls)
        return gateway ? "look at its certificate, and at tls of this [[gateway]]"
                       : "look at its certificate, and at delivery.tls";
    if (refusal.stage == Stage::auth) return "look at username and password_file of this [[gateway]]";
    if (refusal.stage == Stage::connect) {
        if (refusal.error == asio::error::connection_refused)
            return "nothing listens there: start it, or correct the port";
        if (refusal.error == asio::error::network_unreachable ||
            refusal.error == asio::error::host_unreachable)
            return "see that this machine has a route there, and that the address is right";
        return "see that it is up, and that no firewall on the way drops what this machine sends";
    }
    if (refusal.reply.code != 0)
        return "it refuses this machine: have its administrator let it in, and see its log";
    return "it answers, but not as an SMTP server: correct the port; one for TLS from the first octet (465) "
           "needs tls = \"implicit\", which only a [[gateway]] has";
}

net::awaitable<std::string> greeting_of(World& world, net::Endpoint endpoint) {
    std::error_code error;
    std::string any, line;
    auto connection = co_await net::Connection::connect(world.io, world.clock, world.outside, endpoint, any,
                                                        greeting_patience, error);
    if (!connection) co_return line;
    connection->deadline(greeting_patience);
    std::string_view came;
    constexpr std::size_t longest = 512;
    error = co_await connection->read_line(came, longest);
    line = error ? "nothing, though it takes connections" : std::string(came);
    if (!error) co_await connection->write("QUIT\r\n");
    connection->close();
    co_return line;
}

bool greets_as(std::string_view greeting, std::string_view hostname) {
    if (greeting.size() < 4 || !greeting.starts_with("220")) return false;
    const auto name = greeting.substr(4);
    return base::equal_ignoring_case(name.substr(0, name.find(' ')), hostname);
}

net::awaitable<Findings> try_listener(World& world, std::string what, HostPort address, bool implicit_tls) {
    Findings out;
    std::error_code error;
    auto ip = asio::ip::make_address(address.host, error);
    if (error) co_return out;
    net::Endpoint endpoint(ip, address.port);
    {
        net::tcp::acceptor acceptor(world.io);
        acceptor.open(endpoint.protocol(), error);
        if (!error) acceptor.set_option(net::tcp::acceptor::reuse_address(true), error);
        if (!error && ip.is_v6()) acceptor.set_option(asio::ip::v6_only(true), error);
        if (!error) acceptor.bind(endpoint, error);
        if (!error) acceptor.listen(1, error);
    }
    if (!error) {
        out.push_back({what, Result::ok, "can be listened at", ""});
        co_return out;
    }
    const std::string why = net::describe(error);
    if (error == asio::error::address_in_use || error == asio::error::access_denied) {
        if (ip.is_unspecified())
            endpoint.address(ip.is_v4() ? asio::ip::address(asio::ip::address_v4::loopback())
                                        : asio::ip::address(asio::ip::address_v6::loopback()));
        std::string greeting;
        // Nobody greets before the handshake there.
        if (!implicit_tls) greeting = co_await greeting_of(world, endpoint);
        if (greets_as(greeting, world.settings->hostname) ||
            (implicit_tls && error == asio::error::address_in_use))
            out.push_back(
                {what, Result::ok,
                 implicit_tls ? "in use, which is not looked into" : "the running gateway answers there",
                 ""});
        else if (error == asio::error::access_denied && greeting.empty())
            out.push_back({what, Result::ok, "not tried: only root may listen there, and the service", ""});
        else if (greeting.starts_with('4'))
            out.push_back({what, Result::warning, "whoever listens there is busy: " + greeting,
                           "try again; \"ss -ltnp\" shows whether it is the running gateway"});
        else
            out.push_back({what, Result::failed,
                           "another program listens there" + (greeting.empty() ? "" : ": " + greeting),
                           "stop it (ss -ltnp shows which it is), or listen at another address or port"});
        co_return out;
    }
    out.push_back(
        {what, Result::failed, "cannot be listened at: " + why, "correct the address of this [[listener]]"});
    co_return out;
}

net::awaitable<Findings> try_gateway(World& world, std::string what, GatewaySettings gateway) {
    Findings out;
    std::optional<Login> login;
    if (!gateway.username.empty())
        login = Login{gateway.username, gateway.password_file, gateway.allow_insecure_auth};
    const bool signs_in = login.has_value();
    RouteKey route = RouteKey::gateway(gateway.name);
    auto opened = co_await reach(world, what, std::move(route), "[[gateway]]", std::move(login), out);
    if (!opened) co_return out;
    Client& client = *opened;
    const std::string reached =
        client.target().text() + ", TLS " + client.tls() + (signs_in ? ", signed in" : "");
    for (const auto& line : {"MAIL FROM:<" + world.from + ">", "RCPT TO:<" + world.to + ">"}) {
        std::string command = line;
        Reply reply = co_await client.command(std::move(command));
        if (reply.code >= 200 && reply.code < 300) continue;
        out.push_back(
            {what, reply.permanent() ? Result::failed : Result::warning,
             reached + "; " + line + " is answered " + reply.line(),
             "it must take mail of our senders for anybody; try other addresses with --from and --to"});
        co_await client.quit();
        co_return out;
    }
    std::string reset = "RSET";
    co_await client.command(std::move(reset));
    co_await client.quit();
    out.push_back({what, Result::ok, reached, ""});
    co_return out;
}

net::awaitable<Findings> try_deliver_to(World& world, std::string what, PrimarySettings primary) {
    Findings out;
    RouteKey route = RouteKey::primary(primary.name);
    std::optional<Login> nobody;
    auto opened = co_await reach(world, what, std::move(route), "[[primary]]", std::move(nobody), out);
    if (!opened) co_return out;
    Client& client = *opened;
    const bool ours = base::equal_ignoring_case(client.name(), world.settings->hostname);
    const std::string reached = client.target().text();
    if (ours)
        out.push_back({what, Result::failed,
                       reached + " calls itself " + client.name() + ", as this gateway does",
                       "write the address of the primary itself: mail would go round until it is refused. If "
                       "that is the primary, give it a name of its own"});
    else
        out.push_back({what, Result::ok, reached + ", TLS " + client.tls(), ""});
    co_await client.quit();
    co_return out;
}

net::awaitable<Findings> try_port(World& world, std::string what, std::string source) {
    const std::uint16_t port = world.settings->delivery.port;
    const bool six = base::is_v6_literal(source);
    std::string unknown, closed;
    Findings out;
    for (auto domain : outside) {
        std::string name(domain);
        net::MxAnswer exchangers = co_await world.resolver.mx(name);
        if (exchangers.exchangers.empty()) {
            unknown = "no mail exchanger of " + name + " is known: " + exchangers.why;
            if (exchangers.status == net::Lookup::transient) break;  // nor will others be
            continue;
        }
        std::string host = exchangers.exchangers.front().host;
        net::AddressAnswer addresses = co_await world.resolver.addresses(host);
        std::optional<bool> last;  // one address of each family
        for (const auto& address : addresses.addresses) {
            if ((address.is_v6() != six && !source.empty()) || last == address.is_v6()) continue;
            last = address.is_v6();
            net::Endpoint to(address, port);
            std::error_code error;
            auto connection = co_await net::Connection::connect(world.io, world.clock, world.outside, to,
                                                                source, knock_patience, error);
            if (connection) {
                connection->close();
                out.push_back({what, Result::ok, host + " answers", ""});
                co_return out;
            }
            closed += (closed.empty() ? "" : "; ") + host + '[' + address.to_string() +
                      "]: " + net::describe(error);
        }
    }
    if (closed.empty())
        out.push_back({what, Result::warning, "not tried: " + unknown,
                       "when \"dns\" has failed too, mend that first; a network without the names of the "
                       "outside needs a [[gateway]] for mail to there"});
    else
        out.push_back(
            {what, gateways_take_all(*world.settings) ? Result::warning : Result::failed, closed,
             "many networks block port 25 to the outside: ask for it to be opened, or send all mail "
             "through a [[gateway]] of type \"round-robin\""});
    co_return out;
}

}  // namespace postern::relay::trial
