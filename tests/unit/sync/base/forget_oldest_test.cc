#include "sync/base/forget_oldest.h"

#include <catch2/catch.hpp>
#include <map>
#include <string>

using postern::base::forget_oldest;

namespace {

struct Entry {
    int last = 0;
    bool used = false;
};

std::string left(std::map<char, Entry> map, std::size_t most) {
    const std::size_t before = map.size();
    const std::size_t gone = forget_oldest(
        map, most, [](const Entry& one) { return !one.used; }, [](const Entry& one) { return one.last; });
    CHECK(before - gone == map.size());
    std::string out;
    for (const auto& [name, entry] : map) out += name;
    return out;
}

}  // namespace

TEST_CASE("what nobody needs and was needed longest ago is forgotten first", "[forget]") {
    CHECK(left({{'a', {4}}, {'b', {2}}, {'c', {3}}, {'d', {1}}}, 2) == "ac");
    CHECK(left({{'a', {4}}, {'b', {2}}, {'c', {3}}, {'d', {1}}}, 4) == "abcd");
    CHECK(left({{'a', {4}}, {'b', {2}}}, 0).empty());
    CHECK(left({}, 0).empty());
    // What is needed stays, however many that are.
    CHECK(left({{'a', {4}}, {'b', {2, true}}, {'c', {3}}, {'d', {1, true}}}, 3) == "abd");
    CHECK(left({{'a', {4}}, {'b', {2, true}}, {'c', {3}}, {'d', {1, true}}}, 1) == "bd");
}
