#include "agent/settings/overrides.h"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "relay/limits.h"
#include "tests/unit/power_cut.h"

using namespace postern;
using namespace postern::agent;
using Kind = Objection::Kind;

namespace {

relay::Settings configured() {
    relay::Settings file;
    file.gateways.resize(2);
    file.gateways[0].name = "archive";
    file.gateways[1].name = "idle";
    file.gateways[1].enabled = false;
    file.routes = {{"boss@a.example", "", "archive", true}};
    file.egress.resize(2);
    file.egress[0].address = "192.0.2.20";
    file.egress[1].address = "2001:db8::20";
    return file;
}

relay::RouteSettings route(std::string sender, std::string recipient, std::string gateway = "archive") {
    return {std::move(sender), std::move(recipient), std::move(gateway), true};
}

base::SystemDisk machine;

/// A folder that is gone afterwards.
struct Folder {
    Folder() {
        char name[] = "/tmp/postern-overrides-XXXXXX";
        path = mkdtemp(name);
    }
    ~Folder() { std::filesystem::remove_all(path); }
    std::filesystem::path path;
};

}  // namespace

TEST_CASE("without overrides the settings are the file's") {
    const auto settings = merged(configured(), {});
    CHECK(settings.routes.size() == 1);
    CHECK(settings.gateways[0].enabled);
    CHECK_FALSE(settings.gateways[1].enabled);
    CHECK_FALSE(settings.egress[0].suspended);
}

TEST_CASE("whoever may send can have a route") {
    const auto file = configured();
    const std::string label(60, 'b'), domain = label + '.' + label + '.' + label + '.' + label;
    const auto sender = [&](std::size_t length) { return std::string(length, 'a') + '@' + domain; };
    CHECK(set_route({}, file, route(sender(relay::limits::local_part), "")));
    const auto nobody = set_route({}, file, route(sender(relay::limits::local_part + 1), ""));
    REQUIRE_FALSE(nobody);
    CHECK(nobody.error().kind == Kind::wrong);
}

TEST_CASE("what was set while running lies over the file") {
    const auto file = configured();
    Overrides overrides;
    overrides = *set_route(overrides, file, route("Boss@A.example", "", "idle"));
    overrides = *set_route(overrides, file, route("*", "B.example"));
    overrides = *enable_gateway(overrides, file, "archive", false);
    overrides = *enable_gateway(overrides, file, "idle", true);
    overrides = *suspend_egress(overrides, file, "2001:DB8:0::20", true);
    const auto settings = merged(file, overrides);
    REQUIRE(settings.routes.size() == 3);
    CHECK(settings.routes[0].configured);
    CHECK(settings.routes[1].sender == "boss@a.example");
    CHECK(settings.routes[1].gateway == "idle");
    CHECK_FALSE(settings.routes[1].configured);
    CHECK(settings.routes[2].sender.empty());
    CHECK(settings.routes[2].recipient == "b.example");
    CHECK_FALSE(settings.gateways[0].enabled);
    CHECK(settings.gateways[1].enabled);
    CHECK_FALSE(settings.egress[0].suspended);
    CHECK(settings.egress[1].suspended);
}

TEST_CASE("what is as the file says again is no override any more") {
    const auto file = configured();
    Overrides overrides;
    overrides = *enable_gateway(overrides, file, "archive", false);
    CHECK(overrides.gateways.size() == 1);
    CHECK(enable_gateway(overrides, file, "archive", true)->gateways.empty());
    CHECK(enable_gateway({}, file, "idle", false)->gateways.empty());
    overrides = *suspend_egress(overrides, file, "192.0.2.20", true);
    CHECK(overrides.egress.size() == 1);
    CHECK(suspend_egress(overrides, file, "192.0.2.20", false)->egress.empty());
}

TEST_CASE("a route replaces what was set for the same mail, and only that is taken back") {
    const auto file = configured();
    Overrides overrides = *set_route({}, file, route("a.example", "b.example"));
    overrides = *set_route(overrides, file, route("A.EXAMPLE", "b.example", "idle"));
    overrides = *set_route(overrides, file, route("a.example", ""));
    REQUIRE(overrides.routes.size() == 2);
    CHECK(overrides.routes[0].gateway == "idle");
    overrides = *unset_route(overrides, file, route("a.example", "b.example"));
    REQUIRE(overrides.routes.size() == 1);
    CHECK(overrides.routes[0].recipient.empty());
}

TEST_CASE("what makes no sense is not taken, with words") {
    const auto file = configured();
    const auto refused = [](const Change& change) {
        REQUIRE_FALSE(change);
        CHECK_FALSE(change.error().why.empty());
        return change.error().kind;
    };
    CHECK(refused(set_route({}, file, route("", ""))) == Kind::wrong);
    CHECK(refused(set_route({}, file, route("@a.example", ""))) == Kind::wrong);
    CHECK(refused(set_route({}, file, route("a b", ""))) == Kind::wrong);
    CHECK(refused(set_route({}, file, route(std::string(400, 'a') + "@a.example", ""))) == Kind::wrong);
    CHECK(refused(set_route({}, file, route("", "x@b.example"))) == Kind::wrong);
    CHECK(refused(set_route({}, file, route("a.example", "", ""))) == Kind::wrong);
    CHECK(refused(set_route({}, file, route("a.example", "", "none"))) == Kind::unknown);
    CHECK(refused(unset_route({}, file, route("a.example", ""))) == Kind::unknown);
    CHECK(refused(unset_route({}, file, route("boss@a.example", ""))) == Kind::conflict);
    CHECK(refused(enable_gateway({}, file, "none", true)) == Kind::unknown);
    CHECK(refused(suspend_egress({}, file, "192.0.2.99", true)) == Kind::unknown);
    CHECK(refused(suspend_egress({}, file, "gw1", true)) == Kind::wrong);
}

TEST_CASE("what the file has no more is kept, of no effect, and can be taken back") {
    auto file = configured();
    Overrides overrides = *set_route({}, file, route("a.example", ""));
    overrides = *enable_gateway(overrides, file, "archive", false);
    overrides = *suspend_egress(overrides, file, "192.0.2.20", true);
    file.gateways.erase(file.gateways.begin());
    file.egress.clear();
    CHECK(merged(file, overrides).routes.size() == 1);
    CHECK(enable_gateway(overrides, file, "archive", true)->gateways.empty());
    CHECK(suspend_egress(overrides, file, "192.0.2.20", false)->egress.empty());
    CHECK(unset_route(overrides, file, route("a.example", ""))->routes.empty());
}

TEST_CASE("overrides come back from the disk as they were") {
    const Folder folder;
    const auto file = folder.path / "overrides.json";
    std::string trouble;
    CHECK(load_overrides(machine, file, trouble).routes.empty());
    CHECK(trouble.empty());
    const auto settings = configured();
    Overrides overrides = *set_route({}, settings, route("\xc3\xa9@a.example", "b.example"));
    overrides = *enable_gateway(overrides, settings, "archive", false);
    overrides = *suspend_egress(overrides, settings, "2001:db8::20", true);
    REQUIRE(save_overrides(machine, file, overrides));
    REQUIRE(save_overrides(machine, file, overrides));
    struct stat status {};
    REQUIRE(stat(file.c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0600);
    const auto back = load_overrides(machine, file, trouble);
    CHECK(trouble.empty());
    CHECK(to_json(back) == to_json(overrides));
    CHECK_FALSE(back.routes.at(0).configured);
}

TEST_CASE("after a power cut the overrides are those before a change, or those after it") {
    const std::string few = to_json(*enable_gateway({}, configured(), "archive", false));
    const std::string more = to_json(*set_route(*from_json(few), configured(), route("a.example", "")));
    std::string trouble;
    const tests::Keeping keeping{
        [](base::Disk& disk, const std::string& text) {
            return save_overrides(disk, "/state/overrides.json", *from_json(text)).has_value();
        },
        [&](base::Disk& disk) { return to_json(load_overrides(disk, "/state/overrides.json", trouble)); }};
    tests::check_power_cuts(keeping, few, more);
    tests::check_power_cuts(keeping, more, few);
    CHECK(trouble.empty());
}

TEST_CASE("a damaged file is set aside with words and does not stop anything") {
    const Folder folder;
    const auto file = folder.path / "overrides.json";
    const std::string text = GENERATE(
        as<std::string>(), "", "{", "[]", "5", R"({"version": 2})", R"({"version": 1, "routes": 5})",
        R"({"version": 1, "routes": [{"sender": "", "recipient": "", "gateway": "x"}], "gateways_enabled": {},
            "egress_suspended": {}})",
        R"({"version": 1, "routes": [], "gateways_enabled": {"x": "yes"}, "egress_suspended": {}})",
        std::string(2'000'000, '['), std::string(100'000, '['), "\xff\xfe");
    std::ofstream(file) << text;
    std::string trouble;
    CHECK(to_json(load_overrides(machine, file, trouble)) == to_json({}));
    CHECK_THAT(trouble, Catch::Contains("set aside"));
    CHECK_FALSE(std::filesystem::exists(file));
    CHECK(std::filesystem::exists(folder.path / "overrides.json.damaged"));
}

TEST_CASE("a file that cannot be read stops the start, and stays where it is") {
    const Folder folder;
    const auto file = folder.path / "overrides.json";
    std::filesystem::create_directory(file);
    std::string trouble;
    CHECK_THROWS_WITH(load_overrides(machine, file, trouble),
                      Catch::Contains(file.string() + ": Is a directory"));
    CHECK(std::filesystem::exists(file));
    CHECK(trouble.empty());
}

TEST_CASE("what cannot be kept is not done") {
    const Folder folder;
    CHECK_FALSE(save_overrides(machine, folder.path / "none" / "overrides.json", {}));
    Overrides many;
    for (int i = 0; i < 20'000; ++i) many.gateways["gateway-of-some-name-" + std::to_string(i)] = true;
    many.routes.assign(5000, {"someone@some-domain.example", "another-domain.example", "archive", false});
    CHECK_FALSE(save_overrides(machine, folder.path / "overrides.json", many));
    CHECK_FALSE(std::filesystem::exists(folder.path / "overrides.json"));
}
