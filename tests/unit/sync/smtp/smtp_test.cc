#include "sync/smtp/smtp.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <map>
#include <thread>

#include "sync/sync.h"
#include "tests/unit/sync/fixture.h"
#include "tests/unit/sync/smtp/mail_server.h"

using namespace postern::sync;
using namespace postern::tests;
using namespace std::chrono_literals;
using Steady = std::chrono::steady_clock;

namespace {

/// Knows ann; what it says to others, and to other commands, can be changed.
struct Script {
    std::string operator()(const std::string& command) {
        const std::lock_guard lock(mutex);
        for (const auto& [start, reply] : replies)
            if (command.starts_with(start) && (!start.empty() || command.empty())) return reply;
        if (command.empty()) return "220 mx.example ESMTP";
        if (command.starts_with("RCPT"))
            return command == "RCPT TO:<ann@a.example>" ? "250 2.1.5 ok" : nobody;
        return "250 ok";
    }
    void say(const std::string& to, const std::string& reply) {
        const std::lock_guard lock(mutex);
        replies[to] = reply;
    }
    void say_of_others(const std::string& reply) {
        const std::lock_guard lock(mutex);
        nobody = reply;
    }

    std::mutex mutex;
    std::map<std::string, std::string> replies;
    std::string nobody = "550 5.1.1 no such user";
};

struct Pair {
    Pair() {
        settings.name = "main";
        settings.api = "smtp";
        settings.url = server.url();
        settings.hostname = "gw.example";
        settings.own = {"a.example"};
    }
    Result<std::optional<Kind>> ask(const std::string& local, const std::string& domain = "a.example") {
        return Smtp(settings, machine, stop.get_token()).look_up(local, domain, Steady::now() + 10s);
    }

    Script script;
    MailServer server{std::ref(script)};
    PrimarySettings settings;
    std::stop_source stop;
};

}  // namespace

TEST_CASE("a mail server is asked by RCPT, and gets no message", "[smtp]") {
    Pair pair;
    const auto there = pair.ask("ann");
    REQUIRE(there);
    CHECK(*there == Kind::user);
    const auto nobody = pair.ask("ben");
    REQUIRE(nobody);
    CHECK_FALSE(*nobody);
    wait_for([&] { return pair.server.commands().size() == 10; });
    CHECK(pair.server.commands() ==
          std::vector<std::string>{"", "EHLO gw.example", "MAIL FROM:<>", "RCPT TO:<ann@a.example>", "QUIT",
                                   "", "EHLO gw.example", "MAIL FROM:<>", "RCPT TO:<ben@a.example>", "QUIT"});
}

TEST_CASE("only a clear no is one", "[smtp]") {
    Pair pair;
    const auto fault = [&] {
        const auto answer = pair.ask("ben");
        REQUIRE_FALSE(answer);
        return answer.error().fault;
    };
    for (const char* reply : {"450 4.2.0 later", "550 5.7.1 denied", "554 no", "452 4.3.1 full"}) {
        CAPTURE(reply);
        pair.script.say_of_others(reply);
        CHECK(fault() == Fault::refused);
    }
    for (const char* reply : {"421 4.3.2 closing"}) {
        pair.script.say_of_others(reply);
        CHECK(fault() == Fault::busy);
    }
    for (const char* reply : {"", "gibberish", "250 ok\r\n250 twice"}) {
        CAPTURE(reply);
        pair.script.say_of_others(reply);
        CHECK(fault() == Fault::unreachable);
    }
    for (const char* command : {"", "EHLO", "MAIL"}) {
        CAPTURE(command);
        pair.script.say(command, "550 5.1.1 no");
        CHECK(fault() == Fault::busy);
        pair.script.replies.clear();
    }
}

TEST_CASE("domains that the settings do not name are not asked about", "[smtp]") {
    Pair pair;
    CHECK(pair.ask("ann", "b.example").error().fault == Fault::refused);
    CHECK(pair.ask("\xc3\xa4nn").error().fault == Fault::refused);  // as no command can carry it
    CHECK(pair.server.commands().empty());
}

TEST_CASE("where STARTTLS is offered and not given, it is asked in clear text", "[smtp]") {
    Pair pair;
    pair.script.say("EHLO", "250-mx.example\r\n250 STARTTLS");
    pair.script.say("STARTTLS", "454 4.7.0 not now");
    const auto there = pair.ask("ann");
    REQUIRE(there);
    CHECK(*there == Kind::user);
}

TEST_CASE("that it takes every address is found by one that nobody has, and remembered", "[smtp]") {
    Pair pair;
    Smtp smtp(pair.settings, machine, {});
    DomainRecord domain;
    domain.spelling = "a.example";
    auto reading = smtp.read(domain);
    REQUIRE(reading);
    CHECK_FALSE(reading->listed);
    REQUIRE(reading->options);
    CHECK(reading->options->catch_all.empty());
    pair.script.say_of_others("250 ok");
    const auto before = smtp.requests();
    CHECK(smtp.read(domain)->options->catch_all.empty());
    CHECK(smtp.requests() == before);

    Smtp later(pair.settings, machine, {});
    CHECK(later.read(domain)->options->catch_all == "*");
    pair.script.say_of_others("550 5.1.1 no such user");
    CHECK(later.read(domain)->options->catch_all == "*");
    domain.options.suspicion = Suspicion{};  // a loss is doubted: looked at anew
    CHECK(later.read(domain)->options->catch_all.empty());
    pair.script.say_of_others("450 4.2.0 later");
    CHECK_FALSE(later.read(domain)->options);
}

TEST_CASE("a question ends at once when it is stopped", "[smtp]") {
    Pair pair;
    pair.script.say("MAIL", "250-to be continued");  // and never is
    std::thread stopper([&] {
        wait_for([&] { return pair.server.commands().size() >= 3; });
        pair.stop.request_stop();
    });
    const auto answer = pair.ask("ann");
    stopper.join();
    REQUIRE_FALSE(answer);
    CHECK(answer.error().fault == Fault::interrupted);
}

TEST_CASE("from a mail server to verdicts", "[smtp]") {
    Pair pair;
    Folder folder;
    Recorder recorder;
    pair.settings.poll_every = 1h;
    Sync sync({pair.settings}, folder.path(), recorder, machine, system_disk, {});
    sync.start();
    wait_for([&] { return recorder.count("synced main") == 1; });
    const auto now = [] { return std::chrono::system_clock::now(); };
    const auto reason = [&](const char* local, const char* domain = "a.example") {
        return sync.snapshot()->address(local, domain, now()).reason;
    };
    const auto ask = [&](const char* local) {
        std::atomic<int> told = 0;
        sync.ask(local, "a.example", [&](bool answered) { told = answered ? 1 : 2; });
        wait_for([&] { return told != 0; });
        return told == 1;
    };
    CHECK_FALSE(sync.report().primaries[0].lists);
    CHECK(sync.report().primaries[0].reachable);
    REQUIRE(sync.report().domains.size() == 1);
    CHECK_FALSE(sync.report().domains[0].listed);
    CHECK(reason("ann") == Reason::domain_not_read);
    CHECK(reason("postmaster") == Reason::role);
    CHECK(reason("ann", "b.example") == Reason::no_such_domain);
    CHECK(ask("ann"));
    CHECK(reason("ann") == Reason::user);
    CHECK(ask("ben"));
    CHECK(reason("ben") == Reason::no_such_user);

    pair.script.say("", "421 4.3.2 down");
    CHECK_FALSE(ask("cyd"));
    CHECK(reason("cyd") == Reason::domain_not_read);
    CHECK(reason("ann") == Reason::user);
    sync.poll_now();
    wait_for([&] { return recorder.count("failed main") == 1; });
    CHECK(reason("ann") == Reason::user);
    CHECK(reason("ann", "b.example") == Reason::no_such_domain);
}
