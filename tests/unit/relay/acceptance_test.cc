#include "relay/reception/acceptance.h"

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

TEST_CASE("a primary is known by its addresses", "[acceptance]") {
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

TEST_CASE("the sender's verdict becomes a reply", "[acceptance]") {
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
        {"dora@second.example", user, refuse, &directory, fresh, 550, {5, 7, 1}},
        {"nobody@second.example", user, accept, &directory, fresh, 550, {5, 7, 1}},
        {"dora@second.example", domain, refuse, &directory, fresh, 550, {5, 7, 1}},
        {"dora@second.example", any, refuse, &directory, fresh, 250, {2, 1, 0}},
        {"nobody@second.example", user, refuse, &directory, old, 451, {4, 3, 0}},
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
            CHECK(out.rule != Rule::none);
            CHECK_FALSE(out.reason.empty());
            const std::string told =
                out.reason.substr(0, out.reason.find(':'));  // the rest is for the log alone
            CHECK(out.reply.text.find(told) != std::string::npos);
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

TEST_CASE("a primary sends for its own users, and for those it may", "[acceptance]") {
    Settings settings = two_primaries();
    auto code = [&](const char* sender, const char* client) {
        return judge_sender(settings, small_directory(), primary_of(settings, client), address(sender),
                            synced + 1h, client)
            .reply.code;
    };
    CHECK(code("dora@second.example", "192.0.2.10") == 550);
    CHECK(code("dora@second.example", "198.51.100.7") == 250);
    CHECK(code("alice@example.com", "198.51.100.7") == 550);
    settings.primaries[1].sends_for = {"main"};
    CHECK(code("alice@example.com", "198.51.100.7") == 250);
    CHECK(code("nobody@example.com", "198.51.100.7") == 550);
    CHECK(code("dora@second.example", "192.0.2.10") == 550);
    settings.primaries[1].addresses.push_back({"192.0.2.10", 32});  // both behind one address
    CHECK(code("dora@second.example", "192.0.2.10") == 250);
}

TEST_CASE("who cannot be asked about is to try again, in a domain that is known", "[acceptance]") {
    Settings settings = two_primaries();
    auto judged = [&](const char* sender) {
        Decision out =
            judge_sender(settings, small_directory(), &settings.primaries[0], address(sender), synced + 1h);
        not_answered(settings, out);
        return out;
    };
    CHECK(judged("nobody@example.com").reply.code == 451);
    CHECK(judged("nobody@example.com").rule == Rule::not_answered);
    CHECK(judged("carol@example.com").reply.code == 550);  // disabled: that is known
    CHECK(judged("x@elsewhere.example").reply.code == 550);
    CHECK(judged("alice@example.com").reply.code == 250);
    settings.accept.enforce = false;
    CHECK(judged("nobody@example.com").reply.code == 250);
    CHECK(judged("nobody@example.com").monitored);
}

TEST_CASE("somebody is postmaster of this host", "[acceptance]") {
    Settings settings = two_primaries();
    settings.hostname = "Gw1.example.com";
    const PrimarySettings* stranger = nullptr;
    auto to = [&](const PrimarySettings* client) {
        auto out = postmaster_of(settings, small_directory(), client, synced + 1h);
        return out ? out->text() : std::string();
    };
    CHECK(for_postmaster(settings, address("PostMaster@gw1.example.com")));
    CHECK(for_postmaster(settings, address("\"postmaster\"@gw1.example.com")));
    CHECK_FALSE(for_postmaster(settings, address("postmaster@example.com")));
    CHECK_FALSE(for_postmaster(settings, address("alice@gw1.example.com")));
    CHECK(to(stranger) == "postmaster@example.com");
    CHECK(to(&settings.primaries[0]) == "postmaster@example.com");
    settings.hostname = "gw1.elsewhere.example";
    CHECK(to(stranger) == "postmaster@gw1.elsewhere.example");
    CHECK(to(&settings.primaries[0]).empty());
    settings.accept.postmaster = "admin@dest.example";
    CHECK(to(stranger) == "admin@dest.example");
    CHECK(to(&settings.primaries[0]) == "admin@dest.example");
    settings.accept.postmaster.clear();
    settings.primaries[0].deliver_to.host.clear();
    CHECK(to(stranger).empty());
}

TEST_CASE("the directory's age goes with a decision", "[acceptance]") {
    Settings settings = two_primaries();
    Decision out = judge_sender(settings, small_directory(), &settings.primaries[0],
                                address("nobody@example.com"), synced + 2h);
    CHECK(out.directory_age == 2h);
}

TEST_CASE("recipients are for the primaries' mail only", "[acceptance]") {
    Settings settings = two_primaries();
    CHECK(judge_recipient(&settings.primaries[0], "192.0.2.10", address("x@y")).reply.code == 250);
    Decision out = judge_recipient(nullptr, "203.0.113.5", address("x@y"));
    CHECK(out.reply.code == 550);
    CHECK(out.reply.status == EnhancedStatus{5, 7, 1});
    CHECK_FALSE(out.monitored);
    CHECK(out.rule == Rule::relaying);
}

TEST_CASE("a content is judged by its size, its line ends, its way", "[acceptance]") {
    Settings settings = two_primaries();
    settings.queue.message_size = 2 * stranger_size_max;
    const std::uint64_t most = settings.queue.message_size;
    struct Row {
        const char* what;
        Seen seen;
        Rule from_primary, from_stranger;
    };
    const Row rows[] = {
        {"an empty one", {}, Rule::none, Rule::none},
        {"what a stranger may", {stranger_size_max}, Rule::none, Rule::none},
        {"an octet more", {stranger_size_max + 1}, Rule::none, Rule::stranger_size},
        {"what a primary may", {most}, Rule::none, Rule::stranger_size},
        {"an octet more", {most + 1}, Rule::message_size, Rule::stranger_size},
        {"bare line ends", {1, true}, Rule::none, Rule::bare_newline},
        {"NULs", {1, false, true}, Rule::none, Rule::nul},
        {"a long way", {1, false, false, 100}, Rule::none, Rule::none},
        {"a host more", {1, false, false, 101}, Rule::hops, Rule::hops},
    };
    for (const auto& row : rows) {
        CAPTURE(row.what, row.seen.size);
        CHECK(judge_content(settings, false, row.seen).rule == row.from_primary);
        CHECK(judge_content(settings, true, row.seen).rule == row.from_stranger);
    }
    settings.accept.bare_newline = BareNewline::refuse;
    CHECK(judge_content(settings, false, {1, true}).rule == Rule::bare_newline);
    CHECK(judge_content(settings, false, {1, false, true}).rule == Rule::nul);
    settings.queue.message_size = 0;  // any amount
    CHECK(judge_content(settings, false, {most + 1}).reply.code == 250);
    CHECK(judge_content(settings, true, {stranger_size_max + 1}).rule == Rule::stranger_size);
}

TEST_CASE("whom mail is for is decided in one chain", "[acceptance]") {
    Settings settings = two_primaries();
    settings.hostname = "gw1.example.com";
    const sync::Snapshot directory = small_directory();
    const Srs srs("a secret of some length", "gw1.example.com");
    const Address origin{"bob", "origin.example"}, ours = *srs.rewrite(origin, synced);
    using Addressee = RecipientDecision::Addressee;
    struct Row {
        const char* what;
        bool stranger;
        Address from, to;
        Addressee addressee;
        Rule rule;
        const char* instead;
    };
    const Row rows[] = {
        {"a primary's", false, {"x", "y.example"}, {"a", "b.example"}, Addressee::usual, Rule::none, ""},
        {"a stranger's", true, {"x", "y.example"}, {"a", "b.example"}, Addressee::usual, Rule::relaying, ""},
        {"a report", true, {}, ours, Addressee::author, Rule::none, "bob@origin.example"},
        {"no report", true, {"x", "y.example"}, ours, Addressee::author, Rule::reports_only, ""},
        {"ours",
         true,
         {"x", "y.example"},
         address("postmaster@gw1.example.com"),
         Addressee::postmaster,
         Rule::none,
         "postmaster@example.com"},
    };
    for (const auto& row : rows) {
        CAPTURE(row.what);
        const PrimarySettings* primary = row.stranger ? nullptr : &settings.primaries[0];
        const Caller caller{settings, directory, &srs, primary, "203.0.113.5"};
        const RecipientDecision out = decide_recipient(caller, row.from, row.to, synced + 1h);
        CHECK(out.addressee == row.addressee);
        CHECK(out.decision.rule == row.rule);
        CHECK(out.decision.reply.positive() == (row.rule == Rule::none));
        CHECK(out.instead.text() == row.instead);
    }
    settings.hostname = "gw1.elsewhere.example";  // in nobody's domain
    const Caller caller{settings, directory, &srs, &settings.primaries[0], "192.0.2.10"};
    CHECK(decide_recipient(caller, {}, address("postmaster@gw1.elsewhere.example"), synced).decision.rule ==
          Rule::postmaster);
}

TEST_CASE("the sender that is rewritten is the foreign one alone", "[acceptance]") {
    const sync::Snapshot directory = small_directory(), empty;
    const sync::Time fresh = synced + 1h, old = synced + 100h;
    struct Row {
        const char* sender;
        Check check;
        const sync::Snapshot* directory;
        sync::Time now;
        unsigned code;
        bool rewrite;
    };
    const Row rows[] = {
        {"bob@foreign.example", Check::user, &directory, fresh, 250, true},
        {"bob@foreign.example", Check::domain, &directory, fresh, 250, true},
        {"bob@foreign.example", Check::any, &directory, fresh, 250, true},
        {"bob@[192.0.2.1]", Check::user, &directory, fresh, 250, true},
        {"alice@example.com", Check::user, &directory, fresh, 250, false},
        {"alice@example.com", Check::any, &directory, fresh, 250, false},
        {"nobody@example.com", Check::any, &directory, fresh, 250, false},
        {"nobody@example.com", Check::user, &directory, fresh, 550, false},
        {"alice@off.example", Check::user, &directory, fresh, 550, false},
        {"x@unread.example", Check::user, &directory, fresh, 451, false},
        {"", Check::user, &directory, fresh, 250, false},
        {"bob@foreign.example", Check::user, &directory, old, 451, false},
        {"bob@foreign.example", Check::user, &empty, fresh, 451, false},
        {"bob@foreign.example", Check::any, &empty, fresh, 250, false},
    };
    for (const auto& row : rows) {
        CAPTURE(row.sender, static_cast<int>(row.check));
        Settings settings = two_primaries();
        settings.accept.sender = row.check;
        for (auto foreign : {ForeignSender::rewrite, ForeignSender::accept, ForeignSender::refuse}) {
            settings.accept.foreign_sender = foreign;
            Decision out =
                judge_sender(settings, *row.directory, &settings.primaries[0], address(row.sender), row.now);
            bool chosen = foreign == ForeignSender::rewrite;
            if (chosen) CHECK(out.reply.code == row.code);
            CHECK(out.rewrite == (chosen && row.rewrite));
            CHECK_FALSE(
                judge_sender(settings, *row.directory, nullptr, address(row.sender), row.now).rewrite);
        }
    }
}

TEST_CASE("a rewritten path takes reports, and only those we made lead anywhere", "[acceptance]") {
    const Srs srs("a secret of some length", "gw.example");
    const Time now = synced;
    const Settings settings = two_primaries();
    const PrimarySettings* primary = &settings.primaries[0];
    const Address origin{"bob", "origin.example"}, path = *srs.rewrite(origin, now), sender{"x", "y.example"};
    auto judge = [&](const PrimarySettings* who, const Address& from, const Address& to, Time when) {
        return judge_return(srs, who, from, to, when);
    };

    for (const PrimarySettings* who : {static_cast<const PrimarySettings*>(nullptr), primary}) {
        auto out = judge(who, {}, path, now + 24h);
        REQUIRE(out);
        CHECK(out->decision.reply.code == 250);
        CHECK(out->instead == origin);
    }
    CHECK(judge(primary, sender, path, now)->instead == origin);

    struct Row {
        const char* why;
        const PrimarySettings* who;
        Address from, to;
        Time when;
        EnhancedStatus status;
    };
    const Address forged{"SRS0=AAAAAAAA=AA=example.com=alice", "gw.example"};
    Address for_another = path;
    for_another.local.replace(for_another.local.size() - 3, 3, "eve");
    const Row rows[] = {
        {"a stranger's ordinary mail", nullptr, sender, path, now, {5, 7, 1}},
        {"forged, for a local user", nullptr, {}, forged, now, {5, 1, 1}},
        {"forged, from a primary", primary, {}, forged, now, {5, 1, 1}},
        {"forged, with a sender", nullptr, sender, forged, now, {5, 1, 1}},
        {"for another mailbox", nullptr, {}, for_another, now, {5, 1, 1}},
        {"expired", nullptr, {}, path, now + 30 * 24h, {5, 1, 1}},
    };
    for (const auto& row : rows) {
        CAPTURE(row.why);
        auto out = judge(row.who, row.from, row.to, row.when);
        REQUIRE(out);
        CHECK(out->decision.reply.code == 550);
        CHECK(out->decision.reply.status == row.status);
        CHECK(text_of(out->decision.rule).name == "accept.foreign_sender");
        CHECK_FALSE(out->decision.reason.empty());
        CHECK(out->instead.null());
    }
    for (const Address& other :
         {Address{"alice", "gw.example"}, Address{path.local, "other.example"}, sender})
        CHECK_FALSE(judge(nullptr, {}, other, now));
}
