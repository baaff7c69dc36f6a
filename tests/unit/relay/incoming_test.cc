#include "relay/reception/incoming.h"

#include <catch2/catch.hpp>
#include <fstream>
#include <iterator>
#include <list>

#include "relay/limits.h"
#include "relay/queue/record.h"
#include "tests/unit/relay/folder.h"
#include "tests/unit/shortage.h"

using namespace postern::relay;
using namespace postern::tests;
namespace fs = std::filesystem;

namespace {

std::string read(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

std::string lines(std::size_t octets) {
    std::string out = "Subject: much\r\nMessage-ID: <1@x>\r\n\r\n";
    while (out.size() + 2 < octets)
        out += std::string(std::min<std::size_t>(76, octets - out.size() - 2), 'x') + "\r\n";
    return out;
}

/// Fed in parts as a socket gives them, and written down whenever it says so.
void feed(Incoming& incoming, std::string_view octets) {
    while (!octets.empty()) {
        const auto part = octets.substr(0, 10'000);
        REQUIRE(incoming.feed(part) == part.size());
        octets.remove_prefix(part.size());
        if (incoming.full()) incoming.written(incoming.piece()());
    }
}

}  // namespace

TEST_CASE("what is small never asks for a file, and what is large is written piece by piece", "[incoming]") {
    Folder folder;
    postern::base::SystemDisk disk;
    const auto memory = std::make_shared<SessionMemory>();
    for (std::size_t size : {4u << 10, 50u << 10, 200u << 10, 300u << 10, 3u << 20}) {
        Incoming incoming(disk, folder.path() / std::to_string(size), memory);
        const std::string content = lines(size);
        feed(incoming, content);
        feed(incoming, ".\r\n");
        REQUIRE(incoming.reader().complete());
        CHECK(incoming.in_file() == (size > limits::inline_content));
        CHECK(incoming.header().message_id == "<1@x>");
        if (!incoming.in_file()) {
            CHECK(incoming.take_octets() == content);
            continue;
        }
        incoming.written(incoming.piece()());
        CHECK_FALSE(incoming.error());
        CHECK(read(incoming.writer().file()) == content);
        CHECK(incoming.writer().checksum() == checksum(content));
        const fs::path file = incoming.writer().file();
        incoming.forget()->discard();
        CHECK_FALSE(fs::exists(file));
    }
}

TEST_CASE("all sessions together hold no more than there is for them", "[incoming]") {
    Folder folder;
    postern::base::SystemDisk disk;
    const auto memory = std::make_shared<SessionMemory>();
    const std::string content = lines(200 << 10);
    std::list<Incoming> many;
    const std::size_t fit = SessionMemory::shared / limits::inline_content;
    for (std::size_t at = 0; at < fit + 3; ++at) {
        Incoming& one = many.emplace_back(disk, folder.path() / std::to_string(at), memory);
        feed(one, content);
        CHECK(one.in_file() == (at >= fit));
    }
    // A small one is taken in all the same.
    Incoming small(disk, folder.path() / "small", memory);
    feed(small, lines(SessionMemory::own - 10));
    CHECK_FALSE(small.in_file());
    many.pop_front();
    Incoming next(disk, folder.path() / "next", memory);
    feed(next, content);
    CHECK_FALSE(next.in_file());
}

TEST_CASE("what cannot be written is read to its end and not kept", "[incoming]") {
    postern::base::SystemDisk disk;
    if (sanitized) return;
    Folder folder;
    const auto memory = std::make_shared<SessionMemory>();
    Incoming incoming(disk, folder.path() / "content", memory);
    {
        NoDescriptors none;
        feed(incoming, lines(300 << 10));
    }
    CHECK(incoming.error() == std::errc::too_many_files_open);
    feed(incoming, lines(3 << 20));
    CHECK_FALSE(incoming.full());
    CHECK(incoming.take_octets().empty());
    CHECK(fs::is_empty(folder.path()));
}

TEST_CASE("a file of another message is neither written to nor taken away", "[incoming]") {
    Folder folder;
    postern::base::SystemDisk disk;
    const fs::path file = folder.path() / "content";
    std::ofstream(file) << "another's";
    Incoming incoming(disk, file, std::make_shared<SessionMemory>());
    feed(incoming, lines(300 << 10));
    CHECK(incoming.error() == std::errc::file_exists);
    incoming.forget()->discard();
    CHECK(read(file) == "another's");
}
