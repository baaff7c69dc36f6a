#include "relay/net/gate.h"

#include <catch2/catch.hpp>
#include <optional>

#include "tests/unit/stepped_clock.h"

using namespace postern::relay::net;
using postern::base::Moment;
using postern::tests::SteppedClock;

namespace {

constexpr std::chrono::hours long_time{1};

/// What comes of waiting; nothing as long as it goes on.
std::shared_ptr<std::optional<bool>> wait(io_context& io, Gate& gate, Moment until) {
    auto out = std::make_shared<std::optional<bool>>();
    asio::co_spawn(io, gate.empty(until), [out](const std::exception_ptr&, bool empty) { *out = empty; });
    io.poll();
    return out;
}

}  // namespace

TEST_CASE("nobody waits for a gate that nobody has passed", "[gate]") {
    io_context io;
    SteppedClock clock;
    Gate gate(io, clock);
    CHECK(*wait(io, gate, clock.now() + long_time) == true);
    { const auto pass = gate.enter(); }
    io.restart();
    CHECK(*wait(io, gate, clock.now() + long_time) == true);
}

TEST_CASE("the last that leaves wakes all that wait", "[gate]") {
    io_context io;
    SteppedClock clock;
    Gate gate(io, clock);
    std::optional<Gate::Pass> first(gate.enter()), second(gate.enter());
    CHECK(gate.inside() == 2);
    const auto one = wait(io, gate, clock.now() + long_time);
    const auto other = wait(io, gate, clock.now() + 2 * long_time);
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
    SteppedClock clock;
    Gate gate(io, clock);
    const auto pass = gate.enter();
    CHECK(*wait(io, gate, clock.now()) == false);
    const auto waits = wait(io, gate, clock.now() + long_time);
    clock.step(long_time - std::chrono::nanoseconds(1));
    io.restart();
    io.poll();
    CHECK_FALSE(waits->has_value());
    clock.step(std::chrono::nanoseconds(1));
    io.poll();
    CHECK(*waits == false);
}

TEST_CASE("a wait that is given up ends at once, the next one does not", "[gate]") {
    io_context io;
    SteppedClock clock;
    Gate gate(io, clock);
    gate.give_up();
    std::optional<Gate::Pass> pass(gate.enter());
    const auto waits = wait(io, gate, clock.now() + long_time);
    gate.give_up();
    io.poll();
    CHECK(*waits == false);
    const auto again = wait(io, gate, clock.now() + long_time);
    CHECK_FALSE(again->has_value());
    pass.reset();
    io.restart();
    io.poll();
    CHECK(*again == true);
}

TEST_CASE("a pass may outlive its gate, and a wait both", "[gate]") {
    io_context io;
    SteppedClock clock;
    std::optional<Gate> gate(std::in_place, io, clock);
    std::optional<Gate::Pass> pass(gate->enter());
    const auto waits = wait(io, *gate, clock.now() + long_time);
    gate.reset();
    pass.reset();
    io.run();
    CHECK(*waits == true);
}
