#include <catch2/catch.hpp>
#include <set>
#include <string>
#include <vector>

#include "sync/sync.h"
#include "tests/support/primary_double.h"
#include "tests/support/primary_recipients.h"
#include "tests/unit/sync/fixture.h"

using namespace postern::sync;
using namespace postern::tests;
using namespace std::chrono_literals;

namespace {

/// Every kind of recipient.
Json full_world() {
    Json world = Json::parse(R"({
  "admin": {"user": "gateway", "password": "secret"},
  "domains": [
    {"name": "example.com",
     "users": ["alice", {"name": "bob", "domain_admin": true}, "MixedCase", "first.last", "o'brien", "two words",
               {"name": "carol", "enabled": false, "can_receive": false},
               {"name": "dave", "enabled": false, "can_receive": true},
               {"name": "full", "size": 1000, "max_size": 1000}],
     "aliases": ["sales", {"name": "Info", "targets": ["alice@example.com"]}, "support", "web-master",
                 {"name": "staff", "internal_only": true}, {"name": "retired", "enabled": false}],
     "domain_aliases": ["Example.ORG", "bücher.example"],
     "lists": ["news", "Announce", {"name": "closed", "disabled": true}],
     "list_command": "lists@example.com",
     "resources": ["room1", "Beamer", {"name": "cellar", "enabled": false}],
     "domain_users_only": ["archive"],
     "catch_all": ""},
    {"name": "all.example", "users": ["erin", {"name": "off", "enabled": false, "can_receive": false}],
     "aliases": ["catcher", {"name": "gone", "enabled": false}], "domain_aliases": ["all-too.example"],
     "lists": [{"name": "closed2", "disabled": true}], "resources": ["room2"], "catch_all": "catcher"},
    {"name": "forbidden.example", "users": ["greta"], "catch_all": "greta", "enable_catch_alls": false},
    {"name": "disabled.example", "enabled": false, "users": ["frank"], "aliases": ["boss"],
     "domain_aliases": ["disabled-too.example"], "lists": ["talk"], "catch_all": "frank"},
    {"name": "müller.example", "users": ["hans", "grete"], "aliases": ["post"], "lists": ["verein"]},
    {"name": "xn--caf-dma.example", "users": ["ines"], "resources": ["terrace"]},
    {"name": "Mixed.Case.Example", "users": []},
    {"name": "bare.example", "catch_all": null}
  ]
})");
    for (int i = 10; i < 40; ++i) world["domains"][6]["users"].push_back("user" + std::to_string(i));
    return world;
}

Json changed(Json world) {
    Json& first = world["domains"][0];
    first["users"].erase(1);  // bob
    first["users"][0] = {{"name", "alice"}, {"enabled", false}, {"can_receive", false}};
    first["users"].push_back("zoe");
    first["users"].push_back({{"name", "yves"}, {"enabled", false}, {"can_receive", true}});
    first["aliases"].erase(1);  // Info
    first["aliases"].push_back("bob");
    first["aliases"][0] = {{"name", "sales"}, {"enabled", false}};
    first["domain_aliases"].push_back("example.info");
    first["lists"][0] = {{"name", "news"}, {"disabled", true}};
    first["lists"].push_back("weekly");
    first["resources"].push_back("room9");
    world["domains"][1]["catch_all"] = "";
    world["domains"][3]["enabled"] = true;
    world["domains"][4]["catch_all"] = "hans";
    world["domains"][7]["enabled"] = false;
    world["domains"].push_back(
        {{"name", "new.example"}, {"users", {"ann"}}, {"domain_aliases", {"newer.example"}}});
    return world;
}

struct Variant {
    std::string api;
    Json switches;
};

/// The world as far as the primary's web services tell it.
Json told(Json world, const Variant& variant) {
    const bool soap = variant.api == "soap";
    for (Json& domain : world["domains"]) {
        // Rooms have no call in SOAP, and an older REST build may lack it.
        if (soap || !variant.switches.value("resources", true)) domain.erase("resources");
        // Only GetDomainUsers has them: not REST, not SOAP before 6.x.
        if (!soap || variant.switches.value("soap_version", "10") == "5.x") domain.erase("domain_users_only");
        // REST tells of no permission for a catch-all, so one that is set counts: better mail that the
        // primary refuses than good mail refused here.
        if (!soap) domain.erase("enable_catch_alls");
        for (Json& user : domain["users"]) {
            if (!user.is_object()) continue;
            // SOAP has one switch for a user, and one that is off means no mail.
            if (soap) user["can_receive"] = false;
            // Mail settings that cannot be read: taken, until they can.
            if (variant.switches.contains("canned")) user["can_receive"] = true;
        }
        // The older list of aliases says of none that it is disabled.
        if (!soap && !variant.switches.value("account_search", true))
            for (Json& alias : domain["aliases"])
                if (alias.is_object()) alias["enabled"] = true;
    }
    return world;
}

struct Recipient {
    std::string address;             // as in RCPT TO
    std::string local_part, domain;  // as a gateway looks it up: unquoted, A-labels
};

std::string upper(std::string text) {
    for (char& c : text) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    return text;
}

std::string quoted(const std::string& local_part, bool every_octet = false) {
    std::string text = "\"";
    for (const char c : local_part) {
        if (every_octet || c == '"' || c == '\\') text += '\\';
        text += c;
    }
    return text + '"';
}

std::string as_written(const std::string& local_part) {
    const bool atoms = local_part.find_first_of(" \"\\@,;<>") == local_part.npos &&
                       local_part.front() != '.' && local_part.back() != '.' &&
                       local_part.find("..") == local_part.npos;
    return atoms ? local_part : quoted(local_part);
}

std::vector<Recipient> recipients(const Json& world, const Json& later) {
    std::set<std::string> local_parts{"nobody",
                                      "postmaster",
                                      "abuse",
                                      "postmaster+x",
                                      "listserv",
                                      "lists",
                                      "alic",
                                      "alicee",
                                      "alice.",
                                      "a lice",
                                      "room",
                                      "room1-x",
                                      "list@erv",
                                      "quo\"te",
                                      "back\\slash",
                                      "+folder",
                                      "alice+",
                                      "alice+a+b",
                                      "news-bounce",
                                      "two words+x",
                                      "empty",
                                      "gateway",
                                      "catch-all",
                                      "user1",
                                      "user100",
                                      ".alice",
                                      "system.catch.all",
                                      std::string(64, 'x')};
    std::set<std::pair<std::string, std::string>> domains{
        {"nowhere.example", "nowhere.example"},
        {"sub.example.com", "sub.example.com"},
        {"example.co", "example.co"},
        {"com", "com"},
        {"xn--mller-kva.example", "xn--mller-kva.example"},
        {"XN--Bcher-KVA.example", "xn--bcher-kva.example"},
        {"café.example", "xn--caf-dma.example"},
        {"MÜLLER.example", "xn--mller-kva.example"},
        {"xn--mllerin-p2a.example", "xn--mllerin-p2a.example"}};
    const auto a_labels = [](const std::string& domain) -> std::string {
        if (domain == "müller.example") return "xn--mller-kva.example";
        if (domain == "bücher.example") return "xn--bcher-kva.example";
        return domain;
    };
    const auto name = [](const Json& entry) {
        return (entry.is_string() ? entry : entry["name"]).get<std::string>();
    };
    for (const Json& each : {world, later}) {
        for (const Json& domain : each["domains"]) {
            domains.emplace(domain["name"], a_labels(domain["name"]));
            for (const Json& alias : domain.value("domain_aliases", Json::array()))
                domains.emplace(alias, a_labels(alias));
            for (const char* list : {"users", "aliases", "lists", "resources", "domain_users_only"})
                for (const Json& entry : domain.value(list, Json::array())) local_parts.insert(name(entry));
        }
    }
    std::vector<Recipient> all;
    for (const auto& [written, domain] : domains) {
        for (const std::string& local_part : local_parts) {
            all.push_back({as_written(local_part) + "@" + written, local_part, domain});
            const std::string loud = upper(local_part);
            all.push_back({as_written(loud) + "@" + upper(domain), loud, upper(domain)});
            const std::string folder = local_part + "+Folder.2";
            all.push_back({as_written(folder) + "@" + written, folder, domain});
            all.push_back({quoted(local_part, true) + "@" + written, local_part, domain});
        }
    }
    return all;
}

/// "alice@example.com: user" for the first few whose verdict is not what the primary says.
std::vector<std::string> differences(const Sync& sync, const Json& world,
                                     const std::vector<Recipient>& recipients) {
    std::vector<std::string> found;
    std::size_t good = 0;
    for (const Recipient& each : recipients) {
        const bool taken = accepts(world, each.address);
        const Verdict verdict =
            sync.snapshot()->address(each.local_part, each.domain, std::chrono::system_clock::now());
        good += taken ? 1 : 0;
        if (verdict.standing != (taken ? Standing::good : Standing::bad) && found.size() < 8)
            found.push_back(each.address + ": " + std::string(describe(verdict.reason)));
    }
    CHECK(good > 500);
    CHECK(recipients.size() - good > 500);
    return found;
}

}  // namespace

TEST_CASE("what the double says at RCPT", "[recipients]") {
    const Json world = full_world();
    for (const char* address :
         {"alice@example.com",         "ALICE@EXAMPLE.com",          "alice+folder@example.org",
          "mixedcase@example.com",     "\"alice\"@example.com",      "\"\\a\\lice\"@example.com",
          "\"two words\"@example.com", "dave@example.com",           "full@example.com",
          "sales@example.org",         "staff@example.com",          "news@xn--bcher-kva.example",
          "announce@bücher.example",   "lists@example.com",          "room1@example.com",
          "beamer@example.com",        "archive@example.com",        "postmaster@bare.example",
          "Abuse@example.org",         "anyone@all.example",         "closed2@all-too.example",
          "greta@forbidden.example",   "hans@xn--mller-kva.example", "hans@MÜLLER.example",
          "listserv@müller.example",   "ines@café.example",          "USER10@mixed.case.example"}) {
        CAPTURE(address);
        CHECK(accepts(world, address));
    }
    for (const char* address : {"nobody@example.com",
                                "carol@example.com",
                                "carol+x@example.org",
                                "retired@example.com",
                                "closed@example.com",
                                "listserv@example.com",
                                "cellar@example.com",
                                "off@all.example",
                                "anyone@forbidden.example",
                                "frank@disabled.example",
                                "postmaster@disabled.example",
                                "frank@disabled-too.example",
                                "anyone@disabled.example",
                                "alice@elsewhere.example",
                                "postmaster@elsewhere.example",
                                "alice@müller.example",
                                "listserv@bare.example",
                                "postmaster+x@example.com",
                                "+alice@example.com",
                                "alice",
                                "@example.com",
                                "alice@",
                                "",
                                "\"alice",
                                "\"alice@example.com",
                                "\"alice\\",
                                "\"alice\"x@example.com",
                                "alice@example.com@example.com"}) {
        CAPTURE(address);
        CHECK_FALSE(accepts(world, address));
    }
}

TEST_CASE("verdicts are what the primary says at RCPT", "[recipients]") {
    const auto rest = [](Json switches) { return Variant{"rest", std::move(switches)}; };
    const auto soap = [](Json switches) { return Variant{"soap", std::move(switches)}; };
    const Json canned_mail{
        {"settings/domain/user-mail", {{"status", 400}, {"body", R"({"success":false,"message":"no"})"}}}};
    const std::vector<Variant> variants{
        rest(Json::object()),
        rest({{"envelope", "old"}}),
        rest({{"header_context", false}}),
        rest({{"header_context", false}, {"failure_status", 200}, {"envelope", "old"}}),
        rest({{"header_context", false}, {"manage_context", false}}),
        rest({{"header_a_labels", false}}),
        rest({{"null_lists", true}}),
        rest({{"null_lists", false}}),
        rest({{"account_search", false}}),
        rest({{"account_search", false}, {"null_lists", true}}),
        rest({{"account_search", false}, {"empty_grid_text", true}}),
        rest({{"domain_is_enabled", false}}),
        rest({{"domain_is_enabled", false}, {"domain_status", false}}),
        rest({{"mixed_types", true}}),
        rest({{"mixed_types", true}, {"page_cap", 3}}),
        rest({{"mixed_types", true}, {"ignore_skip", true}}),
        rest({{"html", {"settings/sysadmin/list-users"}}, {"mixed_types", true}}),
        rest({{"resources", false}}),
        rest({{"canned", canned_mail}}),
        {"auto", {{"soap", true}}},
        soap(Json::object()),
        soap({{"soap_version", "5.x"}}),
        soap({{"domain_users", "bare"}}),
        soap({{"domain_users", "full+aliases"}}),
        soap({{"domain_users", "bare+aliases"}}),
        soap({{"bare_user_names", true}}),
        soap({{"bare_user_names", true}, {"domain_users", "bare+aliases"}, {"soap_version", "5.x"}}),
        soap({{"list_command_in_settings", false}}),
        soap({{"soap_unknown_settings", {"maxusers"}}, {"soap_unknown_setting_fails", true}}),
        soap({{"soap_success_message", nullptr}}),
        soap({{"soap_success_message", "OK"}}),
    };
    const Json world = full_world(), later = changed(world);
    const std::vector<Recipient> all = recipients(world, later);
    REQUIRE(all.size() >= 500);

    for (const Variant& variant : variants) {
        CAPTURE(variant.api, variant.switches.dump());
        PrimaryDouble primary(world);
        primary.set_switches({{"soap", variant.api == "soap"}, {"rest", variant.api != "soap"}});
        primary.set_switches(variant.switches);
        Folder folder;
        Recorder recorder;
        PrimarySettings settings;
        settings.name = "main";
        settings.url = primary.url();
        settings.username = "gateway";
        settings.password_file = folder.write("password", "secret\n");
        settings.gap = 0ms;
        settings.api = variant.api;
        Sync sync({settings}, folder.path(), recorder, machine, system_disk, {});
        sync.start();
        wait_for([&] { return recorder.count("synced main") == 1; });
        CHECK(differences(sync, told(world, variant), all) == std::vector<std::string>{});

        primary.set_world(later);
        sync.poll_now();
        wait_for([&] { return recorder.count("synced main") == 2; });
        sync.accept_suspicions();  // that a catch-all is gone is doubted
        wait_for([&] { return recorder.count("synced main") == 3; });
        CHECK(differences(sync, told(later, variant), all) == std::vector<std::string>{});
        for (const std::string& event : recorder.events())
            CHECK((event.starts_with("synced main") || event.ends_with("main all.example catch-all 1 0")));
    }
}
