#include "relay/egress/blocklist.h"

#include <catch2/catch.hpp>

using namespace postern::relay;

TEST_CASE("the name an address is looked up by", "[blocklist]") {
    CHECK(blocklist_name("192.0.2.99", "zen.example") == "99.2.0.192.zen.example");
    CHECK(blocklist_name("127.0.0.2", "zen.example") == "2.0.0.127.zen.example");
    CHECK(blocklist_name("2001:db8::1", "z") ==
          "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.z");
    CHECK(blocklist_name("::ffff:7f00:2", "z") ==
          "2.0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.z");
    for (const char* wrong : {"", "gw.example", "192.0.2", "192.0.2.1/24", "[::1]"})
        CHECK(blocklist_name(wrong, "z").empty());
}

TEST_CASE("what an answer of a blocklist means", "[blocklist]") {
    const auto code = [](const char* address) { return blocklist_code(asio::ip::make_address(address)); };
    for (const char* listed :
         {"127.0.0.2", "127.0.0.4", "127.0.0.11", "127.0.1.2", "127.1.0.0", "127.254.255.255"})
        CHECK(code(listed) == BlocklistCode::listed);
    for (const char* refused : {"127.255.255.252", "127.255.255.254", "127.255.255.255", "127.255.255.0"})
        CHECK(code(refused) == BlocklistCode::refused);
    for (const char* broken : {"127.0.0.1", "127.0.0.0", "127.255.0.1", "0.0.0.0", "192.0.2.1",
                               "126.255.255.255", "128.0.0.2", "::1", "::ffff:127.0.0.2"})
        CHECK(code(broken) == BlocklistCode::broken);
}
