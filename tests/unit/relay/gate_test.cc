#include "relay/net/gate.h"

#include <catch2/catch.hpp>
#include <optional>

using namespace postern::relay::net;
using std::chrono::steady_clock;

namespace {

constexpr std::chrono::hours long_time{1};

/// What comes of waiting; nothing as long as it goes on.
std::shared_ptr<std::optional<bool>> wait(io_context& io, Gate& gate, steady_clock::time_point until) {
    auto out = std::make_shared<std::optional<bool>>();
    asio::co_spawn(io, gate.empty(until), [out](const std::exception_ptr&, bool empty) { *out = empty; });
    io.poll();
    return out;
}

}  // namespace

TEST_CASE("nobody waits for a gate that nobody has passed", "[gate]") {
    io_context io;
    Gate gate(io);
    CHECK(*wait(io, gate, steady_clock::now() + long_time) == true);
    { const auto pass = gate.enter(); }
    io.restart();
    CHECK(*wait(io, gate, steady_clock::now() + long_time) == true);
}

TEST_CASE("the last that leaves wakes all that wait", "[gate]") {
    io_context io;
    Gate gate(io);
    std::optional<Gate::Pass> first(gate.enter()), second(gate.enter());
    CHECK(gate.inside() == 2);
    const auto one = wait(io, gate, steady_clock::now() + long_time);
    const auto other = wait(io, gate, steady_clock::now() + 2 * long_time);
    first.reset();
    io.poll();
    CHECK_FALSE(one->has_value());
    second.reset();
    io.run();
    CHECK(*one == true);
    CHECK(*other == true);
}

TEST_CASE("whoever has waited long enough learns that somebody is inside", "[gate]") {
    io_context io;
    Gate gate(io);
    const auto pass = gate.enter();
    CHECK(*wait(io, gate, steady_clock::now()) == false);
}

TEST_CASE("a pass may outlive its gate, and a wait both", "[gate]") {
    io_context io;
    std::optional<Gate> gate(io);
    std::optional<Gate::Pass> pass(gate->enter());
    const auto waits = wait(io, *gate, steady_clock::now() + long_time);
    gate.reset();
    pass.reset();
    io.run();
    CHECK(*waits == true);
}
