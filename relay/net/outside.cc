#include "relay/net/outside.h"

#include <netinet/in.h>

#include <asio/ip/v6_only.hpp>

#include "relay/net/error.h"
#include "relay/net/unbound.h"

namespace postern::relay::net {

namespace {

constexpr int backlog = 1024;  // a burst of new connections must not overflow into SYN cookies

class SystemListener final : public Listener {
public:
    explicit SystemListener(io_context& io) : acceptor_(io) {}

    std::error_code open(const Endpoint& at, int inherited) {
        std::error_code error;
        if (inherited >= 0) {
            acceptor_.assign(at.protocol(), inherited, error);
            return error;
        }
        acceptor_.open(at.protocol(), error);
        if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
        // "[::]" and "0.0.0.0" may then both be listened on.
        if (!error && at.address().is_v6()) acceptor_.set_option(asio::ip::v6_only(true), error);
        if (!error) acceptor_.bind(at, error);
        if (!error) acceptor_.listen(backlog, error);
        return error;
    }

    awaitable<tl::expected<Arrival, std::error_code>> accept(io_context& io) override {
        Endpoint client;
        auto [error, socket] = co_await acceptor_.async_accept(io, client, as_value);
        if (error) co_return tl::make_unexpected(error);
        co_return Arrival{std::move(socket), client};
    }

    void close() override {
        std::error_code ignored;
        acceptor_.close(ignored);
    }

private:
    tcp::acceptor acceptor_;
};

}  // namespace

awaitable<std::error_code> SystemOutside::connect(Socket& socket, Endpoint to, std::string from) {
    std::error_code error;
    socket.open(Socket::protocol_type(to.protocol()), error);
    if (error) co_return error;
    if (!from.empty()) {
        // The port is chosen at connect(), so that one port serves several receivers.
        int on = 1;
        ::setsockopt(socket.native_handle(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
        socket.bind(Endpoint(asio::ip::make_address(from, error), 0), error);
        if (error) co_return make_error_code(Error::no_such_address);
    }
    auto [failed] = co_await socket.async_connect(to, as_value);
    co_return failed;
}

tl::expected<std::unique_ptr<Listener>, std::error_code> SystemOutside::listen(io_context& io, Endpoint at,
                                                                               int inherited) {
    auto out = std::make_unique<SystemListener>(io);
    if (auto error = out->open(at, inherited)) return tl::make_unexpected(error);
    return out;
}

std::shared_ptr<NameService> SystemOutside::names(io_context& io, const DnsSettings& settings) {
    return std::make_shared<Unbound>(io, settings);
}

}  // namespace postern::relay::net
