#include "relay/queue/record.h"

#include <catch2/catch.hpp>
#include <string>

using namespace postern::relay;
using namespace std::string_literals;

namespace {

Message example() {
    Message out;
    out.id = MessageId{12345};
    out.envelope.reverse_path = {"alice", "example.com"};
    out.envelope.forward_paths = {{"bob", "example.net"}, {"\"c d\"", "[192.0.2.1]"}, {"e", "f"}};
    out.envelope.body = BodyType::eight_bit;
    out.envelope.client = "192.0.2.7";
    out.envelope.helo = "mail\0\xff"s;
    out.envelope.primary = "main";
    out.content.trace = "Received: x\r\n";
    out.content.size = 0x1'0000'0001;
    out.content.checksum = 0xdeadbeef;
    out.content.dots = true;
    out.envelope.options.resize(3);
    out.envelope.options[1].notify = Notify{true, true, false, true};
    out.envelope.options[1].original = "rfc822;c+2Bd@example.org";
    out.envelope.options[2].notify.given = true;
    out.envelope.envelope_id = "QQ314159";
    out.envelope.return_content = ReturnContent::headers;
    out.envelope.utf8 = out.envelope.tls_optional = true;
    out.envelope.sent_as = {"SRS0=x", "gw.example"};
    out.arrived = Time(std::chrono::microseconds(1'600'000'000'123'456));
    out.envelope.restrained = "much";
    out.envelope.held = true;
    out.envelope.not_before = Time(std::chrono::microseconds(1'700'000'000'123'457));
    out.envelope.exempt = {0, 2};
    out.envelope.journal = JournalReport::without_content;
    out.envelope.screened = true;
    out.envelope.origin = MessageId{54321};
    out.content.tail = "\r\n--x--\r\n";
    return out;
}

Progress example_progress() {
    Progress out(3);
    out[0].status = RecipientStatus::delivered;
    out[0].attempts = 65535;
    out[0].reply = Reply{250, {2, 999, 65535}, "ok\nmore\0"s};
    out[0].host = "mx.example.net[192.0.2.9]:25";
    out[0].stage = "dot";
    out[1].status = RecipientStatus::failed;
    out[1].reported = true;
    out[1].reason = std::string(300, 'r');
    out[0].relayed = out[0].reported = true;
    out[1].tls = "dane (DANE): TLSv1.3";
    out[2].egress = "192.0.2.20";
    out[2].pinned = RouteKey::of("gateway:archive");
    out[2].delay_reported = true;
    out[2].order = Order::move;
    out[2].order_reason = "gateway:other";
    out[2].tried = Time(std::chrono::microseconds(1'700'000'000'000'001));
    out[2].route = RouteKey::exchangers("example.net");
    out[2].next = Time(std::chrono::microseconds(1'700'000'000'123'456));
    return out;
}

void check_same(const Message& a, const Message& b) {
    CHECK(a.id == b.id);
    CHECK(a.envelope.reverse_path == b.envelope.reverse_path);
    CHECK(a.envelope.forward_paths == b.envelope.forward_paths);
    CHECK(a.envelope.body == b.envelope.body);
    CHECK(a.envelope.client == b.envelope.client);
    CHECK(a.envelope.helo == b.envelope.helo);
    CHECK(a.envelope.primary == b.envelope.primary);
    CHECK(a.envelope.bounce == b.envelope.bounce);
    CHECK(a.envelope.options == b.envelope.options);
    CHECK(a.envelope.envelope_id == b.envelope.envelope_id);
    CHECK(a.envelope.return_content == b.envelope.return_content);
    CHECK(a.envelope.utf8 == b.envelope.utf8);
    CHECK(a.envelope.require_tls == b.envelope.require_tls);
    CHECK(a.envelope.tls_optional == b.envelope.tls_optional);
    CHECK(a.envelope.sent_as == b.envelope.sent_as);
    CHECK(a.arrived == b.arrived);
    CHECK(a.envelope.restrained == b.envelope.restrained);
    CHECK(a.envelope.held == b.envelope.held);
    CHECK(a.envelope.not_before == b.envelope.not_before);
    CHECK(a.envelope.exempt == b.envelope.exempt);
    CHECK(a.envelope.journal == b.envelope.journal);
    CHECK(a.envelope.screened == b.envelope.screened);
    CHECK(a.envelope.origin == b.envelope.origin);
    CHECK(a.content.tail == b.content.tail);
    CHECK(a.content.trace == b.content.trace);
    CHECK(a.content.file.filename() == b.content.file.filename());
    CHECK(a.content.size == b.content.size);
    CHECK(a.content.checksum == b.content.checksum);
    CHECK(a.content.dots == b.content.dots);
}

/// `body` with the checksum that makes it an intact record.
std::string sealed(std::string body) {
    std::uint32_t sum = checksum(body);
    for (int shift = 0; shift < 32; shift += 8) body += static_cast<char>(sum >> shift & 0xff);
    return body;
}

}  // namespace

TEST_CASE("a message record says what it was made from", "[record]") {
    Message plain = example(), bounce, filed = example();
    bounce.envelope.forward_paths = {{"a", "b"}};
    bounce.envelope.bounce = true;
    filed.content.file = "/somewhere/spool/content/0000000000c1s";
    for (const Message& one : {plain, bounce, filed}) {
        auto back = decode_message(one.id, encode_message(one));
        REQUIRE(back);
        check_same(*back, one);
    }
    Message many = example();
    for (int at = 0; at < 50'000; ++at)
        many.envelope.forward_paths.push_back({std::to_string(at), "example.net"});
    auto back = decode_message(many.id, encode_message(many));
    REQUIRE(back);
    CHECK(back->envelope.forward_paths.size() == 50'003);
}

TEST_CASE("a progress record says what it was made from", "[record]") {
    Progress before = example_progress();
    auto after = decode_progress(encode_progress(before));
    REQUIRE(after);
    REQUIRE(after->size() == before.size());
    for (std::size_t at = 0; at < before.size(); ++at) {
        const auto &a = before[at], &b = (*after)[at];
        CHECK(a.status == b.status);
        CHECK(a.reported == b.reported);
        CHECK(a.attempts == b.attempts);
        CHECK(a.route == b.route);
        CHECK(a.next == b.next);
        CHECK(a.reply == b.reply);
        CHECK(a.reason == b.reason);
        CHECK(a.host == b.host);
        CHECK(a.stage == b.stage);
        CHECK(a.relayed == b.relayed);
        CHECK(a.delay_reported == b.delay_reported);
        CHECK(a.egress == b.egress);
        CHECK(a.tls == b.tls);
        CHECK(a.pinned == b.pinned);
        CHECK(a.tried == b.tried);
        CHECK(a.order == b.order);
        CHECK(a.order_reason == b.order_reason);
        CHECK(a.resolved() == b.resolved());
    }
}

TEST_CASE("a record that lost or changed a single octet is damaged", "[record]") {
    const std::string message = encode_message(example()), progress = encode_progress(example_progress());
    auto damaged = [&](const std::string& record, bool is_message) {
        return is_message ? !decode_message(MessageId{1}, record) : !decode_progress(record);
    };
    for (bool is_message : {true, false}) {
        const std::string& record = is_message ? message : progress;
        for (std::size_t size = 0; size < record.size(); ++size)
            REQUIRE(damaged(record.substr(0, size), is_message));
        for (std::size_t at = 0; at < record.size(); ++at)
            for (int bit = 0; bit < 8; ++bit) {
                std::string changed = record;
                changed[at] = static_cast<char>(changed[at] ^ (1 << bit));
                REQUIRE(damaged(changed, is_message));
            }
        CHECK(damaged(record + '\0', is_message));
        CHECK(damaged(record + record, is_message));
        CHECK(damaged(record.substr(1), is_message));
    }
    CHECK(damaged(progress, true));
    CHECK(damaged(message, false));
}

TEST_CASE("records with a right checksum and wrong content are damaged, not believed", "[record]") {
    const std::string zero4(4, '\0');
    const std::string rows[] = {
        "",
        "\0"s,
        "\x01"s,
        "\x02"s + std::string(100, '\0'),
        "\x01"s + std::string(3, '\xff'),
        "\x01\xff\xff\xff\xff"s,
        "\x01\xff\xff\xff\x7f"s + std::string(50, 'x'),
        "\x01"s + zero4 + zero4 + "\xff\xff\xff\xff"s,
        "\x01"s + zero4 + zero4 + "\xa0\x86\x01\0"s,
        std::string(10'000, '\x01'),
    };
    for (const auto& row : rows) {
        CHECK_FALSE(decode_message(MessageId{1}, sealed(row)));
        CHECK_FALSE(decode_progress(sealed(row)));
    }
    Message nobody = example();
    nobody.envelope.forward_paths.clear();
    CHECK_FALSE(decode_message(nobody.id, encode_message(nobody)));

    // Any octet replaced under a right checksum: whatever comes of it, nothing breaks.
    for (const std::string& record : {encode_message(example()), encode_progress(example_progress())})
        for (std::size_t at = 0; at + 4 < record.size(); ++at)
            for (char value : {'\0', '\x01', '\x7f', '\xff'}) {
                std::string body = record.substr(0, record.size() - 4);
                body[at] = value;
                decode_message(MessageId{1}, sealed(body));
                decode_progress(sealed(body));
            }
}

namespace {

/// What older versions lacked stands at the end of a message and of each recipient.
std::string older(std::string record, char version, std::size_t added) {
    record.resize(record.size() - 4 - added);
    record[0] = version;
    return sealed(record);
}

Message before_copies() {
    Message out = example();
    out.envelope.journal = JournalReport::none;
    out.envelope.screened = false;
    out.envelope.origin = {};
    out.content.tail.clear();
    return out;
}

Message unrestrained() {
    Message out = before_copies();
    out.envelope.restrained.clear();
    out.envelope.held = false;
    out.envelope.not_before = {};
    out.envelope.exempt.clear();
    return out;
}

}  // namespace

TEST_CASE("records of the fourth version are still read", "[record]") {
    const Message message = before_copies();
    auto decoded = decode_message(message.id, older(encode_message(message), '\x04', 14));
    REQUIRE(decoded);
    check_same(*decoded, message);
}

TEST_CASE("records of the third version are still read", "[record]") {
    const Message message = unrestrained();
    auto decoded = decode_message(message.id, older(encode_message(message), '\x03', 31));
    REQUIRE(decoded);
    check_same(*decoded, message);
    const Progress progress = example_progress();
    REQUIRE(decode_progress(older(encode_progress(progress), '\x03', 0)));
}

TEST_CASE("records of the second version are still read", "[record]") {
    Message message = unrestrained();
    auto decoded = decode_message(message.id, older(encode_message(message), '\x02', 39));
    REQUIRE(decoded);
    CHECK(decoded->arrived == message.id.arrived());  // it was the id's time then
    message.arrived = message.id.arrived();
    check_same(*decoded, message);

    Progress progress{example_progress()[1]};
    auto back = decode_progress(older(encode_progress(progress), '\x02', 13));
    REQUIRE(back);
    CHECK(back->front().tried == Time{});
    CHECK(back->front().order == Order::none);
    CHECK(back->front().tls == progress[0].tls);
}

TEST_CASE("records of the first version are still read", "[record]") {
    auto first = [](const std::string& record, std::size_t added) { return older(record, '\x01', added); };
    Message message = unrestrained();
    Envelope& envelope = message.envelope;
    envelope.options.clear();
    envelope.envelope_id.clear();
    envelope.return_content = ReturnContent::unspecified;
    envelope.utf8 = envelope.tls_optional = false;
    envelope.sent_as = {};
    auto decoded = decode_message(message.id, first(encode_message(message), 57));
    REQUIRE(decoded);
    CHECK(decoded->envelope.forward_paths == envelope.forward_paths);
    CHECK(decoded->envelope.options_of(1) == RecipientOptions());
    CHECK(decoded->envelope.sent_as.null());
    CHECK(decoded->content.dots);

    Progress progress{example_progress()[1]};
    progress[0].tls.clear();
    auto back = decode_progress(first(encode_progress(progress), 25));
    REQUIRE(back);
    REQUIRE(back->size() == 1);
    CHECK(back->front().reported);
    CHECK_FALSE(back->front().relayed);
    CHECK(back->front().reason == progress[0].reason);
}

TEST_CASE("the checksum can be taken in pieces", "[record]") {
    CHECK(checksum("123456789") == 0xcbf43926);
    CHECK(checksum("56789", checksum("1234")) == checksum("123456789"));
    CHECK(checksum("") == 0);
}
