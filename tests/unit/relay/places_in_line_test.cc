// Where a message waits, as the index keeps it.
#include <catch2/catch.hpp>

#include "relay/queue/index.h"

using namespace postern::relay;

TEST_CASE("times that are less than a microsecond apart are one place in a line", "[index]") {
    Index index;
    const RouteKey route = RouteKey::exchangers("a.example");
    const Time due{std::chrono::seconds(1000)};
    Progress progress(3);
    for (auto& one : progress) one.route = route;
    progress[0].next = due;
    progress[1].next = due + std::chrono::nanoseconds(300);
    progress[2].next = due + std::chrono::microseconds(1);
    index.insert(MessageId{1}, Place{1, 1, 100});
    index.progress(MessageId{1}, Place{1, 20, 100}, false, places_in_line(progress));
    CHECK(index.lines(MessageId{1}) ==
          std::vector<WaitKey>{{route, due}, {route, due + std::chrono::microseconds(1)}});
    CHECK(index.waiting(route) == 2);
    index.erase(MessageId{1});
    CHECK(index.waiting(route) == 0);
    CHECK(index.routes().empty());
}
