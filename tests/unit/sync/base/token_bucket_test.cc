#include "sync/base/token_bucket.h"

#include <catch2/catch.hpp>

using namespace postern::base;
using namespace std::chrono_literals;

namespace {

const Moment start{1000h};

/// How many can be taken one by one.
int left(TokenBucket bucket, Moment now) {
    int taken = 0;
    while (bucket.take(now)) ++taken;
    return taken;
}

}  // namespace

TEST_CASE("so many at once, then one after the other", "[token_bucket]") {
    TokenBucket bucket({60s, 180s});
    for (int i = 0; i < 3; ++i) CHECK(bucket.take(start));
    CHECK(bucket.wait(start) == 60s);
    CHECK_FALSE(bucket.take(start + 60s - 1ns));
    CHECK(bucket.wait(start + 60s) == 0s);
    CHECK(bucket.take(start + 60s));
    CHECK(bucket.wait(start + 61s) == 59s);
    CHECK(left(bucket, start + 24h) == 3);  // no more, however long nobody took any
}

TEST_CASE("several are taken together or not at all", "[token_bucket]") {
    TokenBucket bucket({500ms, 20s});
    for (int i = 0; i < 10; ++i) CHECK(bucket.take(start, 4));
    CHECK_FALSE(bucket.take(start + 1s, 4));
    CHECK(bucket.wait(start + 1s, 4) == 1s);
    CHECK(left(bucket, start + 1s) == 2);
    CHECK(bucket.take(start + 2s, 4));
    CHECK_FALSE(bucket.take(start + 2s));
}

TEST_CASE("what was taken can be corrected, into debt and back", "[token_bucket]") {
    TokenBucket bucket({500ms, 20s});
    CHECK(bucket.take(start, 40));
    bucket.correct(-3);
    CHECK(left(bucket, start) == 3);
    bucket.correct(13);
    CHECK(bucket.wait(start) == 5500ms);
    bucket.correct(-100);
    CHECK(left(bucket, start) == 40);  // never more than it holds
}

TEST_CASE("another rate holds from when it is set", "[token_bucket]") {
    TokenBucket bucket({1s, 2s});
    CHECK(bucket.take(start, 2));
    bucket.limit({1s, 10s});
    CHECK(left(bucket, start) == 8);
    bucket.limit({100ms, 1s});
    CHECK(left(bucket, start + 2s) == 10);
}

TEST_CASE("in the long run it is the rate", "[token_bucket]") {
    TokenBucket bucket({7ms, 70ms});
    int taken = 0;
    for (Moment now = start; now < start + 70s; now += 3ms)
        taken += left(bucket, now) > 0 && bucket.take(now);
    CHECK(taken >= 10'000);
    CHECK(taken <= 10'010);
}
