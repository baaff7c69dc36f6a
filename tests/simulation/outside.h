// The simulated network: hosts at addresses, connections between them and the gateway, and name servers.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "relay/net/outside.h"
#include "relay/net/timer.h"
#include "tests/simulation/clock.h"
#include "tests/simulation/wire.h"

namespace postern::simulation {

/// How a host or the name servers are at present.
enum class Mood : std::uint8_t {
    well,
    slow,
    refusing,     // connections, or SERVFAIL
    unreachable,  // at once
    silent,
    busy,     // 4xx here and there
    strict,   // 5xx here and there
    hostile,  // garbage, hang-ups, endless replies
    tearing,  // connections break
    listing,  // one of our addresses is refused
};
constexpr std::size_t moods = 10;

/// What is at the other end of a connection that the gateway makes: its conversation.
using Host = std::function<awaitable<void>(Socket socket, std::shared_ptr<Wire> wire, std::uint64_t number,
                                           std::string from)>;

/// Used on the simulating thread.
class Outside final : public relay::net::Outside {
public:
    Outside(io_context& io, const Clock& clock, std::uint64_t seed);
    ~Outside() override;

    void add_host(const std::string& address, Host host) { hosts_[address] = std::move(host); }
    void set_mood(const std::string& address, Mood mood) {
        moods_[address] = mood;
    }  // "dns": the name servers
    Mood mood(const std::string& address) const;
    /// An MX record of a domain leads to `host`, at `address`.
    void add_domain(const std::string& domain, std::uint16_t preference, const std::string& host,
                    const std::string& address);
    /// A connection to the gateway's listener; no socket when nobody listens.
    std::pair<Socket, std::shared_ptr<Wire>> call(const std::string& from, Fate fate);
    /// What the gateway asks for from now on fails with EMFILE.
    void be_short_of_descriptors(bool now) { short_ = now; }
    void hang_up_all();                            // the gateway is gone
    std::vector<std::string> connections() const;  // those that are there, told as far as they are known
    /// Whether anything was done since the last question that the gateway may notice.
    bool touched() { return std::exchange(*touched_, false); }

    awaitable<std::error_code> connect(Socket& socket, relay::net::Endpoint to, std::string from) override;
    tl::expected<std::unique_ptr<relay::net::Listener>, std::error_code> listen(io_context& io,
                                                                                relay::net::Endpoint at,
                                                                                int inherited) override;
    std::shared_ptr<relay::net::NameService> names(io_context& io,
                                                   const relay::DnsSettings& settings) override;

    struct Door;  // where the gateway listens

private:
    class Listener;
    class Names;

    relay::net::DnsAnswer answer(const std::string& name, relay::net::RecordType type) const;
    std::shared_ptr<Wire> wire(Socket gateway, Socket peer, Fate fate, std::string name);

    io_context& io_;
    const Clock& clock_;
    const std::uint64_t seed_;
    std::map<std::string, Host> hosts_;
    std::map<std::string, Mood> moods_;
    std::map<std::pair<std::string, relay::net::RecordType>, std::vector<std::string>> records_;
    std::weak_ptr<Door> door_;  // the listener has it
    std::vector<std::weak_ptr<Wire>> wires_;
    std::uint64_t connections_ = 0, questions_ = 0;
    bool short_ = false;
    const std::shared_ptr<bool> touched_ = std::make_shared<bool>(false);
};

/// What becomes of the connection with this number of a host in this mood.
Fate fate_of(std::uint64_t seed, std::uint64_t number, Mood mood);

}  // namespace postern::simulation
