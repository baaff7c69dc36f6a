#include "relay/security/mta_sts.h"

#include <catch2/catch.hpp>

using namespace postern::relay;
using namespace std::chrono_literals;

TEST_CASE("the MTA-STS record of a domain", "[mta_sts]") {
    CHECK(parse_sts_record({"v=STSv1; id=20160831085700Z;"}) == "20160831085700Z");
    CHECK(parse_sts_record({"v=STSv1;id=1"}) == "1");
    CHECK(parse_sts_record({"v=STSv1 ; \t id=abc ;"}) == "abc");
    CHECK(parse_sts_record({"v=STSv1; x-y.z=1,2; id=abc"}) == "abc");
    CHECK(parse_sts_record({"v=spf1 -all", "v=STSv1; id=7", "v=STSv12; id=8"}) == "7");
}

TEST_CASE("what is no MTA-STS record, or not the only one", "[mta_sts]") {
    const std::vector<std::vector<std::string>> bad = {
        {},
        {""},
        {"v=STSv1"},
        {"v=STSv1;"},
        {"v=STSv1; id="},
        {"v=STSv1; id=a b"},
        {"v=STSv1; id=a-b"},
        {"v=STSv1; id=a; id=b"},
        {"v=STSv1; ID=a"},
        {"v=STSv1; id = a"},
        {"v=STSv1;; id=a"},
        {"v=STSv1; id=a; ;"},
        {"v=STSv1; id=a; junk"},
        {"v=STSv1; id=a; x="},
        {"v=STSv1; id=a; _x=1"},
        {"v=STSv1; id=a; x=1=2"},
        {"v=STSv1; id=" + std::string(33, '1')},
        {"V=STSv1; id=a"},
        {"v=stsv1; id=a"},
        {" v=STSv1; id=a"},
        {"id=a; v=STSv1;"},
        {"v=STSv1, id=a"},
        {"v=STSv1; id=a", "v=STSv1; id=a"},
        {"v=STSv1; id=a", "v=STSv1; nothing"},
    };
    for (const auto& texts : bad) {
        CAPTURE(texts);
        CHECK_FALSE(parse_sts_record(texts));
    }
}

TEST_CASE("an MTA-STS policy", "[mta_sts]") {
    const auto policy = parse_sts_policy(
        "version: STSv1\r\nmode: enforce\r\nmx: Mail.Example.COM\r\nmx:*.example.net \r\nmax_age: "
        "604800\r\n");
    REQUIRE(policy);
    CHECK(policy->mode == StsPolicy::Mode::enforce);
    CHECK(policy->patterns == std::vector<std::string>{"mail.example.com", "*.example.net"});
    CHECK(policy->max_age == 604800s);
    SECTION("bare line feeds, no last line end, another order, fields nobody knows") {
        const auto other = parse_sts_policy(
            "max_age: 604800\nx-new.field: \xc3\xa4: 1\nmx: mail.example.com\nmx: *.example.net\n\n"
            "version: STSv1\nmode: enforce");
        REQUIRE(other);
        CHECK(*other == *policy);
    }
    SECTION("of a repeated field the first counts") {
        const auto twice = parse_sts_policy(
            "version: STSv1\nmode: testing\nmode: enforce\nmx: a.example\nmax_age: 60\nmax_age: x");
        REQUIRE(twice);
        CHECK(twice->mode == StsPolicy::Mode::testing);
        CHECK(twice->max_age == 60s);
    }
    SECTION("mode none needs no hosts") {
        const auto none = parse_sts_policy("version: STSv1\nmode: none\nmax_age: 86400\n");
        REQUIRE(none);
        CHECK(none->mode == StsPolicy::Mode::none);
    }
    SECTION("nothing holds for longer than a year") {
        const auto eternal =
            parse_sts_policy("version: STSv1\nmode: enforce\nmx: a.example\nmax_age: 9999999999\n");
        REQUIRE(eternal);
        CHECK(eternal->max_age == 31557600s);
    }
}

TEST_CASE("what is no MTA-STS policy", "[mta_sts]") {
    const std::string rest = "mode: enforce\nmx: a.example\nmax_age: 60\n", whole = "version: STSv1\n" + rest;
    REQUIRE(parse_sts_policy(whole));
    std::string many = "version: STSv1\nmode: enforce\nmax_age: 60\n";
    for (int i = 0; i < 100; ++i) many += "mx: a.example\n";
    REQUIRE(parse_sts_policy(many));
    const std::vector<std::pair<std::string, std::string>> bad = {
        {"", "version"},
        {rest, "version"},
        {"version: STSv2\n" + rest, "version"},
        {"version: stsv1\n" + rest, "version"},
        {"Version: STSv1\n" + rest, "version"},
        {"version: STSv1\nmode: Enforce\nmx: a.example\nmax_age: 60\n", "mode"},
        {"version: STSv1\nmx: a.example\nmax_age: 60\n", "mode"},
        {"version: STSv1\nmode: enforce\nmx: a.example\n", "max_age"},
        {"version: STSv1\nmode: enforce\nmx: a.example\nmax_age: -1\n", "max_age"},
        {"version: STSv1\nmode: enforce\nmx: a.example\nmax_age: 1e3\n", "max_age"},
        {"version: STSv1\nmode: enforce\nmx: a.example\nmax_age: 12345678901\n", "max_age"},
        {"version: STSv1\nmode: enforce\nmax_age: 60\n", "mx"},
        {"version: STSv1\nmode: testing\nmax_age: 60\n", "mx"},
        {whole + "mx: *\n", "mx"},
        {whole + "mx: *.\n", "mx"},
        {whole + "mx: a.*.example\n", "mx"},
        {whole + "mx: .example\n", "mx"},
        {whole + "mx: a.example b.example\n", "mx"},
        {whole + "mx: [192.0.2.1]\n", "mx"},
        {whole + "mx:\n", "mx"},
        {many + "mx: a.example\n", "more than 100"},
        {whole + "<html>\n", "no field"},
        {whole + "a key: 1\n", "no field"},
        {whole + std::string("\0: 1\n", 5), "no field"},
        {whole + std::string(64 << 10, '\n'), "64 KiB"},
    };
    for (const auto& [body, word] : bad) {
        CAPTURE(body.substr(0, 200));
        const auto policy = parse_sts_policy(body);
        REQUIRE_FALSE(policy);
        CHECK(policy.error().find(word) != std::string::npos);
    }
}

TEST_CASE("the reply of a policy host", "[mta_sts]") {
    postern::base::HttpMessage reply;
    reply.status = 200;
    reply.content_type = "text/plain";
    reply.body = "version: STSv1";
    CHECK(sts_reply(reply) == "version: STSv1");
    const auto fault = [](auto message) { return sts_reply(std::move(message)).error(); };
    for (int status : {201, 204, 206, 301, 304, 404, 503}) {
        auto other = reply;
        other.status = status;
        CHECK(fault(other) == "answers " + std::to_string(status));
    }
    for (const char* type : {"", "text/html", "text/plainer", "application/octet-stream"}) {
        auto other = reply;
        other.content_type = type;
        CHECK(fault(other) == "answers with another type of content than text/plain");
    }
    reply.content_encoding = "gzip";
    CHECK(fault(reply) == "answers with compressed content");
    reply.content_encoding.clear();
    reply.body.clear();
    CHECK(fault(reply) == "answers with an empty policy");
}

TEST_CASE("hosts an MTA-STS policy allows", "[mta_sts]") {
    StsPolicy policy;
    policy.patterns = {"mail.example.com", "*.example.net"};
    for (const char* good : {"mail.example.com", "mx1.example.net", "*.example.net"}) {
        CAPTURE(good);
        CHECK(sts_allows(policy, good));
    }
    for (const char* bad :
         {"", "example.com", "mx.example.com", "a.mail.example.com", "example.net", ".example.net",
          "a.b.example.net", "badexample.net", "mx1.example.net.evil.example", "mail.example.com."}) {
        CAPTURE(bad);
        CHECK_FALSE(sts_allows(policy, bad));
    }
    policy.patterns.clear();
    CHECK_FALSE(sts_allows(policy, "mail.example.com"));
}
