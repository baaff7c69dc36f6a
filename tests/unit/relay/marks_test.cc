#include "relay/mail/marks.h"

#include <catch2/catch.hpp>
#include <string>

#include "relay/mail/trace.h"

using namespace postern::relay;

namespace {

const Marks ours("0123456789abcdef"), theirs("fedcba9876543210");
const Time now{std::chrono::seconds(1'800'000'000)};
constexpr const char* name = "x-postern-screening:";

Envelope envelope() {
    Envelope out;
    out.reverse_path = {"alice", "company.example"};
    out.forward_paths = {{"bob", "dest.example"}, {"eve", "dest.example"}, {"zoe", "other.example"}};
    out.options = {{Notify{true, true, false, true}, "rfc822;r+2Bx@dest.example"}, {}, {Notify{true}, {}}};
    out.envelope_id = "QQ";
    out.return_content = ReturnContent::headers;
    out.require_tls = true;
    out.primary = "main";
    return out;
}

std::string value(const std::string& field) { return value_of(field + "\r\n", name).value(); }

}  // namespace

TEST_CASE("an envelope comes back from screening as it went", "[marks]") {
    const MessageId id = MessageId::first_at(now);
    const auto field = ours.screening(itinerary_of(envelope(), id, {0, 1, 2}));
    for (std::size_t at = 0, end; at < field.size(); at = end + 2) {
        end = field.find("\r\n", at);
        REQUIRE(end != std::string::npos);
        CHECK(end - at <= 998);
    }
    const auto back = ours.read_screening(value(field));
    REQUIRE(back);
    CHECK(back->id == id);
    CHECK(back->primary == "main");
    CHECK(back->envelope_id == "QQ");
    CHECK(back->return_content == ReturnContent::headers);
    CHECK(back->require_tls);
    CHECK(back->author.null());
    REQUIRE(back->recipients.size() == 2);  // of the others there is nothing to say
    REQUIRE(back->options_of({"BOB", "dest.example"}) != nullptr);
    CHECK(*back->options_of({"BOB", "dest.example"}) == envelope().options[0]);
    CHECK(back->options_of({"eve", "dest.example"}) == nullptr);
    CHECK(back->options_of({"zoe", "other.example"})->notify.given);
}

TEST_CASE("only recipients of the transaction are in its field", "[marks]") {
    const auto back =
        ours.read_screening(value(ours.screening(itinerary_of(envelope(), MessageId{1}, {1, 2}))));
    REQUIRE(back);
    CHECK(back->options_of({"bob", "dest.example"}) == nullptr);
    CHECK(back->options_of({"zoe", "other.example"}) != nullptr);
}

TEST_CASE("a rewritten sender finds back to its author", "[marks]") {
    Envelope forwarded = envelope();
    forwarded.sent_as = {"SRS0=abc=xy=company.example=alice", "gw.example"};
    const auto back = ours.read_screening(value(ours.screening(itinerary_of(forwarded, MessageId{1}, {0}))));
    REQUIRE(back);
    CHECK(back->author == forwarded.reverse_path);
    CHECK(back->sent_as == forwarded.sent_as);
}

TEST_CASE("a field that was not made here is none, nor one of which an octet was changed", "[marks]") {
    const auto field = value(ours.screening(itinerary_of(envelope(), MessageId{77}, {0, 1, 2})));
    CHECK_FALSE(theirs.read_screening(field));
    for (std::size_t at = 0; at < field.size(); ++at) {
        std::string other = field;
        if (other[at] == ' ' || other[at] == '\t') continue;
        other[at] = other[at] == 'a' ? 'b' : 'a';
        INFO(at);
        CHECK_FALSE(ours.read_screening(other));
        CHECK_FALSE(ours.read_screening(field.substr(0, at)));
    }
    for (const char* odd : {"", ".", "..", "1.x.y.z", "1...", "1.0000000000000..", "= . =", "\xff\xfe"})
        CHECK_FALSE(ours.read_screening(odd));
    // What is for a journal is none for screening.
    CHECK_FALSE(ours.read_screening(ours.journal(MessageId{77})));
}

TEST_CASE("a journal report is known by its mark", "[marks]") {
    const auto mark = ours.journal(MessageId{4711});
    CHECK(ours.is_journal(mark));
    CHECK_FALSE(theirs.is_journal(mark));
    for (std::size_t at = 0; at < mark.size(); ++at) {
        std::string other = mark;
        other[at] = other[at] == '0' ? '1' : '0';
        CHECK_FALSE(ours.is_journal(other));
        CHECK_FALSE(ours.is_journal(mark.substr(0, at)));
    }
}

TEST_CASE("fields are taken out of a header, wherever they are, and out of no body", "[trace]") {
    for (const auto& [before, after] : std::vector<std::pair<std::string, std::string>>{
             {"", ""},
             {"X-A: 1\r\n\r\nbody\r\n", "\r\nbody\r\n"},
             {"x-a:1\r\n\t2\r\n 3\r\nB: 2\r\n\r\n", "B: 2\r\n\r\n"},
             {"B: 2\r\nX-A: 1\r\nC: 3\r\nX-a: \r\n x\r\n\r\nX-A: 1\r\n", "B: 2\r\nC: 3\r\n\r\nX-A: 1\r\n"},
             {"X-AB: 1\r\n\r\n", "X-AB: 1\r\n\r\n"},
             {"B: 1\r\n X-A: 1\r\n\r\n", "B: 1\r\n X-A: 1\r\n\r\n"},
             {"X-A: 1", ""},
             {"X-A: 1\r\n x", ""},
             {"\r\nX-A: 1\r\n", "\r\nX-A: 1\r\n"}}) {
        std::string content = before;
        CHECK(strip_fields(content, "x-a:") == before.size() - after.size());
        CHECK(content == after);
    }
}
