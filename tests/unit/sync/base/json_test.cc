#include "sync/base/json.h"

#include <array>
#include <catch2/catch.hpp>

using postern::base::Json;
using postern::base::JsonFault;
using postern::base::JsonLimits;

namespace {

constexpr std::array keys = std::to_array<std::string_view>({"a", "b", "list"});

}  // namespace

TEST_CASE("JSON is kept as far as it is wanted", "[json]") {
    const auto json = Json::parse(
        R"({"x":{"a":[1,{"b":2}]},"a":"t\u00e4xt","a":"last","b":true,"list":[{"b":-3},{"x":1},null,7,1.5]})",
        keys);
    REQUIRE(json);
    const Json::Value root = json->root();
    REQUIRE(root.is_object());
    CHECK(root.member("a").text() == "last");
    CHECK(root.member("b").flag() == true);
    CHECK_FALSE(root.member("x"));
    Json::Value entry = root.member("list").first();
    CHECK(entry.member("b").integer() == -3);
    CHECK_FALSE(entry.member("b").count());
    entry = entry.next();
    CHECK(entry.is_object());
    CHECK_FALSE(entry.first());
    entry = entry.next();
    CHECK(entry.is_null());
    entry = entry.next();
    CHECK(entry.count() == 7);
    CHECK(entry.integer() == 7);
    entry = entry.next();
    CHECK(entry);
    CHECK_FALSE(entry.integer());
    CHECK_FALSE(entry.next());
    CHECK_FALSE(entry.next().next());
}

TEST_CASE("JSON is bounded", "[json]") {
    const auto fault = [](std::string_view text, JsonLimits limits = {}, std::stop_token stop = {}) {
        const auto json = Json::parse(text, keys, limits, std::move(stop));
        REQUIRE_FALSE(json);
        return json.error();
    };
    CHECK(fault(std::string(100'000, '[')) == JsonFault::too_deep);
    CHECK(fault(R"({"x":)" + std::string(100'000, '[')) == JsonFault::too_deep);
    CHECK(fault("[1,2,3]", {32, 3}) == JsonFault::too_many);
    const JsonLimits short_ones{.value = 10};
    for (const char* fits : {R"(["12345678","12345678"])", "1234567890", R"("123456\"")", R"({"a":  "b"})"})
        CHECK(Json::parse(fits, keys, short_ones));
    for (const char* long_one : {R"("123456789")", "12345678901", R"("1234567\"")", R"({"123456789":1})",
                                 R"("unfinished)", R"("\\\\\\\\\\\\)"})
        CHECK(fault(long_one, short_ones) == JsonFault::too_long);
    for (const char* bad : {"", "{", "[1,]", "{\"a\"}", "1 2", "\"\xff\"", "nul", "{\"x\":}"}) {
        CAPTURE(bad);
        CHECK(fault(bad) == JsonFault::damaged);
    }
    std::stop_source stop;
    stop.request_stop();
    CHECK(fault("[1]", {}, stop.get_token()) == JsonFault::interrupted);
    CHECK(fault(R"([{"x":[[]]}])", {}, stop.get_token()) == JsonFault::interrupted);
}

TEST_CASE("long lists take no longer than their length", "[json]") {
    std::string text = R"({"list":[)";
    for (int i = 0; i < 300'000; ++i) text += R"({"a":"x","y":{}},)";
    text.back() = ']';
    text += '}';
    const auto json = Json::parse(text, keys);
    REQUIRE(json);
    std::size_t count = 0;
    for (auto entry = json->root().member("list").first(); entry; entry = entry.next()) ++count;
    CHECK(count == 300'000);
}
