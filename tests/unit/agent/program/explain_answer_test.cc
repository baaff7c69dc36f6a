#include "agent/program/explain_answer.h"

#include <catch2/catch.hpp>
#include <future>
#include <stdexcept>

#include "tests/unit/stepped_clock.h"

using namespace postern;
using namespace std::chrono_literals;
using agent::ExplainAnswer;

namespace {

relay::Explanation by_mx() {
    relay::Explanation whole;
    whole.route = "mx:dest.example";
    return whole;
}

}  // namespace

TEST_CASE("an explanation reaches who waits for it, before and while he waits") {
    const tests::SteppedClock clock;  // however long it takes
    ExplainAnswer before, meanwhile;
    before.give(nullptr, by_mx());
    CHECK(before.wait(clock, {}, 0s)->route == "mx:dest.example");
    auto waiting = std::async(std::launch::async, [&] { return meanwhile.wait(clock, {}, 1h); });
    meanwhile.give(nullptr, by_mx());
    CHECK(waiting.get()->route == "mx:dest.example");
}

TEST_CASE("an explanation is waited for as long as was said, and no longer once the gate closes") {
    tests::SteppedClock clock;
    ExplainAnswer late, closed;
    CHECK_FALSE(late.wait(clock, {}, 0s));
    auto waiting = std::async(std::launch::async, [&] { return late.wait(clock, {}, 1h); });
    while (waiting.wait_for(1ms) != std::future_status::ready) clock.step(1h);
    CHECK_FALSE(waiting.get());
    late.give(nullptr, by_mx());  // to nobody
    std::stop_source closing;
    closing.request_stop();
    CHECK_FALSE(closed.wait(clock, closing.get_token(), 1h));
}

TEST_CASE("what goes wrong with an explanation is thrown where it is waited for") {
    const tests::SteppedClock clock;
    ExplainAnswer answer;
    answer.give(std::make_exception_ptr(std::runtime_error("no name servers")), {});
    CHECK_THROWS_WITH(answer.wait(clock, {}, 1h), "no name servers");
}
