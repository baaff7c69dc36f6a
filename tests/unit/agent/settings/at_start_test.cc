#include <catch2/catch.hpp>

#include "tests/unit/agent/settings/settings_file.h"

using namespace postern::tests;

namespace {

using Names = std::vector<std::string>;

Names differing(const std::string& running, const std::string& wanted) {
    const auto before = parse_settings(running), after = parse_settings(wanted);
    CHECK(lines(before).empty());
    CHECK(lines(after).empty());
    return differing_at_start(before.settings, after.settings);
}

}  // namespace

TEST_CASE("what only a start takes is named when it differs from what runs") {
    CHECK(differing(sound, sound).empty());
    CHECK(differing(sound, sound + "[accept]\nrecipients = 7\n").empty());
    CHECK(differing(sound, sound + "[queue]\nvolume_size = \"8MiB\"\n") == Names{"queue.volume_size"});
    CHECK(differing("state_dir = \"/x\"\nuser = \"mail\"" + sound, sound) == Names{"state_dir", "user"});
    CHECK(differing(sound, sound + "[status]\naddress = \"127.0.0.1:1\"\nsocket = \"/x\"\n") ==
          Names{"status.address", "status.socket"});
    CHECK(differing(sound, sound + "[status]\ngateway_mode = \"127.0.0.1:1\"\ngateway_mode_user = \"u\"\n"
                                   "gateway_mode_password_file = \"/x\"\n") == Names{"status.gateway_mode"});
}

TEST_CASE("a default that is written out is no difference") {
    CHECK(differing(sound, sound + "[queue]\nvolume_size = \"64MiB\"\n[status]\naddress = "
                                   "\"127.0.0.1:8025\"\n")
              .empty());
}

TEST_CASE("a section that repeats is named once, whatever of it differs") {
    const std::string more = "[[listener]]\naddress = \"127.0.0.1:2526\"\n";
    CHECK(differing(sound, sound + more) == Names{"listener"});
    CHECK(differing(sound + more, sound) == Names{"listener"});
    CHECK(differing(sound + more, sound + more + "tls = \"off\"\n") == Names{"listener"});
}
