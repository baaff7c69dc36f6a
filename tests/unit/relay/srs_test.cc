#include "relay/mail/srs.h"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <string>

#include "relay/reception/srs_secret.h"
#include "sync/base/ascii.h"
#include "tests/unit/power_cut.h"
#include "tests/unit/relay/folder.h"

using namespace postern::relay;
using namespace postern::tests;
using namespace std::chrono_literals;
using Fault = Srs::Fault;

namespace {

const std::string secret = "0123456789abcdef0123456789abcdef";
const Srs ours(secret, "GW.example");
const Time now = Time(std::chrono::seconds(1'700'000'000));
constexpr auto day = std::chrono::hours(24);

Address rewritten(const Srs& srs, const Address& sender) {
    auto out = srs.rewrite(sender, now);
    REQUIRE(out);
    REQUIRE(parse_address(out->text()) == out);
    return *out;
}

std::string upper(std::string text) {
    for (char& c : text)
        if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    return text;
}

}  // namespace

TEST_CASE("a rewritten path leads back to where it came from", "[srs]") {
    for (const char* text : {"bob@origin.example", "b.o+b=x=y@origin.example", "\"odd box\"@origin.example",
                             "\"a\\\"b\"@origin.example", "bob@[192.0.2.1]", "bob@[ipv6:2001:db8::1]",
                             "m\xc3\xbc@origin.example", "Bob-SRS0=x@origin.example", "srs0@origin.example",
                             "SRS0x@origin.example", "\"\"@origin.example"}) {
        CAPTURE(text);
        Address sender = *parse_address(text);
        Address path = rewritten(ours, sender);
        CHECK(path.domain == "gw.example");
        CHECK(path.mailbox().starts_with("SRS0="));
        auto back = ours.reverse(path, now);
        CHECK(back.fault == Fault::none);
        CHECK(back.address == sender);
    }
    std::string plain = rewritten(ours, {"bob", "origin.example"}).local;
    CHECK(plain.ends_with("=origin.example=bob"));
    CHECK(plain.size() == std::string("SRS0=hhhhhhhhhhhh=dd=origin.example=bob").size());
}

TEST_CASE("hosts on the way may change case", "[srs]") {
    Address path = rewritten(ours, {"bob", "origin.example"});
    for (const auto& local : {upper(path.local), postern::base::lower(path.local)}) {
        auto back = ours.reverse({local, "gw.example"}, now);
        CHECK(back.fault == Fault::none);
        CHECK(postern::base::lower(back.address.text()) == "bob@origin.example");
    }
}

TEST_CASE("what others have rewritten stays short and leads back to the first of them", "[srs]") {
    const Srs first("first's secret is that", "first.example"),
        second("second's secret is that", "second.example");
    Address origin{"bob", "origin.example"};
    Address at_first = rewritten(first, origin), at_second = rewritten(second, at_first);
    CHECK(at_second.local.starts_with("SRS1="));
    CHECK(at_second.local.find("=first.example==") != std::string::npos);
    Address here = rewritten(ours, at_second);
    CHECK(here.local.starts_with("SRS1="));
    CHECK(here.local.find("second.example") == std::string::npos);
    CHECK(here.local.size() == at_second.local.size());

    auto back = ours.reverse(here, now);
    REQUIRE(back.fault == Fault::none);
    CHECK(back.address == at_first);
    CHECK(first.reverse(back.address, now).address == origin);

    for (const char* separator : {"+", "-", "="}) {
        Address foreign{std::string("SRS0") + separator + "HHHH=TT=o.example=bob", "other.example"};
        auto reversed = ours.reverse(rewritten(ours, foreign), now);
        CHECK(reversed.fault == Fault::none);
        CHECK(reversed.address == foreign);
        Address again{std::string("SRS1") + separator + "HHHH=far.example=+HHHH=TT=o.example=bob",
                      "other.example"};
        reversed = ours.reverse(rewritten(ours, again), now);
        CHECK(reversed.fault == Fault::none);
        CHECK(reversed.address == Address{"SRS0+HHHH=TT=o.example=bob", "far.example"});
    }
    // What only looks like one is an address like any other, and reports must come back to it.
    for (const char* other : {"SRS1=h", "SRS1=h=", "SRS1=h=bad host=x", "SRS1==", "SRS1=",
                              "srs1=7g4y=6ppn=3g=brokers.example=a.person", "SRS1=h=host.example=x"}) {
        CAPTURE(other);
        Address theirs{quoted_local_part(other), "relay.example"};
        Address wrapped = rewritten(ours, theirs);
        CHECK(wrapped.mailbox().starts_with("SRS0="));
        auto unwrapped = ours.reverse(wrapped, now);
        CHECK(unwrapped.fault == Fault::none);
        CHECK(unwrapped.address == theirs);
    }
}

TEST_CASE("what is not rewritten", "[srs]") {
    CHECK_FALSE(ours.rewrite(Address(), now));
    CHECK_FALSE(ours.rewrite({"bob", "gw.example"}, now));
    CHECK_FALSE(ours.rewrite({std::string(240, 'l'), "origin.example"}, now));
    CHECK_FALSE(ours.rewrite({"bob", std::string(63, 'a') + '.' + std::string(63, 'b') + '.' +
                                         std::string(63, 'c') + '.' + std::string(60, 'd')},
                             now));
}

TEST_CASE("nothing but what we made is taken", "[srs]") {
    Address path = rewritten(ours, {"bob", "origin.example"});
    auto fault = [](const std::string& local, const std::string& domain = "gw.example") {
        auto out = ours.reverse({local, domain}, now);
        CHECK((out.fault == Fault::none) == !out.address.null());
        return out.fault;
    };
    REQUIRE(fault(path.local) == Fault::none);
    for (std::size_t at = 5; at < path.local.size(); ++at) {
        std::string changed = path.local;
        changed[at] = (changed[at] | 0x20) == 'x' ? 'y' : 'x';
        CAPTURE(changed);
        CHECK(fault(changed) == Fault::forged);
    }
    for (std::size_t length = 5; length < path.local.size(); ++length)
        CHECK(fault(path.local.substr(0, length)) == Fault::forged);
    CHECK(fault(path.local + "x") == Fault::forged);
    for (const char* local : {"SRS0=", "SRS0==", "SRS0====", "SRS0=AAAAAAAA=AA=example.com=alice",
                              "SRS1=", "SRS1==", "SRS1=AAAAAAAA=first.example==x", "srs0+x", "SRS0-",
                              "SRS0==AA=example.com=alice"}) {
        CAPTURE(local);
        CHECK(fault(local) == Fault::forged);
    }
    CHECK(fault(path.local, "other.example") == Fault::not_ours);
    for (const char* local :
         {"alice", "postmaster", "SRS", "SRS0", "SRS1", "SRS2=x", "SRS0x", "xSRS0=a=b=c=d"})
        CHECK(fault(local) == Fault::not_ours);

    const Srs other("another secret, as long", "gw.example");
    CHECK(other.reverse(path, now).fault == Fault::forged);
}

TEST_CASE("a rewritten path expires", "[srs]") {
    Address path = rewritten(ours, {"bob", "origin.example"});
    for (int days : {0, 1, 20, 21}) CHECK(ours.reverse(path, now + days * day).fault == Fault::none);
    for (int days : {22, 23, 100, 1000}) {
        auto out = ours.reverse(path, now + days * day);
        CHECK(out.fault == Fault::expired);
        CHECK(out.address.null());
    }
    CHECK(ours.reverse(path, now - day).fault == Fault::none);
    CHECK(ours.reverse(path, now - 2 * day).fault == Fault::expired);
}

TEST_CASE("the secret is made once", "[srs]") {
    postern::base::SystemDisk disk;
    Folder folder;
    auto file = folder.path() / "srs.secret";
    std::string made = obtain_srs_secret(disk, file);
    CHECK(made.size() == 32);
    CHECK(obtain_srs_secret(disk, file) == made);
    struct stat status {};
    REQUIRE(::stat(file.c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0600);
    CHECK(obtain_srs_secret(disk, folder.path() / "other") != made);

    auto written = [&](const std::string& content) {
        std::ofstream(file, std::ios::binary) << content;
        return obtain_srs_secret(disk, file);
    };
    CHECK(written(std::string(16, 'x')) == std::string(16, 'x'));
    CHECK_THROWS_WITH(written("short"), Catch::Contains("srs.secret"));
    CHECK_THROWS(written(""));
    CHECK_THROWS(written(std::string(5000, 'x')));
    CHECK_THROWS_WITH(obtain_srs_secret(disk, folder.path()), Catch::Contains("Is a directory"));
    CHECK_THROWS_WITH(obtain_srs_secret(disk, folder.path() / "missing" / "srs.secret"),
                      Catch::Contains("missing"));
}

TEST_CASE("a secret that was signed with is there after a power cut", "[srs]") {
    const auto told = [](postern::base::Disk& disk) -> std::string {
        try {
            return obtain_srs_secret(disk, "/state/srs.secret");
        } catch (const std::runtime_error&) {
            return "";
        }
    };
    bool cut = true;
    for (std::size_t steps = 0; cut; ++steps)
        for (unsigned seed = 0; seed < 20; ++seed) {
            CAPTURE(steps, seed);
            MemoryDisk disk;
            CutDisk until(disk, steps, seed);
            const std::string made = told(until);
            cut = until.cut();
            until.power_fails();
            const std::string left = told(disk);
            CHECK(left.size() == 32);
            if (!made.empty()) CHECK(left == made);
        }
}
