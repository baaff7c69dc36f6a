#include "relay/reception/protocol.h"

#include <catch2/catch.hpp>
#include <string>

using namespace postern::relay;
using Action = ServerProtocol::Action;

namespace {

ProtocolOptions options() {
    ProtocolOptions out;
    out.hostname = "gw.example";
    out.message_size = 1000;
    out.recipients = 3;
    out.protocol_errors = 4;
    out.offer_starttls = true;
    return out;
}

const Reply yes{250, {2, 1, 0}, "ok"}, no{550, {5, 7, 1}, "no"};

/// Says `line` and lets everything that is asked be granted; gives the code that goes out.
unsigned say(ServerProtocol& server, std::string_view line) {
    auto step = server.line(line);
    switch (step.action) {
        case Action::reply:
        case Action::close: return step.answer.reply.code;
        case Action::ask_sender: server.sender(yes); return yes.code;
        case Action::ask_recipient: server.recipient(yes); return yes.code;
        case Action::ask_data: return server.data(yes).code;
        case Action::start_tls: server.secured(); return step.answer.reply.code;
    }
    return 0;
}

ServerProtocol after(std::initializer_list<const char*> lines, ProtocolOptions with = options()) {
    ServerProtocol server(std::move(with), false);
    for (const char* line : lines) REQUIRE(say(server, line) < 400);
    return server;
}

}  // namespace

TEST_CASE("each command in each state", "[protocol]") {
    using Lines = std::initializer_list<const char*>;
    const Lines states[] = {
        {}, {"EHLO c"}, {"EHLO c", "MAIL FROM:<a@b>"}, {"EHLO c", "MAIL FROM:<a@b>", "RCPT TO:<d@e>"}};
    struct Row {
        const char* line;
        unsigned codes[4];  // in the states above
    };
    const Row rows[] = {
        {"EHLO c", {250, 250, 250, 250}},
        {"HELO c", {250, 250, 250, 250}},
        {"MAIL FROM:<a@b>", {503, 250, 503, 503}},
        {"MAIL FROM:<>", {503, 250, 503, 503}},
        {"MAIL FROM:<a@b> SIZE=1000", {503, 250, 503, 503}},
        {"MAIL FROM:<a@b> SIZE=1001", {503, 552, 503, 503}},
        {"MAIL FROM:<a@b> SIZE=18446744073709551615", {503, 552, 503, 503}},
        {"RCPT TO:<d@e>", {503, 503, 250, 250}},
        {"DATA", {503, 503, 554, 354}},
        {"RSET", {250, 250, 250, 250}},
        {"NOOP", {250, 250, 250, 250}},
        {"MAIL FROM:<a@b> REQUIRETLS", {503, 530, 503, 503}},
        {"MAIL FROM:<a@b> SMTPUTF8", {503, 250, 503, 503}},
        {"MAIL FROM:<m\xc3\xbc@b>", {503, 550, 503, 503}},
        {"MAIL FROM:<a@m\xc3\xbc>", {503, 550, 503, 503}},
        {"MAIL FROM:<m\xc3\xbc@b> SMTPUTF8", {503, 250, 503, 503}},
        {"RCPT TO:<m\xc3\xbc@b>", {503, 503, 553, 553}},
        {"RCPT TO:<Postmaster>", {503, 503, 250, 250}},
        {"VRFY m\xc3\xbc", {553, 553, 553, 553}},
        {"VRFY m\xc3\xbc SMTPUTF8", {252, 252, 252, 252}},
        {"VRFY x", {252, 252, 252, 252}},
        {"HELP", {214, 214, 214, 214}},
        {"QUIT", {221, 221, 221, 221}},
        {"STARTTLS", {220, 220, 503, 503}},
        {"STARTTLS now", {501, 501, 501, 501}},
        {"DATA now", {501, 501, 501, 501}},
        {"GET / HTTP/1.1", {421, 421, 421, 421}},
        {"JUNK", {500, 500, 500, 500}},
        {"", {500, 500, 500, 500}},
        {"BDAT 0 LAST", {500, 500, 500, 500}},
    };
    for (const auto& row : rows)
        for (std::size_t at = 0; at < 4; ++at) {
            CAPTURE(row.line, at);
            auto server = after(states[at]);
            CHECK(say(server, row.line) == row.codes[at]);
        }
}

TEST_CASE("a recipient given twice is kept once", "[protocol]") {
    auto roomy = options();
    roomy.recipients = 10;
    auto server = after(
        {"EHLO c", "MAIL FROM:<a@b>", "RCPT TO:<d@e> NOTIFY=NEVER", "RCPT TO:<d@e>", "RCPT TO:<D@e>"}, roomy);
    CHECK(server.envelope().forward_paths == std::vector<Address>{{"d", "e"}, {"D", "e"}});
    REQUIRE(server.envelope().options.size() == 2);
    CHECK(server.envelope().options[0].notify.given);
    CHECK_FALSE(server.envelope().options[1].notify.given);
    const Address origin{"o", "origin.example"};
    for (const char* line : {"RCPT TO:<SRS0=1@e>", "RCPT TO:<SRS0=2@e>"}) {
        CHECK(server.line(line).action == Action::ask_recipient);
        server.recipient(yes, origin);
    }
    CHECK(server.envelope().forward_paths.size() == 3);
    say(server, "RSET");
    for (const char* line : {"MAIL FROM:<a@b>", "RCPT TO:<d@e>"}) CHECK(say(server, line) == 250);
    CHECK(server.envelope().forward_paths.size() == 1);
}

TEST_CASE("EHLO offers what there is", "[protocol]") {
    auto offer = [](ProtocolOptions with, bool secure) {
        return ServerProtocol(std::move(with), secure).line("EHLO c").answer.reply.text;
    };
    CHECK(offer(options(), false) ==
          "gw.example\nPIPELINING\nSIZE 1000\nSTARTTLS\nENHANCEDSTATUSCODES\n8BITMIME\nDSN\nSMTPUTF8");
    CHECK(offer(options(), true) ==
          "gw.example\nPIPELINING\nSIZE 1000\nENHANCEDSTATUSCODES\n8BITMIME\nDSN\nSMTPUTF8\nREQUIRETLS");
    auto plain = options();
    plain.offer_starttls = false;
    CHECK(offer(plain, false).find("STARTTLS") == std::string::npos);
    ServerProtocol helo(options(), false);
    CHECK(helo.line("HELO c").answer.reply.text == "gw.example");
    CHECK_FALSE(helo.extended());
    CHECK(ServerProtocol(options(), false).greeting().code == 220);
    CHECK(ServerProtocol(options(), false).greeting().text.starts_with("gw.example "));
}

TEST_CASE("the envelope holds what was granted and nothing else", "[protocol]") {
    ServerProtocol server(options(), false);
    say(server, "EHLO client");
    auto step = server.line("MAIL FROM:<a@b> BODY=8BITMIME SIZE=77");
    REQUIRE(step.action == Action::ask_sender);
    CHECK(step.address == Address{"a", "b"});
    CHECK(server.declared_size() == 77);
    CHECK_FALSE(server.in_transaction());
    server.sender(yes);
    CHECK(server.in_transaction());
    for (const char* line : {"RCPT TO:<one@x>", "RCPT TO:<two@x>", "RCPT TO:<three@x>"}) {
        step = server.line(line);
        REQUIRE(step.action == Action::ask_recipient);
        server.recipient(step.address.local == "two" ? no : yes);
    }
    CHECK(server.envelope().reverse_path == Address{"a", "b"});
    CHECK(server.envelope().body == BodyType::eight_bit);
    CHECK(server.envelope().forward_paths == std::vector<Address>{{"one", "x"}, {"three", "x"}});
    CHECK(server.helo() == "client");
    CHECK(server.extended());

    ServerProtocol refused(options(), false);
    say(refused, "EHLO client");
    REQUIRE(refused.line("MAIL FROM:<a@b>").action == Action::ask_sender);
    refused.sender(no);
    CHECK_FALSE(refused.in_transaction());
    CHECK(say(refused, "RCPT TO:<a@b>") == 503);
    CHECK(say(refused, "MAIL FROM:<other@b>") == 250);
}

TEST_CASE("what ends a transaction leaves nothing of it", "[protocol]") {
    auto check_empty = [](ServerProtocol& server) {
        CHECK_FALSE(server.in_transaction());
        CHECK(server.envelope().forward_paths.empty());
        CHECK(server.envelope().reverse_path.null());
        CHECK(server.envelope().body == BodyType::seven_bit);
        CHECK(say(server, "RCPT TO:<x@y>") == 503);
        CHECK(say(server, "DATA") == 503);
    };
    auto open = [] { return after({"EHLO c", "MAIL FROM:<a@b> BODY=8BITMIME", "RCPT TO:<d@e>"}); };
    SECTION("the end of data, taken or refused") {
        auto server = open();
        REQUIRE(say(server, "DATA") == 354);
        server.content_done();
        check_empty(server);
        CHECK(say(server, "MAIL FROM:<a@b>") == 250);
        CHECK(say(server, "DATA") == 554);
    }
    SECTION("RSET") {
        auto server = open();
        say(server, "RSET");
        check_empty(server);
        CHECK(server.helo() == "c");
    }
    SECTION("EHLO") {
        auto server = open();
        say(server, "EHLO again");
        check_empty(server);
        CHECK(server.helo() == "again");
    }
    SECTION("HELO") {
        auto server = open();
        say(server, "HELO again");
        check_empty(server);
    }
}

TEST_CASE("STARTTLS forgets all that was said before it", "[protocol]") {
    auto server = after({"EHLO liar"});
    auto step = server.line("STARTTLS");
    REQUIRE(step.action == Action::start_tls);
    CHECK(step.answer.reply.code == 220);
    server.secured();
    CHECK(server.secure());
    CHECK(server.helo().empty());
    CHECK_FALSE(server.extended());
    CHECK(say(server, "MAIL FROM:<a@b>") == 503);
    CHECK(say(server, "EHLO c") == 250);
    CHECK(say(server, "STARTTLS") == 503);

    auto plain = options();
    plain.offer_starttls = false;
    auto without = after({"EHLO c"}, plain);
    CHECK(say(without, "STARTTLS") == 502);
}

TEST_CASE("a listener that requires TLS takes no mail in clear text", "[protocol]") {
    auto with = options();
    with.require_starttls = true;
    auto server = after({"EHLO c", "NOOP"}, with);
    CHECK(say(server, "MAIL FROM:<a@b>") == 530);
    CHECK(say(server, "STARTTLS") == 220);
    CHECK(say(server, "EHLO c") == 250);
    CHECK(say(server, "MAIL FROM:<a@b>") == 250);
}

TEST_CASE("too many errors close the connection", "[protocol]") {
    struct Row {
        const char* name;
        std::vector<std::string> lines;
    };
    const Row rows[] = {{"unknown", {"JUNK"}},   {"bad syntax", {"MAIL FROM:<"}},
                        {"bad order", {"DATA"}}, {"mixed with good ones", {"NOOP", "JUNK", "RSET", "EHLO c"}},
                        {"8-bit", {"\xff\xfe"}}, {"NUL", {std::string(5, '\0')}}};
    for (const auto& row : rows) {
        CAPTURE(row.name);
        ServerProtocol server(options(), false);
        Action last = Action::reply;
        unsigned code = 0;
        for (std::size_t at = 0; at < 100 && last != Action::close; ++at) {
            auto step = server.line(row.lines[at % row.lines.size()]);
            last = step.action;
            code = step.answer.reply.code;
        }
        CHECK(last == Action::close);
        CHECK(code == 421);
    }
    ServerProtocol server(options(), false);
    for (int at = 0; at < 4; ++at) REQUIRE(server.line_too_long().answer.reply.code == 500);
    CHECK(server.line_too_long().action == Action::close);
}

TEST_CASE("recipients beyond the limit are put off, not counted as errors", "[protocol]") {
    auto server = after({"EHLO c", "MAIL FROM:<a@b>", "RCPT TO:<1@x>", "RCPT TO:<2@x>", "RCPT TO:<3@x>"});
    for (int at = 0; at < 20; ++at) {
        auto step = server.line("RCPT TO:<more@x>");
        REQUIRE(step.action == Action::reply);
        REQUIRE(step.answer.reply.code == 452);
        REQUIRE(step.answer.reply.status == EnhancedStatus{4, 5, 3});
    }
    CHECK(server.envelope().forward_paths.size() == 3);
    CHECK(say(server, "DATA") == 354);
}

TEST_CASE("a refused admission gives no 354", "[protocol]") {
    auto server = after({"EHLO c", "MAIL FROM:<a@b>", "RCPT TO:<1@x>"});
    REQUIRE(server.line("DATA").action == Action::ask_data);
    CHECK(server.data(Reply{452, {4, 3, 1}, "no room"}).code == 452);
}

TEST_CASE("a declared size over the limit is told before the sender is judged", "[protocol]") {
    auto server = after({"EHLO c"});
    auto step = server.line("MAIL FROM:<a@b> SIZE=1001");
    CHECK(step.action == Action::reply);
    CHECK(step.answer.reply.code == 552);
    CHECK(step.answer.reply.status == EnhancedStatus{5, 3, 4});
    CHECK_FALSE(server.in_transaction());
    auto unlimited = options();
    unlimited.message_size = 0;
    auto free = after({"EHLO c"}, unlimited);
    CHECK(say(free, "MAIL FROM:<a@b> SIZE=99999999999") == 250);
}

TEST_CASE("what was asked for goes into the envelope", "[protocol]") {
    ServerProtocol server(options(), true);
    say(server, "EHLO c");
    REQUIRE(say(server, "MAIL FROM:<a@b> SMTPUTF8 REQUIRETLS RET=FULL ENVID=x+2By") == 250);
    const Envelope& envelope = server.envelope();
    CHECK(envelope.utf8);
    CHECK(envelope.require_tls);
    CHECK(envelope.return_content == ReturnContent::full);
    CHECK(envelope.envelope_id == "x+2By");
    REQUIRE(say(server, "RCPT TO:<one@x>") == 250);
    CHECK(envelope.options.empty());
    REQUIRE(server.line("RCPT TO:<no@x> NOTIFY=NEVER").action == Action::ask_recipient);
    server.recipient(no);
    CHECK(envelope.options.empty());
    REQUIRE(say(server, "RCPT TO:<m\xc3\xbc@x> NOTIFY=NEVER ORCPT=utf-8;m\xc3\xbc@y") == 250);
    REQUIRE(say(server, "RCPT TO:<three@x>") == 250);
    REQUIRE(envelope.forward_paths.size() == 3);
    REQUIRE(envelope.options.size() == 3);
    CHECK(envelope.options_of(0) == RecipientOptions());
    CHECK(envelope.options_of(1).original == "utf-8;m\\x{FC}@y");
    CHECK(envelope.options_of(1).notify == Notify{true, false, false, false});
    CHECK(envelope.options_of(2) == RecipientOptions());

    REQUIRE(say(server, "RSET") == 250);
    REQUIRE(say(server, "MAIL FROM:<a@b>") == 250);
    CHECK_FALSE((envelope.utf8 || envelope.require_tls));
    CHECK(envelope.envelope_id.empty());
    CHECK(envelope.return_content == ReturnContent::unspecified);
    REQUIRE(say(server, "RCPT TO:<one@x>") == 250);
    CHECK(envelope.options.empty());
    CHECK(say(server, "RCPT TO:<m\xc3\xbc@x>") == 553);
    CHECK(say(server, "RCPT TO:<a@x> ORCPT=utf-8;m\xc3\xbc@y") == 553);
}

TEST_CASE("paths are replaced as whoever decides says", "[protocol]") {
    auto server = after({"EHLO c"});
    REQUIRE(server.line("MAIL FROM:<bob@origin.example>").action == Action::ask_sender);
    server.sender(yes, {"SRS0=x", "gw.example"});
    CHECK(server.envelope().reverse_path == Address{"bob", "origin.example"});
    CHECK(server.envelope().sent_as == Address{"SRS0=x", "gw.example"});
    REQUIRE(server.line("RCPT TO:<SRS0=x@gw.example> NOTIFY=NEVER ORCPT=rfc822;o@p").action ==
            Action::ask_recipient);
    server.recipient(yes, {"bob", "origin.example"});
    CHECK(server.envelope().forward_paths == std::vector<Address>{{"bob", "origin.example"}});
    CHECK(server.envelope().options_of(0).original == "rfc822;o@p");
    CHECK(server.envelope().options_of(0).notify == Notify{true, false, false, false});
    server.content_done();
    REQUIRE(say(server, "MAIL FROM:<a@b>") == 250);
    CHECK(server.envelope().sent_as.null());
}

TEST_CASE("the postmaster is ours", "[protocol]") {
    auto server = after({"EHLO c", "MAIL FROM:<a@b>"});
    auto step = server.line("RCPT TO:<Postmaster>");
    REQUIRE(step.action == Action::ask_recipient);
    CHECK(step.address == Address{"Postmaster", "gw.example"});
    server.recipient(yes);
    CHECK(server.envelope().forward_paths == std::vector<Address>{{"Postmaster", "gw.example"}});
}

TEST_CASE("an envelope takes so much memory and no more, whatever recipients are called", "[protocol]") {
    ProtocolOptions with = options();
    with.recipients = 50'000;
    const std::string name =
        '@' + std::string(60, 'd') + '.' + std::string(60, 'd') + '.' + std::string(60, 'd');
    for (const std::size_t length : {std::size_t{40}, std::size_t{64}}) {
        ServerProtocol server = after({"EHLO c", "MAIL FROM:<a@b>"}, with);
        auto recipient = [&, length](unsigned number) {
            std::string local = std::to_string(number);
            local.insert(0, length - local.size(), 'l');
            return "RCPT TO:<" + local + name + "> ORCPT=rfc822;" + std::string(200, 'o') + "@x.example";
        };
        unsigned taken = 0;
        while (say(server, recipient(taken)) == 250) ++taken;
        CHECK(taken > 10'000);
        CHECK(taken < with.recipients);
        auto step = server.line(recipient(taken));
        CHECK(step.answer.reply.code == 452);
        CHECK(step.answer.rule == Rule::envelope_size);
        CHECK(server.envelope().forward_paths.size() == taken);
        // What is in it already costs nothing more, and a new transaction begins anew.
        CHECK(server.envelope_octets() <= envelope_octets_max);
        CHECK(say(server, "RSET") == 250);
        CHECK(server.envelope_octets() == 0);
        CHECK(say(server, "MAIL FROM:<a@b>") == 250);
        CHECK(say(server, recipient(taken)) == 250);
    }
}
