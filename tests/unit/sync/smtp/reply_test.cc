#include "sync/smtp/reply.h"

#include <catch2/catch.hpp>
#include <string>

using namespace postern::sync::smtp;
using Step = ReplyReader::Step;

namespace {

Reply read(std::string_view octets) {
    ReplyReader reader;
    REQUIRE(reader.feed(octets) == Step::complete);
    return reader.take();
}

}  // namespace

TEST_CASE("a reply is read however it is cut", "[smtp]") {
    const std::string octets = "250-mx.example greets\r\n250-STARTTLS\r\n250-SIZE 1000\r\n250 SMTPUTF8\r\n";
    for (std::size_t cut = 1; cut < octets.size(); ++cut) {
        CAPTURE(cut);
        ReplyReader reader;
        CHECK(reader.feed(std::string_view(octets).substr(0, cut)) == Step::more);
        REQUIRE(reader.feed(std::string_view(octets).substr(cut)) == Step::complete);
        const Reply reply = reader.take();
        CHECK(reply.code == 250);
        CHECK(reply.offers("STARTTLS"));
        CHECK(reply.offers("starttls"));
        CHECK(reply.offers("SIZE"));
        CHECK_FALSE(reply.offers("GREETS"));
        CHECK(reply.words() == "250 mx.example greets STARTTLS SIZE 1000 SMTPUTF8");
    }
}

TEST_CASE("what is no reply is not read as one", "[smtp]") {
    for (const std::string octets :
         {"HTTP/1.1 400 Bad Request\r\n", "25\r\n", "250_ok\r\n", "250-a\r\n550 b\r\n", "150 x\r\n",
          "650 x\r\n", "\r\n", "250 ok\r\n250 and more\r\n"}) {
        CAPTURE(octets);
        ReplyReader reader;
        CHECK(reader.feed(octets) == Step::malformed);
        CHECK(reader.feed("250 ok\r\n") == Step::malformed);
    }
    std::string line = "250 " + std::string(ReplyReader::longest_line - 4, 'x');
    CHECK(ReplyReader().feed(line) == Step::more);
    CHECK(ReplyReader().feed(line + "x") == Step::malformed);
    std::string lines;
    for (std::size_t i = 1; i < ReplyReader::most_lines; ++i) lines += "250-x\r\n";
    CHECK(ReplyReader().feed(lines + "250 x\r\n") == Step::complete);
    CHECK(ReplyReader().feed(lines + "250-x\r\n250 x\r\n") == Step::malformed);
}

TEST_CASE("what an answer to RCPT says of the address", "[smtp]") {
    using E = Existence;
    struct Row {
        const char* reply;
        Existence says;
    };
    const Row rows[] = {
        {"250 2.1.5 Ok", E::exists},
        {"251 User not local; will forward", E::exists},
        {"252 cannot say, will try", E::exists},
        {"550 5.1.1 <x@a.example>: Recipient address rejected: User unknown in virtual mailbox table",
         E::absent},
        {"550 No such user here", E::absent},
        {"551 User not local", E::absent},
        {"553 no such mailbox", E::absent},
        {"550 5.1.10 RESOLVER.ADR.RecipientNotFound; not found", E::absent},
        {"550 5.1.6 moved, left no address", E::absent},
        {"554 5.1.1 nobody", E::absent},
        {"552 5.2.2 mailbox full", E::exists},
        {"452 4.2.2 mailbox full", E::exists},
        {"550 5.2.1 mailbox disabled", E::unknown},
        {"550 5.7.1 relaying denied", E::unknown},
        {"550 5.4.1 Recipient address rejected: Access denied", E::unknown},
        {"550 5.1.2 bad destination system", E::unknown},
        {"550 5.1.8 sender rejected", E::unknown},
        {"550 4.1.1 of another class than its code", E::absent},  // then its code alone counts
        {"550 relay not permitted", E::unknown},
        {"550 you are on a blacklist", E::unknown},
        {"553 sorry, that domain is blocked", E::unknown},
        {"554 transaction failed", E::unknown},
        {"552 too large", E::unknown},
        {"501 syntax", E::unknown},
        {"503 wrong order", E::unknown},
        {"530 5.7.0 Must issue a STARTTLS command first", E::unknown},
        {"450 4.2.0 greylisted", E::unknown},
        {"451 4.1.1 address could not be verified now", E::unknown},
        {"421 4.3.2 closing", E::unknown},
        {"354 go ahead", E::unknown},
    };
    for (const Row& row : rows) {
        CAPTURE(row.reply);
        CHECK(judge(read(std::string(row.reply) + "\r\n")) == row.says);
    }
}

TEST_CASE("an address as it stands in a command", "[smtp]") {
    CHECK(path("ann", "a.example") == "<ann@a.example>");
    CHECK(path("first.last", "a.example") == "<first.last@a.example>");
    CHECK(path("o'brien+x", "a.example") == "<o'brien+x@a.example>");
    CHECK(path("two words", "a.example") == "<\"two words\"@a.example>");
    CHECK(path(".ann", "a.example") == "<\".ann\"@a.example>");
    CHECK(path("a\"b\\c>", "a.example") == "<\"a\\\"b\\\\c>\"@a.example>");
    CHECK(path("", "a.example").empty());
    CHECK(path("ann\r\nDATA", "a.example").empty());
    CHECK(path("ann", "a.example>\r\nDATA").empty());
    CHECK(path("\xc3\xa4nn", "a.example").empty());
    CHECK(path(std::string(64, 'x'), "a.example") != "");
    CHECK(path(std::string(65, 'x'), "a.example").empty());
}
