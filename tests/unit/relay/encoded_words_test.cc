#include "relay/mail/encoded_words.h"

#include <catch2/catch.hpp>
#include <random>

using namespace postern::relay;

TEST_CASE("encoded words are read as they were meant") {
    CHECK(decoded_words("plain = text ?=") == "plain = text ?=");
    CHECK(decoded_words("=?UTF-8?B?R3LDvMOfZQ==?= an alle") == "Grüße an alle");
    CHECK(decoded_words("=?utf-8?q?Gr=C3=BC=C3=9Fe_an?= =?utf-8?Q?_alle?=") == "Grüße an alle");
    CHECK(decoded_words("=?ISO-8859-1?Q?Andr=E9?= x") == "André x");
    CHECK(decoded_words("=?us-ascii*en?q?hello?= \t =?us-ascii?b?IQ==?=") == "hello!");
    CHECK(decoded_words("a =?utf-8?q?b?= c =?utf-8?q?d?=") == "a b c d");
}

TEST_CASE("what is no encoded word, or none that can be read, stays") {
    for (const char* text : {"=?", "=?utf-8", "=?utf-8?b?", "=?utf-8?b?!!?=", "=?utf-8?x?abc?=",
                             "=?koi8-r?b?8w==?=", "=?utf-8?q?=4?=", "=?utf-8?q?=ZZ?=", "=??q?a?=", ""})
        CHECK(decoded_words(text) == text);
}

TEST_CASE("no octets at all do any harm") {
    std::mt19937 random(1);
    const std::string some = "=?utf-8QqBb_ =ABC19\xff\t?=";
    for (int round = 0; round < 20'000; ++round) {
        std::string text;
        for (int at = 0; at < 40; ++at) text += some[random() % some.size()];
        CHECK(decoded_words(text).size() <= 2 * text.size());
    }
}
