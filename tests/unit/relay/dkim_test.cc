// Canonical forms, whose mail it is, keys and their records. That others verify the signatures is shown by
// scenario.dkim.
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <string>

#include "relay/signing/author.h"
#include "relay/signing/canonical.h"
#include "relay/signing/keyring.h"
#include "relay/signing/signer.h"
#include "tests/unit/relay/folder.h"

using namespace postern::relay;
using namespace postern::tests;

namespace {

/// In pieces of this many octets, and of one.
std::string relaxed(std::string_view body) {
    std::string out;
    for (std::size_t size = 1; size <= body.size() + 1; ++size) {
        RelaxedBody form;
        std::string one;
        for (std::size_t at = 0; at < body.size(); at += size) form.add(body.substr(at, size), one);
        form.end(one);
        if (size > 1) REQUIRE(one == out);
        out = one;
    }
    return out;
}

// RFC 8463, appendix A.2.
constexpr const char* rfc8463_ed25519 =
    "-----BEGIN PRIVATE KEY-----\n"
    "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"
    "-----END PRIVATE KEY-----\n";

Keyring keyring(std::initializer_list<const char*> domains) {
    Keyring::Keys keys;
    for (const char* domain : domains) keys.push_back({domain, "s", *DkimKey::parse(rfc8463_ed25519), {}});
    return Keyring(std::move(keys));
}

/// Which domain signs, "" for none.
std::string signs(const Keyring& keys, const std::string& header, const Address& reverse_path) {
    const auto* found = keys_for(keys, header, reverse_path);
    return found == nullptr ? "" : found->front().domain;
}

void put(const std::filesystem::path& file, std::string_view text) {
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
}

}  // namespace

TEST_CASE("a header field in its relaxed form", "[dkim]") {
    // RFC 6376 §3.4.5
    CHECK(relaxed_field("A: X\r\n") == "a:X");
    CHECK(relaxed_field("B : Y\t\r\n\tZ  \r\n") == "b:Y Z");
    CHECK(relaxed_field("Subject:\r\n \r\n  x") == "subject:x");
    CHECK(relaxed_field("Empty:\r\n") == "empty:");
    CHECK(relaxed_field("Subject: gr\xc3\xbc\xc3\x9f") == "subject:gr\xc3\xbc\xc3\x9f");
}

TEST_CASE("a body in its relaxed form, however it is cut", "[dkim]") {
    CHECK(relaxed(" C \r\nD \t E\r\n\r\n\r\n") == " C\r\nD E\r\n");  // RFC 6376 §3.4.5
    CHECK(relaxed("") == "");
    CHECK(relaxed("\r\n\r\n") == "");
    CHECK(relaxed(" \t\r\n \r\n") == "");
    CHECK(relaxed("a") == "a\r\n");
    CHECK(relaxed("a\r\n \r\nb") == "a\r\n\r\nb\r\n");
    CHECK(relaxed("a \r b\r\n") == "a \r b\r\n");
    CHECK(relaxed("\r\na\t\t\tb") == "\r\na b\r\n");
}

TEST_CASE("whose mail it is", "[dkim]") {
    CHECK(author_domain("alice@Example.COM") == "example.com");
    CHECK(author_domain("Alice <alice@example.com>") == "example.com");
    CHECK(author_domain("\"a@evil.example, <b@evil.example>\" <alice@example.com>") == "example.com");
    CHECK(author_domain("(x@evil.example (nested) \\) ) alice@example.com (y@evil.example)") ==
          "example.com");
    CHECK(author_domain("alice@example.com, bob@other.example") == "example.com");
    CHECK(author_domain("Team: alice@example.com, bob@other.example;") == "example.com");
    CHECK(author_domain("\"odd@local\"@example.com") == "example.com");
    CHECK(author_domain("b\xc3\xbc"
                        "cher <a@b\xc3\xbc"
                        "cher.example>") == "xn--bcher-kva.example");
    for (const char* none : {"", "alice", "<>", "alice@", "alice@[192.0.2.1]", "\"", "(", "<@", "a@b c"})
        CHECK(author_domain(none).empty());
}

TEST_CASE("nobody signs for a domain that the sender is not of", "[dkim]") {
    const auto keys = keyring({"example.com", "other.example"});
    const Address alice{"alice", "example.com"}, mallory{"mallory", "other.example"}, nobody{};
    const std::string from = "From: Alice <alice@example.com>\r\n", rest = "Subject: x\r\n";
    CHECK(signs(keys, from + rest, alice) == "example.com");
    CHECK(signs(keys, from + rest, {"alice", "EXAMPLE.com"}) == "example.com");
    CHECK(signs(keys, from + rest, {"bounces", "news.example.com"}) == "example.com");
    CHECK(signs(keys, "From: a@news.example.com\r\n", alice) == "example.com");
    CHECK(signs(keys, from + rest, nobody).empty());
    const auto tenants = keyring({"host.example"});
    CHECK(signs(tenants, "From: x@a.host.example\r\n", {"x", "a.host.example"}) == "host.example");
    CHECK(signs(tenants, "From: x@b.host.example\r\n", {"x", "a.host.example"}).empty());
    CHECK(signs(keyring({"a.example"}), "From: x@a.example\r\n", {"x", "example"}).empty());
    CHECK(signs(keys, from + rest, mallory) == "other.example");
    CHECK(signs(keys, from + rest, {"x", "else.example"}).empty());
    CHECK(signs(keys, "From: x@else.example\r\n", alice) == "example.com");  // a list's, a forwarder's
    CHECK(signs(keys, "From: x@notexample.com\r\n", {"x", "notexample.com"}).empty());
    CHECK(signs(keys, rest, alice).empty());                // without an author
    CHECK(signs(keys, from + from + rest, alice).empty());  // with two
    const std::string signed_already = "DKIM-Signature: v=1; a=rsa-sha256;\r\n d = Example.com; s=x\r\n";
    CHECK(signs(keys, signed_already + from, alice).empty());
    CHECK(signs(keys, "DKIM-Signature: d=else.example\r\n" + from, alice) == "example.com");
}

TEST_CASE("a key and its record", "[dkim]") {
    const auto key = DkimKey::parse(rfc8463_ed25519);
    REQUIRE(key);
    CHECK(key->record() == "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=");
    const std::string p = "p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
    CHECK(key->differs(key->record()).empty());
    CHECK(key->differs("k=ed25519;" + p.substr(0, 10) + " \t " + p.substr(10)).empty());
    CHECK(key->differs("v=DKIM1; k=ed25519; p=").find("revoked") != std::string::npos);
    CHECK(key->differs("v=DKIM1; k=rsa; " + p) == "has another key");
    CHECK(key->differs("v=DKIM2; k=ed25519; " + p) == "is no record of DKIM");
    CHECK(key->differs("v=DKIM1; k=ed25519; h=sha1; " + p).find("h=") != std::string::npos);
    CHECK(key->differs("v=DKIM1; k=ed25519; s=other; " + p).find("s=") != std::string::npos);
    CHECK(key->differs("v=spf1 -all") == "is no record of DKIM");
    CHECK(key->differs("").find("no key") != std::string::npos);
    const auto made = DkimKey::make(DkimKey::Kind::rsa);
    CHECK(made.bits() == 2048);
    const auto again = DkimKey::parse(made.pem().text());
    REQUIRE(again);
    CHECK(again->record() == made.record());
    CHECK(again->sign("x") == made.sign("x"));
}

TEST_CASE("what is no key is told in words", "[dkim]") {
    const auto why = [](std::string_view pem) {
        const auto key = DkimKey::parse(pem);
        REQUIRE_FALSE(key);
        return key.error();
    };
    CHECK(why("").find("no private key") != std::string::npos);
    CHECK(why("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n").find("no private key") !=
          std::string::npos);
    CHECK(why("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
              "MIGbMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAgxAAAAAAAAAAICCAAw\n"
              "DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEDAAAAAAAAAAAAAAAAAAAAAEQAAA\n"
              "-----END ENCRYPTED PRIVATE KEY-----\n")
              .find("private key") != std::string::npos);
}

TEST_CASE("keys lie in a folder for each domain", "[dkim]") {
    const Folder folder;
    put(folder.path() / "example.com/s2026.pem", rfc8463_ed25519);
    put(folder.path() / "example.com/S2027.pem", rfc8463_ed25519);
    put(folder.path() / "example.com/README", "no key");
    put(folder.path() / ".git/x.pem", "no key");
    put(folder.path() / "notes", "no key");
    const auto keys = load_keyring(folder.path());
    CHECK(keys->all().size() == 2);
    REQUIRE(keys->of("mail.example.com") != nullptr);
    CHECK(keys->of("mail.example.com")->at(0).name() == "s2027._domainkey.example.com");
    CHECK(keys->of("com") == nullptr);
    CHECK(keys->of("") == nullptr);
    CHECK(load_keyring(folder.path() / "missing")->empty());
    CHECK(load_keyring("")->empty());
    put(folder.path() / "example.com/a_b.pem", rfc8463_ed25519);
    put(folder.path() / "EXAMPLE.com/s2026.pem", rfc8463_ed25519);
    put(folder.path() / "not a domain/x.pem", rfc8463_ed25519);
    put(folder.path() / "example.org/x.pem", "junk");
    const auto read = Keyring::read(folder.path());
    CHECK(read.keys.size() == 2);
    CHECK(read.faults.size() == 4);
    for (const auto& fault : read.faults) CHECK(fault.text.find(fault.file.string()) != std::string::npos);
    CHECK_THROWS_WITH(load_keyring(folder.path()), Catch::StartsWith("dkim.keys: "));
}

TEST_CASE("a signature is the same however the content is cut, and names what it covers", "[dkim]") {
    const auto keys = keyring({"example.com"});
    const Address alice{"alice", "example.com"};
    const std::string content =
        "From: alice@example.com\r\nTo: bob@dest.example\r\nSubject: x\r\nReceived: y\r\n\r\n"
        "Hello.\r\n";
    const Time now(std::chrono::seconds(1'700'000'000));
    std::string all;
    for (std::size_t size = content.size(); size > 0; --size) {
        Signer signer(keys, alice);
        for (std::size_t at = 0; at < content.size(); at += size)
            REQUIRE(signer.add(std::string_view(content).substr(at, size)));
        const auto made = signer.finish(now);
        CHECK(made.names == std::vector<std::string>{"s._domainkey.example.com"});
        if (!all.empty()) REQUIRE(made.fields == all);
        all = made.fields;
    }
    CHECK(all.starts_with("DKIM-Signature: v=1; a=ed25519-sha256;"));
    CHECK(all.ends_with("\r\n"));
    const std::string unfolded = relaxed_field(all);
    CHECK(unfolded.find("h=from: from: reply-to: subject: subject: to: to: cc;") != std::string::npos);
    CHECK(unfolded.find(" t=1700000000;") != std::string::npos);
    for (std::size_t begin = 0; begin < all.size();) {
        const std::size_t end = all.find("\r\n", begin);
        CHECK(end - begin <= 78);
        begin = end + 2;
    }
    Signer none(keys, {"x", "else.example"});
    CHECK_FALSE(none.add(content));
    CHECK(none.finish(now).fields.empty());
    Signer endless(keys, alice);
    CHECK_FALSE(endless.add("From: alice@example.com\r\nX: " + std::string(100'000, 'x')));
    CHECK(endless.finish(now).fields.empty());
    Signer bare(keys, alice);
    CHECK(bare.add("From: alice@example.com\r\n"));
    CHECK_FALSE(bare.finish(now).fields.empty());
}
