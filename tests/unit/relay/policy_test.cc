#include "relay/reception/policy.h"

#include <catch2/catch.hpp>

#include "tests/unit/relay/directory.h"

using namespace postern;
using namespace postern::relay;
using namespace postern::tests;
using namespace std::chrono_literals;

namespace {

Settings two_primaries() {
    Settings out;
    out.primaries = {{"main", {{"192.0.2.10", 32}, {"2001:db8::", 32}}, {"mail.example.com", 25}},
                     {"second", {{"198.51.100.0", 24}}, {"", 25}}};
    return out;
}

Address address(const std::string& text) { return text.empty() ? Address() : *parse_address(text); }

}  // namespace

TEST_CASE("a primary is known by its addresses", "[policy]") {
    Settings settings = two_primaries();
    struct Row {
        const char *client, *primary;
    };
    const Row rows[] = {{"192.0.2.10", "main"},  {"::ffff:192.0.2.10", "main"},
                        {"2001:db8::1", "main"}, {"198.51.100.77", "second"},
                        {"192.0.2.11", ""},      {"2001:db9::1", ""},
                        {"127.0.0.1", ""},       {"", ""},
                        {"nonsense", ""}};
    for (const auto& row : rows) {
        CAPTURE(row.client);
        const PrimarySettings* found = primary_of(settings, row.client);
        CHECK((found == nullptr ? std::string() : found->name) == row.primary);
    }
}

TEST_CASE("the sender's verdict becomes a reply", "[policy]") {
    const sync::Snapshot directory = small_directory(), empty;
    const sync::Time fresh = synced + 1h, old = synced + 100h;
    struct Row {
        const char* sender;
        Check check;
        ForeignSender foreign;
        const sync::Snapshot* directory;
        sync::Time now;
        unsigned code;
        EnhancedStatus status;
    };
    constexpr auto user = Check::user, domain = Check::domain, any = Check::any;
    constexpr auto refuse = ForeignSender::refuse, accept = ForeignSender::accept;
    const Row rows[] = {
        {"alice@example.com", user, refuse, &directory, fresh, 250, {2, 1, 0}},
        {"ALICE@example.com", user, refuse, &directory, fresh, 250, {2, 1, 0}},
        {"\"alice\"@example.com", user, refuse, &directory, fresh, 250, {2, 1, 0}},
        {"\"odd box\"@example.com", user, refuse, &directory, fresh, 250, {2, 1, 0}},
        {"alice+x@example.com", user, refuse, &directory, fresh, 250, {2, 1, 0}},
        {"dora@second.example", user, refuse, &directory, fresh, 250, {2, 1, 0}},
        {"nobody@example.com", user, refuse, &directory, fresh, 550, {5, 1, 8}},
        {"nobody@example.com", user, accept, &directory, fresh, 550, {5, 1, 8}},
        {"carol@example.com", user, refuse, &directory, fresh, 550, {5, 1, 8}},
        {"alice@off.example", user, refuse, &directory, fresh, 550, {5, 7, 1}},
        {"alice@off.example", user, accept, &directory, fresh, 550, {5, 7, 1}},
        {"alice@foreign.example", user, refuse, &directory, fresh, 550, {5, 7, 1}},
        {"alice@foreign.example", user, accept, &directory, fresh, 250, {2, 1, 0}},
        {"alice@[192.0.2.1]", user, refuse, &directory, fresh, 550, {5, 7, 1}},
        {"", user, refuse, &directory, fresh, 250, {2, 1, 0}},
        {"", user, refuse, &empty, fresh, 250, {2, 1, 0}},
        {"x@unread.example", user, refuse, &directory, fresh, 451, {4, 3, 0}},
        {"alice@example.com", user, refuse, &empty, fresh, 451, {4, 3, 0}},
        {"alice@example.com", user, accept, &empty, fresh, 451, {4, 3, 0}},
        {"alice@example.com", user, refuse, &directory, old, 250, {2, 1, 0}},
        {"nobody@example.com", user, refuse, &directory, old, 451, {4, 3, 0}},
        {"alice@foreign.example", user, refuse, &directory, old, 451, {4, 3, 0}},
        {"nobody@example.com", domain, refuse, &directory, fresh, 250, {2, 1, 0}},
        {"x@unread.example", domain, refuse, &directory, fresh, 250, {2, 1, 0}},
        {"alice@foreign.example", domain, refuse, &directory, fresh, 550, {5, 7, 1}},
        {"alice@foreign.example", domain, accept, &directory, fresh, 250, {2, 1, 0}},
        {"alice@off.example", domain, refuse, &directory, fresh, 550, {5, 7, 1}},
        {"alice@example.com", domain, refuse, &empty, fresh, 451, {4, 3, 0}},
        {"nobody@example.com", any, refuse, &directory, fresh, 250, {2, 1, 0}},
        {"alice@foreign.example", any, refuse, &empty, fresh, 250, {2, 1, 0}},
    };
    for (const auto& row : rows) {
        CAPTURE(row.sender, static_cast<int>(row.check), static_cast<int>(row.foreign));
        Settings settings = two_primaries();
        settings.accept.sender = row.check;
        settings.accept.foreign_sender = row.foreign;
        Decision out =
            judge_sender(settings, *row.directory, &settings.primaries[0], address(row.sender), row.now);
        CHECK(out.reply.code == row.code);
        CHECK(out.reply.status == row.status);
        CHECK_FALSE(out.monitored);
        if (row.code != 250) {
            CHECK_FALSE(out.rule.empty());
            CHECK_FALSE(out.reason.empty());
            CHECK(out.reply.text.find(out.reason) != std::string::npos);
        }

        settings.accept.enforce = false;
        Decision watched =
            judge_sender(settings, *row.directory, &settings.primaries[0], address(row.sender), row.now);
        CHECK(watched.reply.code == 250);
        CHECK(watched.monitored == (row.code != 250));
        CHECK(watched.reason == out.reason);

        CHECK(judge_sender(settings, *row.directory, nullptr, address(row.sender), row.now).reply.code ==
              250);
    }
}

TEST_CASE("the directory's age goes with a decision", "[policy]") {
    Settings settings = two_primaries();
    Decision out = judge_sender(settings, small_directory(), &settings.primaries[0],
                                address("nobody@example.com"), synced + 2h);
    CHECK(out.directory_age == 2h);
}

TEST_CASE("recipients are for the primaries' mail only", "[policy]") {
    Settings settings = two_primaries();
    CHECK(judge_recipient(&settings.primaries[0], "192.0.2.10", address("x@y")).reply.code == 250);
    Decision out = judge_recipient(nullptr, "203.0.113.5", address("x@y"));
    CHECK(out.reply.code == 550);
    CHECK(out.reply.status == EnhancedStatus{5, 7, 1});
    CHECK_FALSE(out.monitored);
    CHECK_FALSE(out.rule.empty());
}
