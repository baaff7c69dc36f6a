#include "relay/delivery/sasl.h"

#include <catch2/catch.hpp>

#include "sync/base/encoding.h"

using namespace postern::relay;

namespace {

using postern::base::base64;

// RFC 7677 §3
const std::string nonce = "rOprNGfwEbeRWgbNEkqO", both = nonce + "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
const std::string server_first = "r=" + both + ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
const std::string proof = "c=biws,r=" + both + ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
const std::string server_final = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

}  // namespace

TEST_CASE("the strongest mechanism on offer is taken", "[sasl]") {
    CHECK(choose_mechanism({"LOGIN", "plain", "Cram-MD5", "GSSAPI", "scram-sha-256"}) == "SCRAM-SHA-256");
    CHECK(choose_mechanism({"LOGIN", "PLAIN", "CRAM-MD5"}) == "CRAM-MD5");
    CHECK(choose_mechanism({"LOGIN", "PLAIN"}) == "PLAIN");
    CHECK(choose_mechanism({"login"}) == "LOGIN");
    CHECK_FALSE(choose_mechanism({}));
    CHECK_FALSE(choose_mechanism({"", "GSSAPI", "XOAUTH2", "SCRAM-SHA-256-PLUS", "PLAINER", "PLAI"}));
}

TEST_CASE("PLAIN is one command", "[sasl]") {
    Sasl sasl("PLAIN", "tim", "tanstaaftanstaaf");
    CHECK(sasl.start() == "AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm");
    CHECK(sasl.finished("2.7.0 ok"));
    CHECK_FALSE(sasl.respond(""));
    CHECK_FALSE(sasl.finished("2.7.0 ok"));
}

TEST_CASE("LOGIN answers two prompts, whatever they say", "[sasl]") {
    Sasl sasl("LOGIN", "j\xc3\xb6rg", "s3cret");
    CHECK(sasl.start() == "AUTH LOGIN");
    CHECK_FALSE(sasl.finished(""));
    CHECK(sasl.respond("VXNlcm5hbWU6") == base64("j\xc3\xb6rg"));
    CHECK_FALSE(sasl.finished(""));
    CHECK(sasl.respond("Password, please") == base64("s3cret"));
    CHECK(sasl.finished(""));
    CHECK_FALSE(sasl.respond("VXNlcm5hbWU6"));
    CHECK_FALSE(sasl.finished(""));
}

TEST_CASE("CRAM-MD5 with the example of RFC 2195", "[sasl]") {
    Sasl sasl("CRAM-MD5", "tim", "tanstaaftanstaaf");
    CHECK(sasl.start() == "AUTH CRAM-MD5");
    CHECK_FALSE(sasl.finished(""));
    const auto answer = sasl.respond(base64("<1896.697170952@postoffice.reston.mci.net>"));
    REQUIRE(answer);
    CHECK(*answer == base64("tim b913a602c7eda7a495b4e6e7334d3890"));
    CHECK(sasl.finished(""));
    CHECK_FALSE(sasl.respond(base64("<2@x>")));
}

TEST_CASE("CRAM-MD5 challenges that are none", "[sasl]") {
    for (const char* bad :
         {"", "!!!!", "YQ", "YQ=", "Y===", "=YQ=", "YQ==YQ==", "YQ==\r\n", " YWJj", "YW Jj"}) {
        CAPTURE(bad);
        Sasl sasl("CRAM-MD5", "tim", "tanstaaftanstaaf");
        CHECK_FALSE(sasl.respond(bad));
    }
    Sasl sasl("CRAM-MD5", "tim", "tanstaaftanstaaf");
    const auto answer = sasl.respond(std::string(8196, 'A'));
    REQUIRE_FALSE(answer);
    CHECK(answer.error().find("too long") != std::string::npos);
}

TEST_CASE("SCRAM-SHA-256 with the example of RFC 7677", "[sasl]") {
    Sasl sasl("SCRAM-SHA-256", "user", "pencil", nonce);
    CHECK(sasl.start() == "AUTH SCRAM-SHA-256 " + base64("n,,n=user,r=" + nonce));
    CHECK_FALSE(sasl.finished("ok"));
    const auto answer = sasl.respond(base64(server_first));
    REQUIRE(answer);
    CHECK(*answer == base64(proof));
    SECTION("the signature comes in a 334") {
        CHECK(sasl.respond(base64(server_final)) == "");
        CHECK(sasl.finished("2.7.0 Authentication successful"));
        CHECK_FALSE(sasl.respond(base64(server_final)));
    }
    SECTION("the signature comes with the 235") { CHECK(sasl.finished("2.7.0 " + base64(server_final))); }
    SECTION("no signature") {
        CHECK_FALSE(sasl.finished("2.7.0 Authentication successful"));
        CHECK_FALSE(sasl.finished(""));
    }
    SECTION("a wrong signature") {
        for (const std::string& bad :
             {std::string("v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="), std::string("v="),
              std::string("v=6rri"), std::string("e=invalid-proof"), std::string(), server_final + "=",
              "x=1," + server_final}) {
            CAPTURE(bad);
            Sasl again("SCRAM-SHA-256", "user", "pencil", nonce);
            REQUIRE(again.respond(base64(server_first)));
            CHECK_FALSE(again.finished(base64(bad)));
            CHECK_FALSE(again.respond(base64(bad)));
            CHECK_FALSE(again.finished(base64(server_final)));
        }
    }
}

TEST_CASE("SCRAM writes names with commas and equal signs in its own way, and nonces that differ", "[sasl]") {
    Sasl sasl("SCRAM-SHA-256", "a,b=c", "x", nonce);
    CHECK(sasl.start() == "AUTH SCRAM-SHA-256 " + base64("n,,n=a=2Cb=3Dc,r=" + nonce));
    CHECK(Sasl("SCRAM-SHA-256", "a", "x").start() != Sasl("SCRAM-SHA-256", "a", "x").start());
}

TEST_CASE("SCRAM servers that are not to be trusted", "[sasl]") {
    const std::string salt = ",s=W22ZaJ0SNY7soEsUEjb6gQ==";
    const std::vector<std::pair<std::string, std::string>> bad = {
        {"", "cannot be read"},
        {"r=" + both, "cannot be read"},
        {"r=" + both + salt, "cannot be read"},
        {"r=" + both + ",i=4096" + salt, "cannot be read"},
        {"m=x,r=" + both + salt + ",i=4096", "cannot be read"},
        {"e=other-error", "cannot be read"},
        {"r=" + nonce + salt + ",i=4096", "nonce"},
        {"r=" + nonce.substr(1) + "abc" + salt + ",i=4096", "nonce"},
        {"r=" + salt + ",i=4096", "nonce"},
        {"r=" + both + ",s=,i=4096", "salt"},
        {"r=" + both + ",s=!!!!,i=4096", "salt"},
        {"r=" + both + ",s=" + std::string(1368, 'A') + ",i=4096", "salt"},
        {"r=" + both + salt + ",i=0", "iteration"},
        {"r=" + both + salt + ",i=-1", "iteration"},
        {"r=" + both + salt + ",i=", "iteration"},
        {"r=" + both + salt + ",i=4096x", "iteration"},
        {"r=" + both + salt + ",i=1000001", "iteration"},
        {"r=" + both + salt + ",i=4294967297", "iteration"},
    };
    for (const auto& [message, word] : bad) {
        CAPTURE(message);
        Sasl sasl("SCRAM-SHA-256", "user", "pencil", nonce);
        const auto answer = sasl.respond(base64(message));
        REQUIRE_FALSE(answer);
        CHECK(answer.error().find(word) != std::string::npos);
        CHECK(answer.error().find("pencil") == std::string::npos);
        CHECK_FALSE(sasl.finished(base64(server_final)));
    }
}

TEST_CASE("credentials with control characters are not sent", "[sasl]") {
    for (const std::string& bad :
         {std::string("a\0b", 3), std::string("a\r\nb"), std::string("\x7f"), std::string(1001, 'x')})
        for (const char* mechanism : {"PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256"}) {
            Sasl user(mechanism, bad, "x"), password(mechanism, "x", bad);
            for (Sasl* sasl : {&user, &password}) {
                CHECK(sasl->start() == std::string("AUTH ") + mechanism);
                CHECK_FALSE(sasl->respond("YQ=="));
                CHECK_FALSE(sasl->finished(""));
            }
        }
}
