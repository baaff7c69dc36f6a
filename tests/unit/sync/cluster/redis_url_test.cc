#include "sync/cluster/redis_url.h"

#include <catch2/catch.hpp>

using postern::sync::RedisUrl;

TEST_CASE("a Redis server is where its url says", "[redis]") {
    CHECK(RedisUrl::parse("redis://db.example") == RedisUrl{false, "db.example", 6379, 0});
    CHECK(RedisUrl::parse("redis://db.example/") == RedisUrl{false, "db.example", 6379, 0});
    CHECK(RedisUrl::parse("rediss://db.example:6380/3") == RedisUrl{true, "db.example", 6380, 3});
    CHECK(RedisUrl::parse("redis://[2001:db8::1]") == RedisUrl{false, "2001:db8::1", 6379, 0});
    CHECK(RedisUrl::parse("rediss://[::1]:1/15") == RedisUrl{true, "::1", 1, 15});
}

TEST_CASE("what is wrong with the url of a Redis server is said without repeating it", "[redis]") {
    for (const std::string url : {"",
                                  "redis:",
                                  "redis://",
                                  "redis:///1",
                                  "http://secret",
                                  "REDIS://secret",
                                  "redis+unix:///secret",
                                  "redis://secret:",
                                  "redis://secret:0",
                                  "redis://secret:65536",
                                  "redis://secret:x",
                                  "redis://secret/x",
                                  "redis://secret/1/2",
                                  "redis://secret/-1",
                                  "redis://secret/99999999999",
                                  "redis://secret//1",
                                  "redis://::1",
                                  "redis://[::1",
                                  "redis://[secret]",
                                  "redis://[::1]secret",
                                  "redis://secret?db=1",
                                  "redis://:secret@host",
                                  "redis://user:secret@host/1",
                                  "redis://secret secret"}) {
        INFO(url);
        const auto parsed = RedisUrl::parse(url);
        REQUIRE_FALSE(parsed);
        CHECK_FALSE(parsed.error().empty());
        CHECK(parsed.error().find("secret") == std::string::npos);
    }
}
