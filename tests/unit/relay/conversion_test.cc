#include "relay/delivery/conversion.h"

#include <catch2/catch.hpp>
#include <string>

#include "relay/mail/mime.h"
#include "sync/base/utf8.h"

using namespace postern::relay;

namespace {

const std::string umlaut = "m\xc3\xbcller";

Message holding(const std::string& content) {
    Message out;
    out.envelope.reverse_path = {"alice", "example.com"};
    out.envelope.body = BodyType::eight_bit;
    out.content.size = content.size();
    return out;
}

std::string converted(const std::string& content) {
    auto out = to_seven_bit(content);
    INFO((out ? std::string() : out.error().reply.text));
    REQUIRE(out);
    CHECK(postern::base::is_ascii(*out));
    CHECK(out->ends_with("\r\n"));
    for (std::size_t at = 0, end = 0; at < out->size(); at = end + 2) {
        end = out->find("\r\n", at);
        REQUIRE(end != std::string::npos);
        REQUIRE(end - at <= 998);
        REQUIRE(out->substr(at, end - at).find_first_of("\r\n") == std::string::npos);
    }
    auto again = to_seven_bit(*out);
    REQUIRE(again);
    CHECK(*again == *out);
    return *out;
}

/// The body of an entity, decoded as its header says.
std::string decoded(std::string_view text) {
    Entity entity = split_entity(text);
    std::string encoding, out;
    for (const auto& field : fields_of(entity.header))
        if (field.name == "content-transfer-encoding") encoding = field.value();
    std::string_view body = entity.body;
    if (encoding == "quoted-printable") {
        for (std::size_t at = 0; at < body.size(); ++at) {
            if (body[at] != '=') {
                out += body[at];
            } else if (body.substr(at + 1, 2) != "\r\n") {
                out += static_cast<char>(std::stoi(std::string(body.substr(at + 1, 2)), nullptr, 16));
                at += 2;
            } else {
                at += 2;
            }
        }
        return out;
    }
    REQUIRE(encoding == "base64");
    const std::string digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    unsigned bits = 0;
    int have = 0;
    for (char c : body) {
        if (c == '\r' || c == '\n' || c == '=') continue;
        bits = bits << 6 | static_cast<unsigned>(digits.find(c));
        if ((have += 6) >= 8) out += static_cast<char>(bits >> (have -= 8) & 255);
    }
    return out;
}

const std::string mime = "MIME-Version: 1.0\r\n";
const std::string text = "Content-Type: text/plain; charset=utf-8\r\n";
const std::string eight = "Content-Transfer-Encoding: 8bit\r\n";

}  // namespace

TEST_CASE("how a message fits a host", "[conversion]") {
    const std::string
        plain = mime + "Subject: x\r\n\r\nplain\r\n",
        eight_bit = mime + text + eight + "\r\n" + umlaut + "\r\n",
        header = "Subject: " + umlaut + "\r\n\r\nplain\r\n",
        below = mime +
                "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain; name=\"" +
                umlaut + "\"\r\n\r\nx\r\n--b--\r\n",
        global =
            mime + "Content-Type: message/global-headers\r\n" + eight + "\r\nSubject: " + umlaut + "\r\n";
    struct Row {
        const std::string* content;
        bool utf8;
        Abilities host;
        Fit fit;
        EnhancedStatus unfit;
    };
    constexpr Abilities all{true, true}, eight_only{true, false}, nothing{false, false}, odd{false, true};
    const Row rows[] = {
        {&plain, false, all, Fit::as_is, {}},
        {&plain, false, nothing, Fit::as_is, {}},
        {&plain, true, all, Fit::as_is, {}},
        {&plain, true, eight_only, Fit::ascii_only, {}},
        {&plain, true, nothing, Fit::ascii_only, {}},
        {&eight_bit, false, all, Fit::as_is, {}},
        {&eight_bit, false, eight_only, Fit::as_is, {}},
        {&eight_bit, false, nothing, Fit::seven_bit, {}},
        {&eight_bit, false, odd, Fit::seven_bit, {}},
        {&eight_bit, true, odd, Fit::as_is, {}},
        {&eight_bit, true, eight_only, Fit::ascii_only, {}},
        {&eight_bit, true, nothing, Fit::seven_bit, {}},
        {&header, true, all, Fit::as_is, {}},
        {&header, true, eight_only, {}, {5, 6, 9}},
        {&header, true, nothing, {}, {5, 6, 9}},
        {&header, false, eight_only, Fit::as_is, {}},  // as it has always been
        {&below, true, all, Fit::as_is, {}},
        {&below, true, eight_only, {}, {5, 6, 9}},
        {&global, true, all, Fit::as_is, {}},
        {&global, true, eight_only, Fit::only_seven_bit, {}},
        {&global, true, nothing, Fit::only_seven_bit, {}},
        {&global, false, nothing, Fit::seven_bit, {}},
    };
    for (const auto& row : rows) {
        CAPTURE(*row.content, row.utf8, row.host.eight_bit, row.host.utf8);
        Message message = holding(*row.content);
        message.envelope.utf8 = row.utf8;
        auto out = fit(message, *row.content, row.host);
        REQUIRE(out.has_value() == !row.unfit);
        if (out) CHECK(*out == row.fit);
        if (!out) CHECK(out.error().reply.status == row.unfit);
        if (!needs_a_look(message.envelope, row.host)) CHECK(out == Fit::as_is);
    }
}

TEST_CASE("what counts is the content, not what BODY says; what is not at hand is not converted",
          "[conversion]") {
    const std::string content = mime + "\r\nplain\r\n", header = mime;
    Message message = holding(content);
    CHECK(fit(message, content, {}) == Fit::as_is);
    CHECK(fit(message, header, {}) == Fit::as_is);
    const std::string lie = mime + "\r\n" + umlaut + "\r\n";
    Message liar = holding(lie);
    liar.envelope.body = BodyType::seven_bit;
    CHECK(fit(liar, lie, {}) == Fit::seven_bit);
}

TEST_CASE("addresses in UTF-8 need a host that takes them", "[conversion]") {
    const std::string content = "A: b\r\n\r\nx\r\n";
    Message message = holding(content);
    message.envelope.utf8 = true;
    message.envelope.reverse_path.local = umlaut;
    CHECK(fit(message, content, {true, true}) == Fit::as_is);
    CHECK(fit(message, content, {true, false}).error().reply.status == EnhancedStatus{5, 6, 7});
    CHECK(fit(message, content, {true, false}).error().reply.code == 550);
    message.envelope.sent_as = {"SRS0=x", "gw.example"};
    CHECK(fit(message, content, {true, false}) == Fit::ascii_only);

    CHECK(fit_recipient({umlaut, "example.com"}, {true, true}));
    CHECK(fit_recipient({"bob", "xn--mller-kva.example"}, {}));
    auto unfit = fit_recipient({umlaut, "example.com"}, {true, false});
    REQUIRE_FALSE(unfit);
    CHECK(unfit.error().reply.code == 553);
    CHECK(unfit.error().reply.status == EnhancedStatus{5, 6, 7});
}

TEST_CASE("a text of 8 bits becomes one of 7", "[conversion]") {
    SECTION("readable: quoted-printable") {
        std::string body = "Dear " + umlaut + ",\r\n\r\n.a dot\r\n..\r\ntrailing \r\ntab\t\r\na=b\r\n" +
                           std::string(200, 'x') + umlaut + "\r\n" + std::string(76, 'y') + "\r\n" +
                           std::string(75, '.') + "\r\n\r\nend\r\n";
        std::string out = converted("Subject: x\r\n" + mime + text + eight + "X: y\r\n\r\n" + body);
        CHECK(out.starts_with("Subject: x\r\n" + mime + text +
                              "Content-Transfer-Encoding: quoted-printable\r\nX: y\r\n\r\n"));
        CHECK(decoded(out) == body);
        CHECK(out.find("\r\n.") == std::string::npos);
        std::string_view encoded = split_entity(out).body;
        for (std::size_t at = 0, end = 0; at < encoded.size(); at = end + 2) {
            end = encoded.find("\r\n", at);
            CHECK(end - at <= 76);
            CHECK((end == at || (encoded[end - 1] != ' ' && encoded[end - 1] != '\t')));
        }
    }
    SECTION("mostly beyond ASCII: base64") {
        std::string body;
        for (int at = 0; at < 50; ++at) body += "\xe7\x94\xa8\xe6\x88\xb7\r\n";
        std::string out = converted(mime + text + eight + "\r\n" + body);
        CHECK(out.find("Content-Transfer-Encoding: base64\r\n") != std::string::npos);
        CHECK(decoded(out) == body);
    }
    SECTION("every length") {
        for (std::size_t length = 1; length < 100; ++length) {
            std::string body = std::string(length, 'x') + "\xff\r\n",
                        other = std::string(length, '\xff') + "\r\n";
            CHECK(decoded(converted(mime + "\r\n" + body)) == body);
            CHECK(decoded(converted(mime + "\r\n" + other)) == other);
        }
    }
    SECTION("a message in UTF-8, enclosed") {
        std::string body = "Subject: " + umlaut + " and others\r\n\r\n" + umlaut + " and more words\r\n";
        std::string out = converted(mime + "Content-Type: message/global\r\n" + eight + "\r\n" + body);
        CHECK(out.find("Content-Transfer-Encoding: quoted-printable\r\n") != std::string::npos);
        CHECK(decoded(out) == body);
    }
    SECTION("a large one, piece by piece") {
        std::string body;
        while (body.size() < 300'000) body += umlaut + " and some more words\r\n..\r\n";
        std::size_t pieces = 0, most = 0;
        std::string joined;
        REQUIRE(to_seven_bit(mime + text + eight + "\r\n" + body, [&](std::string_view part) {
            ++pieces;
            most = std::max(most, part.size());
            joined += part;
        }));
        CHECK(pieces > 3);
        CHECK(most < 80'000);
        CHECK(joined == converted(mime + text + eight + "\r\n" + body));
        CHECK(decoded(joined) == body);
    }
    SECTION("without a type and an encoding of its own") {
        std::string out = converted(mime + "\r\n" + umlaut + " and more words\r\n");
        CHECK(out.starts_with(mime + "Content-Transfer-Encoding: quoted-printable\r\n\r\n"));
    }
    SECTION("a folded field is replaced as a whole") {
        std::string out = converted(mime + "Content-Transfer-Encoding:\r\n 8bit\r\nX: y\r\n\r\n" + umlaut +
                                    " and more words\r\n");
        CHECK(out.starts_with(mime + "Content-Transfer-Encoding: quoted-printable\r\nX: y\r\n\r\n"));
    }
}

TEST_CASE("only the parts that need it are touched", "[conversion]") {
    const std::string ascii = "Content-Type: text/html\r\n\r\n<p>.plain\r\n.\r\n",
                      image = "Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA\r\n";
    const std::string inner = "Content-Type: multipart/alternative;\r\n boundary=\"b/i\"\r\n" + eight +
                              "\r\n--b/i\r\n" + text + eight + "\r\n" + umlaut +
                              " said this and that\r\n--b/i\r\n" + ascii + "\r\n--b/i--\r\n";
    const std::string enclosed = "Content-Type: message/rfc822\r\n" + eight + "\r\nSubject: inner\r\n" +
                                 mime + text + eight + "\r\n" + umlaut + " said this and that as well\r\n";
    std::string content =
        "Subject: x\r\n" + mime + "Content-Type: multipart/mixed; charset=x; boundary=b\r\n" + eight +
        "\r\npreamble\r\n--b \r\n" + inner + "\r\n--b\r\n" + enclosed + "\r\n--b\r\n" + image +
        "\r\n--b\r\n\r\nno header, " + umlaut + "\r\n--b--\r\nepilogue\r\n--b\r\nstill\r\n";
    std::string out = converted(content);
    CHECK(out.find("8bit") == std::string::npos);
    CHECK(out.find("preamble\r\n--b \r\n") != std::string::npos);
    CHECK(out.ends_with("\r\n--b--\r\nepilogue\r\n--b\r\nstill\r\n"));
    CHECK(out.find(ascii + "\r\n--b/i--\r\n") != std::string::npos);
    CHECK(out.find(image + "\r\n--b\r\n") != std::string::npos);
    CHECK(out.find("m=C3=BCller said this and that\r\n--b/i\r\n") != std::string::npos);
    CHECK(out.find("Subject: inner\r\n" + mime + text +
                   "Content-Transfer-Encoding: quoted-printable\r\n\r\nm=C3=BCller") != std::string::npos);
    CHECK(out.find(
              "--b\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nno header, m=C3=BCller\r\n--b--") !=
          std::string::npos);
}

TEST_CASE("what conversion would harm is refused", "[conversion]") {
    auto multipart = [](const std::string& subtype, const std::string& rest) {
        return mime + "Content-Type: multipart/" + subtype + "; boundary=b\r\n\r\n" + rest;
    };
    const std::string body = "\r\n" + umlaut + "\r\n", part = "--b\r\n" + text + body + "--b--\r\n";
    std::string nested = part, many;
    for (int depth = 0; depth < 30; ++depth) {
        std::string b = "b" + std::to_string(depth);
        nested = "--" + b + "\r\nContent-Type: multipart/mixed; boundary=" +
                 (depth == 0 ? "b" : "b" + std::to_string(depth - 1)) + "\r\n\r\n" + nested + "\r\n--" + b +
                 "--\r\n";
    }
    for (int at = 0; at < 1001; ++at) many += "--b\r\n\r\n" + umlaut + "\r\n";
    const std::string rows[] = {
        body,
        "Subject: x\r\n" + text + body,
        "Subject: " + umlaut + "\r\n" + mime + text + body,
        mime + text + "DKIM-Signature: v=1; a=x\r\n" + body,
        mime + text + "ARC-Seal: i=1\r\n" + body,
        mime + text + "arc-message-signature: i=1\r\n" + body,
        multipart("signed", part),
        multipart("encrypted", part),
        mime + "Content-Type: application/pkcs7-mime\r\n" + body,
        mime + "Content-Type: application/X-PKCS7-MIME; name=a\r\n" + body,
        mime + "Content-Type: text\r\n" + body,
        mime + text + text + body,
        mime + text + eight + eight + body,
        mime + text + "Content-Transfer-Encoding: quoted-printable\r\n" + body,
        mime + text + "Content-Transfer-Encoding: base64\r\n" + body,
        mime + text + "Content-Transfer-Encoding: x-uuencode\r\n" + body,
        mime + "Content-Type: message/delivery-status\r\n" + body,
        mime + "Content-Type: message/partial\r\n" + body,
        mime + "Content-Type: message/rfc822\r\n\r\nSubject: not MIME\r\n" + body,
        mime + "Content-Type: message/rfc822\r\n\r\nSubject: " + umlaut + "\r\n" + mime + text + body,
        mime + "Content-Type: multipart/mixed\r\n\r\n" + part,
        mime + "Content-Type: multipart/mixed; boundary=\"b\r\n\r\n" + part,
        mime + "Content-Type: multipart/mixed; boundary=\"\"\r\n\r\n" + part,
        mime + "Content-Type: multipart/mixed; boundary=other\r\n\r\n" + part,
        multipart("mixed", umlaut + "\r\n" + part),
        multipart("mixed", part + umlaut + "\r\n"),
        multipart("mixed", "--b\r\nContent-Type: text/plain; name=" + umlaut + "\r\n\r\nx\r\n--b--\r\n"),
        mime + "Content-Type: multipart/mixed; boundary=b29\r\n\r\n" + nested,
        multipart("mixed", many),
    };
    for (const auto& content : rows) {
        CAPTURE(content.substr(0, 300));
        auto out = to_seven_bit(content);
        REQUIRE_FALSE(out);
        CHECK(out.error().reply.code == 554);
        CHECK(out.error().reply.status == EnhancedStatus{5, 6, 3});
        CHECK(postern::base::is_ascii(out.error().reply.text));
    }
    CHECK(to_seven_bit("DKIM-Signature: x\r\n\r\nplain\r\n") == "DKIM-Signature: x\r\n\r\nplain\r\n");
    CHECK(to_seven_bit(multipart("signed", "--b\r\n\r\nplain\r\n--b--\r\n")));
}

TEST_CASE("a multipart in its segments is what it was", "[conversion]") {
    for (const char* body :
         {"--b\r\n\r\na\r\n--b--\r\n", "pre\r\n--b\r\na\r\n--b\r\n\r\n--b--\r\nepi", "--b\r\n--b\r\n--b--",
          "--b\r\nopen", "--bb\r\n--b\r\nx\r\n--bb\r\ny\r\n--b--x\r\n--b-- \t\r\n", "--b--\r\n", "--b"}) {
        CAPTURE(body);
        auto segments = split_multipart(body, "b", 1000);
        REQUIRE(segments);
        std::string all;
        for (const auto& segment : *segments) all += segment.text;
        CHECK(all == body);
    }
    CHECK_FALSE(split_multipart("no delimiter\r\n", "b", 1000));
    CHECK_FALSE(split_multipart("--b\r\na\r\n--b\r\nb\r\n--b--\r\n", "b", 1));
    CHECK_FALSE(split_multipart("--b\r\na\r\n--b\r\nb", "b", 1));
}

TEST_CASE("media types", "[conversion]") {
    struct Row {
        const char *value, *type, *subtype, *boundary;
    };
    const Row rows[] = {
        {"text/plain", "text", "plain", ""},
        {"TEXT/Plain; charset=x", "text", "plain", ""},
        {"multipart/mixed; boundary=b", "multipart", "mixed", "b"},
        {"multipart/mixed;boundary=\"a b\"", "multipart", "mixed", "a b"},
        {"multipart/mixed; x=\"boundary=no; \\\" \"; BOUNDARY = \"q\\\"\" ; y=z", "multipart", "mixed",
         "q\""},
        {"multipart/mixed; flag; boundary=b;", "multipart", "mixed", "b"},
        {"multipart/mixed; boundary=b; boundary=c", "multipart", "mixed", "b"},
        {"multipart/mixed; boundary=\"open", "multipart", "mixed", ""},
    };
    for (const auto& row : rows) {
        CAPTURE(row.value);
        auto type = parse_media_type(row.value);
        REQUIRE(type);
        CHECK(type->type == row.type);
        CHECK(type->subtype == row.subtype);
        CHECK(type->boundary == row.boundary);
    }
    for (const char* bad : {"", "text", "text/", "/plain", "te xt/plain", "text/pl ain", "; boundary=b"})
        CHECK_FALSE(parse_media_type(bad));
}
