#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <random>

#include "sync/soap/soap_reply.h"
#include "sync/sync.h"
#include "tests/support/primary_double.h"
#include "tests/unit/sync/fixture.h"
#include "tests/unit/sync/soap/soap_envelope.h"

using namespace postern::sync;
using namespace postern::tests;
using namespace std::chrono_literals;

namespace {

struct Site {
    explicit Site(Json world = example_world()) : primary(std::move(world)) {
        primary.set_switches({{"soap", true}, {"rest", false}});
        folder.write("password", "secret\n");
    }
    std::unique_ptr<Sync> open(const std::string& api) {
        PrimarySettings settings;
        settings.name = "main";
        settings.url = primary.url();
        settings.username = "gateway";
        settings.password_file = folder.path() / "password";
        settings.gap = 0ms;
        settings.api = api;
        auto sync = std::make_unique<Sync>(std::vector{settings}, folder.path(), recorder, machine,
                                           system_disk, nullptr);
        sync->start();
        return sync;
    }
    PrimaryDouble primary;
    Folder folder;
    Recorder recorder;
};

Verdict ask(const Sync& sync, const char* local, const char* domain) {
    return sync.snapshot()->address(local, domain, std::chrono::system_clock::now());
}

Reason reason(const Sync& sync, const char* local, const char* domain) {
    return ask(sync, local, domain).reason;
}

/// How often the text whose octets are `mask`ed lies in this process's writable memory.
std::size_t occurrences(const std::string& masked, char mask) {
    std::ifstream maps("/proc/self/maps");
    const int memory = ::open("/proc/self/mem", O_RDONLY | O_CLOEXEC);  // a stream's buffer would keep copies
    std::size_t found = 0;
    for (std::string line; std::getline(maps, line);) {
        unsigned long from = 0, to = 0;
        char rights[5] = {};
        if (std::sscanf(line.c_str(), "%lx-%lx %4s", &from, &to, rights) != 3 || rights[1] != 'w') continue;
        if (to - from > (256ul << 20)) continue;  // a sanitizer's shadow
        std::vector<char> page(64 << 10);
        for (unsigned long at = from; at < to; at += page.size() / 2) {  // halves overlap
            const ssize_t got =
                ::pread(memory, page.data(), std::min(page.size(), to - at), static_cast<off_t>(at));
            const char* const end = page.data() + std::max<ssize_t>(got, 0);
            const auto same = [mask](char hidden, char plain) { return (plain ^ mask) == hidden; };
            const auto next = [&](const char* after) {  // where it might begin
                const auto left = static_cast<std::size_t>(end - after);
                return static_cast<const char*>(std::memchr(after, masked[0] ^ mask, left));
            };
            for (const char* hit = next(page.data()); hit != nullptr; hit = next(hit + 1)) {
                if (static_cast<std::size_t>(end - hit) < masked.size()) break;
                found += std::equal(masked.begin(), masked.end(), hit, same) ? 1 : 0;
            }
            std::fill(page.begin(), page.end(), '\0');
        }
    }
    ::close(memory);
    return found;
}

}  // namespace

TEST_CASE("from an older primary to verdicts", "[soap]") {
    Site site;
    const auto api = GENERATE(as<std::string>(), "soap", "auto");
    const auto sync = site.open(api);
    wait_for([&] { return site.recorder.count("synced main") == 1; });
    CHECK(reason(*sync, "alice", "example.com") == Reason::user);
    CHECK(reason(*sync, "ALICE+folder", "example.org") == Reason::user);
    CHECK(reason(*sync, "carol", "example.com") == Reason::user_disabled);
    CHECK(reason(*sync, "sales", "example.org") == Reason::alias);
    CHECK(reason(*sync, "retired", "example.com") == Reason::no_such_user);
    CHECK(reason(*sync, "news", "example.com") == Reason::mailing_list);
    CHECK(reason(*sync, "closed", "example.com") == Reason::no_such_user);
    CHECK(reason(*sync, "listserv", "example.com") == Reason::list_command);
    CHECK(reason(*sync, "postmaster", "example.com") == Reason::role);
    CHECK(reason(*sync, "nobody", "example.com") == Reason::no_such_user);
    CHECK(reason(*sync, "anyone", "example.net") == Reason::catch_all);
    CHECK(reason(*sync, "frank", "disabled.example") == Reason::domain_disabled);
    CHECK(reason(*sync, "alice", "elsewhere.example") == Reason::no_such_domain);

    const Json spoilt = GENERATE(Json{{"html", true}}, Json{{"cut", {"services/svcuseradmin.asmx/getusers"}}},
                                 Json{{"soap_missing", {"Users", "DomainNames"}}}, Json{{"starting", true}},
                                 Json{{"soap_nil", {"Users", "AliasInfos", "listNames"}}});
    INFO(spoilt.dump());
    site.primary.set_switches(spoilt);
    Json world = example_world();
    world["domains"][0]["users"] = Json::array();
    world["switches"] = spoilt;
    world["switches"].update({{"soap", true}, {"rest", false}});
    site.primary.set_world(world);
    sync->poll_now();
    wait_for([&] { return site.recorder.count("failed main") > 0; });
    CHECK(reason(*sync, "alice", "example.com") == Reason::user);
    CHECK(reason(*sync, "nobody", "example.com") == Reason::no_such_user);
}

TEST_CASE("credentials that an older primary refuses are not shown again", "[soap]") {
    Site site;
    site.folder.write("password", "wrong");
    const auto sync = site.open("soap");
    wait_for([&] { return site.recorder.count("refused main") == 1; });
    wait_for([&] { return sync->report().primaries[0].refused_since != Time{}; });
    CHECK(site.primary.requests()["count"] == 1);
    site.folder.write("password", "secret");
    sync->poll_now();
    wait_for([&] { return site.recorder.count("synced main") == 1; });
    wait_for([&] { return sync->report().primaries[0].refused_since == Time{}; });
}

TEST_CASE("users' passwords are kept nowhere", "[soap]") {
    Json world = example_world();
    world["domains"][0]["users"][0] = {{"name", "alice"}, {"password", "Tr0ub4dor-alice"}};
    Site site(world);
    site.primary.set_switches({{"soap", true}, {"rest", false}});
    {
        const auto sync = site.open("soap");
        wait_for([&] { return site.recorder.count("synced main") == 1; });
        site.primary.set_switches({{"cut", {"services/svcuseradmin.asmx/getusers"}}});
        sync->poll_now();
        wait_for([&] { return site.recorder.count("failed main example.com") == 1; });
        CHECK(sync->snapshot()->find("alice", "example.com").found);
        sync->stop();
        for (const DomainView& domain : sync->report().domains)
            CHECK(domain.error.find("Tr0ub4dor") == std::string::npos);
    }
    for (const std::string& event : site.recorder.events())
        CHECK(event.find("Tr0ub4dor") == std::string::npos);
    for (const auto& file : std::filesystem::directory_iterator(site.folder.path())) {
        const std::string content = site.folder.read(file.path().filename());
        CHECK(content.find("Tr0ub4dor") == std::string::npos);
        CHECK((file.path().filename() == "password" || content.find("secret") == std::string::npos));
    }
}

TEST_CASE("a reply leaves no password in memory, read or not", "[soap]") {
    constexpr char mask = 0x55;
    std::mt19937_64 random{std::random_device{}()};
    std::string masked;
    for (int i = 0; i < 24; ++i) masked += static_cast<char>(('a' + static_cast<char>(random() % 26)) ^ mask);
    const std::string head = envelope("").substr(0, envelope("").find("</soap:Body>")) +
                             "<GetUsersResponse><GetUsersResult><Result>true</Result><Users><UserInfo>"
                             "<UserName>alice</UserName><Password>";
    const std::string tail =
        "</Password></UserInfo></Users></GetUsersResult></GetUsersResponse></soap:Body>"
        "</soap:Envelope>";
    const bool whole = GENERATE(true, false);
    std::string body;
    body.reserve(head.size() + masked.size() + tail.size());
    body += head;
    for (const char c : masked) body += static_cast<char>(c ^ mask);
    body += whole ? tail : tail.substr(0, 30);
    REQUIRE(occurrences(masked, mask) > 0);  // in the buffer that looks for it, too
    const auto users = postern::sync::soap::parse_users({200, std::move(body), {}});
    CHECK(users.has_value() == whole);
    CHECK(occurrences(masked, mask) == 0);
}
