// What opening a session says where there is none.
#include "relay/delivery/client.h"

#include <catch2/catch.hpp>
#include <functional>
#include <new>

#include "relay/net/asio.h"
#include "sync/base/clock.h"

using namespace postern;
using namespace postern::relay;

namespace {

/// Connecting throws.
class Throwing final : public net::Outside {
public:
    explicit Throwing(std::function<void()> fail) : fail_(std::move(fail)) {}
    net::awaitable<std::error_code> connect(net::Socket&, net::Endpoint, std::string) override {
        fail_();
        co_return std::error_code();
    }
    tl::expected<std::unique_ptr<net::Listener>, std::error_code> listen(net::io_context&, net::Endpoint,
                                                                         int) override {
        return tl::unexpected(std::make_error_code(std::errc::not_supported));
    }
    std::shared_ptr<net::NameService> names(net::io_context&, const DnsSettings&) override { return nullptr; }

private:
    const std::function<void()> fail_;
};

Refusal refusal_of(std::function<void()> fail) {
    net::io_context io;
    const base::SystemClock clock;
    Throwing outside(std::move(fail));
    Refusal out;
    Target target;
    target.policy = std::make_shared<HostPolicy>();
    Client::Options options{};
    std::unique_ptr<Client> client;
    asio::co_spawn(
        io, Client::open(io, clock, outside, target, options, out),
        [&client](const std::exception_ptr&, std::unique_ptr<Client> opened) { client = std::move(opened); });
    io.run();
    CHECK_FALSE(client);
    return out;
}

}  // namespace

TEST_CASE("what we are short of is not the host's fault, however it shows", "[client]") {
    CHECK(refusal_of([] { throw std::bad_alloc(); }).ours);
    const auto refusal = refusal_of([] { throw std::system_error(EMFILE, std::generic_category()); });
    CHECK(refusal.ours);
    CHECK_FALSE(refusal.reason.empty());
    CHECK_FALSE(refusal_of([] { throw std::system_error(ECONNREFUSED, std::generic_category()); }).ours);
    CHECK_FALSE(refusal_of([] { throw std::runtime_error("something else"); }).ours);
}
