// What was set aside, read again.
#include <array>
#include <catch2/catch.hpp>
#include <fstream>
#include <optional>

#include "relay/queue/journal_record.h"
#include "relay/queue/set_aside.h"
#include "tests/unit/relay/folder.h"

using namespace postern;
using namespace postern::relay;
using namespace postern::tests;
using Catch::Contains;

namespace {

const std::string content = "Subject: x\r\n\r\nwords\r\n";
constexpr MessageId id{0x123456789abcdef};

Message message(bool own_file) {
    Message out;
    out.id = id;
    out.envelope.reverse_path = {"a", "example.com"};
    out.envelope.forward_paths = {{"b", "dest.example"}, {"c", "dest.example"}};
    out.arrived = Time(std::chrono::seconds(1000));
    out.content.trace = "Received: here\r\n";
    out.content.size = content.size();
    out.content.checksum = checksum(content);
    if (own_file) out.content.file = id.text();
    return out;
}

class Aside {
public:
    Aside() { std::filesystem::create_directory(path()); }
    std::filesystem::path path() const { return folder_.path() / "damaged"; }
    void put(const std::string& name, const std::string& octets) const {
        std::ofstream(path() / name, std::ios::binary) << octets;
    }
    void put_message(bool own_file, const std::string& text) const {
        put(id.text() + ".message", record(counted(encode_message(message(own_file))) + text));
    }
    tl::expected<SetAside, std::string> read(const std::string& name = id.text() + ".message") {
        return read_set_aside(disk_, path(), name);
    }
    SetAsidePage list(std::size_t most = 100) { return list_set_aside(disk_, path(), most).value(); }

    /// Its header proves nothing any more.
    static std::string record(const std::string& body) { return std::string(record_header_size, '?') + body; }

private:
    Folder folder_;
    base::SystemDisk disk_;
};

}  // namespace

TEST_CASE("content that was damaged is lines again") {
    CHECK(as_lines("") == "");
    CHECK(as_lines("a\r\nb\r\n") == "a\r\nb\r\n");
    CHECK(as_lines("a\nb\rc") == "a\r\nb\r\nc\r\n");
    CHECK(as_lines("\r\r\n\n") == "\r\n\r\n\r\n");
    CHECK(as_lines(std::string("a\0\r\0\nb", 6)) == "a\r\n\r\nb\r\n");
}

TEST_CASE("a message that was set aside is read as far as it proves itself", "[spool]") {
    Aside aside;
    SECTION("whole") {
        aside.put_message(false, content);
        const auto found = aside.read();
        REQUIRE(found);
        CHECK(found->whole);
        CHECK(*found->message.content.bytes == content);
        CHECK(found->message.content.trace == "Received: here\r\n");
        CHECK(found->message.envelope.forward_paths.size() == 2);
        CHECK(found->progress.size() == 2);
        const auto page = aside.list();
        REQUIRE(page.files.size() == 1);
        CHECK(page.files[0].restorable);
        CHECK(page.files[0].from == "a@example.com");
        CHECK(page.files[0].to == std::vector<std::string>{"b@dest.example", "c@dest.example"});
        CHECK(page.files[0].arrived == message(false).arrived);
        CHECK(page.files[0].what == "a message, whole");
    }
    SECTION("its content is another") {
        aside.put_message(false, "Subject: x\r\n\r\n.w\xc3\xb6rds\n");
        const auto found = aside.read();
        REQUIRE(found);
        CHECK_FALSE(found->whole);
        const Content& now = found->message.content;
        CHECK(*now.bytes == "Subject: x\r\n\r\n.w\xc3\xb6rds\r\n");
        CHECK(now.size == now.bytes->size());
        CHECK(now.checksum == checksum(*now.bytes));
        CHECK(now.dots);
        CHECK(found->message.envelope.body == BodyType::eight_bit);
        CHECK(aside.list().files.at(0).what == "a message, its content damaged");
    }
    SECTION("its content has a file") {
        aside.put_message(true, "");
        REQUIRE_FALSE(aside.read());
        CHECK_THAT(aside.read().error(), Contains("content") && Contains("not there"));
        CHECK_FALSE(aside.list().files.at(0).restorable);
        for (const auto& name : {id.text(), id.text() + ".content"}) {
            aside.put(name, content);
            const auto found = aside.read();
            REQUIRE(found);
            CHECK(found->whole);
            CHECK(found->content == name);
            CHECK(found->message.content.file.empty());
        }
    }
    SECTION("who has it already") {
        aside.put_message(false, content);
        Progress progress(2);
        progress[0].status = RecipientStatus::delivered;
        aside.put(id.text() + ".progress", Aside::record(encode_progress(progress)));
        CHECK(aside.read()->progress[0].status == RecipientStatus::delivered);
        CHECK(aside.list().files.at(0).to == std::vector<std::string>{"c@dest.example"});
        aside.put(id.text() + ".progress", Aside::record("?" + encode_progress(progress)));
        CHECK(aside.read()->progress[0].pending());
    }
    SECTION("its envelope is damaged") {
        auto body = counted(encode_message(message(false)));
        body[20] ^= 1;
        aside.put(id.text() + ".message", Aside::record(body + content));
        REQUIRE_FALSE(aside.read());
        CHECK_THAT(aside.read().error(), Contains("envelope"));
        CHECK_FALSE(aside.list().files.at(0).restorable);
    }
    SECTION("cut anywhere") {
        const auto whole = Aside::record(counted(encode_message(message(false))) + content);
        const auto front = whole.size() - content.size();
        for (std::size_t size = 0; size < whole.size(); ++size) {
            aside.put(id.text() + ".message", whole.substr(0, size));
            if (aside.read().has_value() != (size >= front)) FAIL("cut at " << size);
        }
    }
}

TEST_CASE("what is no message is listed and cannot be taken again", "[spool]") {
    Aside aside;
    CHECK(aside.list().files.empty());
    const std::vector<std::string> names{"segment-3-octet-4096", "00000001.volume", "x.message",
                                         id.text() + ".message.restored"};
    for (const auto& name : names) {
        CAPTURE(name);
        aside.put(name, "octets");
        CHECK_FALSE(aside.read(name));
    }
    CHECK_FALSE(aside.read("../" + id.text() + ".message"));
    CHECK(aside.list().files.size() == names.size());
    for (const auto& file : aside.list().files) {
        CHECK_FALSE(file.restorable);
        CHECK(file.size == 6);
    }
    CHECK(aside.list(2).files.size() == 2);
    CHECK(aside.list(2).more);
}

TEST_CASE("a message of which only the header is damaged is read from the octets of its segment") {
    Aside aside;
    const std::string name = "segment-3-octet-4096";
    const std::string body = counted(encode_message(message(false))) + content;
    SECTION("others follow it") {
        std::string octets = Aside::record(body) + std::string(500, 'x');
        for (std::size_t at = 0; at < 8; ++at)
            octets[16 + at] = static_cast<char>(id.value >> (8 * at) & 0xff);
        aside.put(name, octets);
        const auto found = aside.read(name);
        REQUIRE(found);
        CHECK(found->whole);
        CHECK(*found->message.content.bytes == content);
        CHECK(found->message.id == id);
        CHECK(aside.list().files.at(0).restorable);
    }
    SECTION("it is cut short") {
        aside.put(name, Aside::record(body.substr(0, body.size() - 7)));
        const auto found = aside.read(name);
        REQUIRE(found);
        CHECK_FALSE(found->whole);
    }
    SECTION("there is none") {
        aside.put(name, Aside::record("octets that are nothing"));
        CHECK_FALSE(aside.read(name));
        aside.put(name, "few");
        CHECK_FALSE(aside.read(name));
        CHECK_FALSE(aside.list().files.at(0).restorable);
        CHECK_THAT(aside.list().files.at(0).what, Contains("prove nothing"));
    }
}

TEST_CASE("whether a message was being taken again is seen by a name") {
    const std::string file = id.text() + ".message";
    const MessageId as{77};
    CHECK(being_taken({"x", name_while_taken(file, as)}, file) == as);
    CHECK_FALSE(being_taken({file, name_when_taken(file)}, file));
    Aside aside;
    aside.put(name_while_taken(file, as), "x");
    CHECK_THAT(aside.list().files.at(0).what, Contains("when postern stopped"));
    CHECK_FALSE(aside.list().files.at(0).restorable);
}
