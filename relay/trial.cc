#include "relay/trial.h"

#include <algorithm>

#include "relay/delivery/client.h"
#include "relay/delivery/route.h"
#include "relay/delivery/target.h"
#include "relay/egress/blocklist.h"
#include "relay/mail/address.h"
#include "relay/net/tls.h"

namespace postern::relay {

namespace {

using Result = Finding::Result;

constexpr std::chrono::seconds connect_patience{15}, command_patience{30};
/// Domains that have taken mail on port 25 for decades; one that answers is enough.
constexpr std::string_view outside[] = {"gmail.com", "outlook.com", "yahoo.com"};

class Trial {
public:
    Trial(net::io_context& io, SettingsPtr settings, std::string from, std::string to)
        : io_(io),
          settings_(std::move(settings)),
          from_(std::move(from)),
          to_(std::move(to)),
          resolver_(io, settings_->dns),
          policies_(io, {}),
          tls_(net::client_context(settings_->tls)) {}

    net::awaitable<void> run();
    std::vector<Finding>& findings() { return findings_; }

private:
    void say(std::string what, Result result, std::string text, std::string advice = {}) {
        findings_.push_back(Finding{std::move(what), result, std::move(text), std::move(advice)});
    }
    net::awaitable<void> dns();
    net::awaitable<void> gateway(GatewaySettings gateway);
    net::awaitable<void> egress(EgressSettings egress);
    net::awaitable<void> reverse_name(std::string what, asio::ip::address address, std::string hostname);
    net::awaitable<void> port_25(std::string source);

    net::io_context& io_;
    SettingsPtr settings_;
    std::string from_, to_;
    net::Resolver resolver_;
    StsStore policies_;
    net::TlsContext tls_;
    std::vector<Finding> findings_;
};

net::awaitable<void> Trial::dns() {
    std::string name = settings_->hostname;
    net::AddressAnswer answer = co_await resolver_.addresses(name);
    switch (answer.status) {
        case net::Lookup::found:
            say("dns", Result::ok, name + " has " + answer.addresses.front().to_string());
            co_return;
        case net::Lookup::no_data:
        case net::Lookup::no_name:
            say("dns", Result::warning,
                "the name servers answer, but our hostname " + name + ": " + answer.why,
                "receivers look it up: give it an address record, or set hostname to a name that has one");
            co_return;
        case net::Lookup::transient:
            say("dns", Result::failed, "cannot look up " + name + ": " + answer.why,
                "set dns.servers to a resolver that can be reached, or allow port 53 to the outside");
            co_return;
    }
}

net::awaitable<void> Trial::gateway(GatewaySettings gateway) {
    std::string what = "gateway " + gateway.name;
    Surroundings around{resolver_, policies_, settings_, our_listeners(*settings_)};
    std::string key = "gateway:" + gateway.name;
    Targets targets = co_await find_targets(std::move(around), key, TlsWish::none);
    if (targets.list.empty()) {
        say(what, Result::failed, targets.trouble.text, "look at the gateway's address");
        co_return;
    }
    const DeliverySettings& delivery = settings_->delivery;
    Client::Options options{Source{{}, settings_->hostname},
                            tls_,
                            std::min(delivery.connect_timeout, connect_patience),
                            std::min(delivery.command_timeout, command_patience),
                            delivery.data_timeout,
                            {}};
    if (!gateway.username.empty())
        options.login = Client::Login{gateway.username, gateway.password_file, gateway.allow_insecure_auth};
    Refusal refusal;
    std::unique_ptr<Client> client;
    for (const Target& target : targets.list) {
        client = co_await Client::open(io_, target, options, refusal);
        if (client) break;
    }
    if (!client) {
        std::string text = targets.list.back().text() + ", " + refusal.stage + ": " + refusal.reason;
        if (refusal.reply.code != 0) text += (refusal.reason.empty() ? "" : ": ") + refusal.reply.line();
        std::string advice = "is it running, and is the way there open?";
        if (refusal.stage == "tls") advice = "look at its certificate, and at tls of this [[gateway]]";
        if (refusal.stage == "auth") advice = "look at username and password_file of this [[gateway]]";
        say(what, Result::failed, std::move(text), std::move(advice));
        co_return;
    }
    std::string reached =
        client->target().text() + ", TLS " + client->tls() + (options.login ? ", signed in" : "");
    for (const auto& line : {"MAIL FROM:<" + from_ + ">", "RCPT TO:<" + to_ + ">"}) {
        std::string command = line;
        Reply reply = co_await client->command(std::move(command));
        if (reply.code >= 200 && reply.code < 300) continue;
        say(what, reply.permanent() ? Result::failed : Result::warning,
            reached + "; " + line + " is answered " + reply.line(),
            "it must take mail of our senders for anybody; try other addresses with --from and --to");
        co_await client->quit();
        co_return;
    }
    std::string reset = "RSET";
    co_await client->command(std::move(reset));
    co_await client->quit();
    say(what, Result::ok, std::move(reached));
}

net::awaitable<void> Trial::reverse_name(std::string what, asio::ip::address address, std::string hostname) {
    net::NameAnswer answer = co_await resolver_.names(address);
    if (answer.status != net::Lookup::found) {
        say(what, Result::warning, "has no reverse name: " + answer.why,
            "have its owner set a PTR record to " + hostname + "; many receivers refuse mail without");
        co_return;
    }
    for (const auto& name : answer.names) {
        net::AddressAnswer back = co_await resolver_.addresses(name);
        if (std::find(back.addresses.begin(), back.addresses.end(), address) == back.addresses.end())
            continue;
        if (name == lower(hostname))
            say(what, Result::ok, "its reverse name is " + name + ", which leads back");
        else
            say(what, Result::warning,
                "its reverse name " + name + " leads back, but is not its EHLO name " + hostname,
                "set the hostname of this [[egress]] to " + name + ", or the PTR record to " + hostname);
        co_return;
    }
    say(what, Result::warning, "its reverse name " + answer.names.front() + " does not lead back to it",
        "give " + answer.names.front() + " an address record with " + address.to_string());
}

net::awaitable<void> Trial::port_25(std::string source) {
    std::string what = source.empty() ? "port 25" : "port 25 from " + source;
    bool six = source.find(':') != std::string::npos;
    std::string last = "no mail exchanger could be looked up";
    for (auto domain : outside) {
        std::string name(domain);
        net::MxAnswer exchangers = co_await resolver_.mx(name);
        if (exchangers.exchangers.empty()) continue;
        std::string host = exchangers.exchangers.front().host;
        net::AddressAnswer addresses = co_await resolver_.addresses(host);
        for (const auto& address : addresses.addresses) {
            if (address.is_v6() != six && !source.empty()) continue;
            net::Endpoint to(address, 25);
            std::error_code error;
            auto connection = co_await net::Connection::connect(io_, to, source, connect_patience, error);
            if (connection) {
                connection->close();
                say(what, Result::ok, host + " answers");
                co_return;
            }
            last = host + ": " + net::describe(error);
            break;
        }
    }
    say(what, Result::warning, last,
        "many networks block port 25 to the outside: ask for it to be opened, or use a gateway");
}

net::awaitable<void> Trial::egress(EgressSettings egress) {
    std::string what = "egress " + egress.address;
    std::error_code error;
    auto address = asio::ip::make_address(egress.address, error);
    if (error) co_return;
    net::tcp::acceptor probe(io_);
    probe.open(net::Endpoint(address, 0).protocol(), error);
    if (!error) probe.bind(net::Endpoint(address, 0), error);
    if (error) {
        say(what, Result::failed, "is none of this machine's addresses",
            "add it to a network interface, or take it out of the configuration");
        co_return;
    }
    std::string hostname = egress.hostname.empty() ? settings_->hostname : egress.hostname;
    co_await reverse_name(what, address, hostname);
    auto zones = settings_->delivery.blocklists;
    if (!zones.empty()) {
        BlocklistAnswer answer = co_await ask_blocklists(resolver_, zones, egress.address);
        for (const auto& [zone, text] : answer.listed)
            say(what, Result::failed, "is listed by " + zone + ": " + text,
                "find out why, mend it, and ask them to delist it");
        for (const auto& [zone, fault] : answer.faults)
            say("blocklist " + zone, Result::warning, fault,
                "ask through a resolver of your own, or take it out");
        if (answer.listed.empty() && !answer.checked.empty())
            say(what, Result::ok, "is on none of the blocklists");
    }
    co_await port_25(egress.address);
}

net::awaitable<void> Trial::run() {
    co_await dns();
    auto gateways = settings_->gateways;
    bool all = false;
    for (const auto& one : gateways) {
        if (!one.enabled) continue;
        all = all || one.type == GatewayType::round_robin;
        co_await gateway(one);
    }
    auto pool = settings_->egress;
    for (const auto& one : pool) co_await egress(one);
    std::string any;
    if (pool.empty() && !all) co_await port_25(any);
}

}  // namespace

std::vector<Finding> try_out(const SettingsPtr& settings, const std::string& from, const std::string& to,
                             std::chrono::seconds patience) {
    net::io_context io{1};
    Trial trial(io, settings, from, to);
    std::exception_ptr fault;
    bool over = false;
    asio::co_spawn(io, trial.run(), [&](const std::exception_ptr& ended) {
        fault = ended;
        over = true;
        io.stop();
    });
    io.run_for(patience);
    if (fault) std::rethrow_exception(fault);
    auto findings = std::move(trial.findings());
    if (!over)
        findings.push_back(Finding{"time", Result::failed, "not everything was tried within the time given",
                                   "something answers very slowly; see what is missing above"});
    return findings;
}

}  // namespace postern::relay
