#include "relay/queue/inspection.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <fstream>
#include <iterator>
#include <thread>

#include "tests/unit/relay/folder.h"
#include "tests/unit/relay/kept_spool.h"

using namespace postern;
using namespace postern::relay;
using namespace postern::tests;
using Catch::Contains;
namespace fs = std::filesystem;

namespace {

const base::SystemClock machine;
base::SystemDisk disk;
constexpr std::uint64_t segment_size = KeptSpool::options.segment_size;

SpoolCheck inspected(const fs::path& state_dir) {
    auto found = inspect_spool(disk, state_dir, segment_size);
    REQUIRE(found);
    return std::move(*found);
}

std::string text_of(int number) {
    return "Subject: number " + std::to_string(number) + "\r\n\r\n" + std::string(9000, 'x') + "\r\n";
}

/// Ends with `count` messages waiting, each third with a file of its own.
std::vector<MessageId> filled(const fs::path& folder, int count) {
    std::vector<MessageId> out;
    KeptSpool kept(folder, machine, disk);
    for (int number = 0; number < count; ++number) {
        const auto message = message_with(kept.spool, text_of(number), number % 3 == 0);
        out.push_back(message->message.id);
        REQUIRE_FALSE(kept.accept(message));
    }
    return out;
}

std::vector<fs::path> segments(const fs::path& folder) {
    std::vector<fs::path> out;
    for (const auto& entry : fs::directory_iterator(folder / "spool"))
        if (entry.path().extension() == ".segment") out.push_back(entry.path());
    std::sort(out.begin(), out.end());
    return out;
}

/// Of the file that has the text, its octets behind that. Gives the file and the octet.
std::pair<fs::path, std::uint64_t> spoil(const fs::path& folder, const std::string& text) {
    for (const auto& path : segments(folder)) {
        std::ifstream in(path, std::ios::binary);
        const std::string octets(std::istreambuf_iterator<char>(in), {});
        const auto at = octets.find(text);
        if (at == std::string::npos) continue;
        std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
        file.seekp(static_cast<std::streamoff>(at + text.size() + 100));
        file << "yyy";
        return {path, at};
    }
    FAIL("no segment has " << text);
    return {};
}

}  // namespace

TEST_CASE("a spool that is sound is found so", "[spool]") {
    const Folder folder;
    filled(folder.path(), 450);
    const auto found = inspected(folder.path());
    CHECK(found.faults == std::vector<std::string>());
    CHECK(found.remarks == std::vector<std::string>());
    CHECK(found.messages == 450);
    CHECK(found.contents == 150);
    CHECK(found.records >= 450);
    CHECK(found.segments == segments(folder.path()).size());
    CHECK(found.segments > 1);
    CHECK(found.octets == found.segments * segment_size);
}

TEST_CASE("what is wrong with a spool is told, and nothing is changed", "[spool]") {
    const Folder folder;
    const auto ids = filled(folder.path(), 450);
    const auto checked = [&](const std::string& what) {
        const auto found = inspected(folder.path());
        CHECK(inspected(folder.path()).faults == found.faults);
        REQUIRE(found.faults.size() == 1);
        CHECK_THAT(found.faults[0], Contains(what));
        return found;
    };
    SECTION("a record") {
        spoil(folder.path(), "Subject: number 100\r\n");
        const auto found =
            checked("message " + ids[100].text() + " from <s@example.com> to <r@dest.example> (octets ");
        CHECK_THAT(found.faults[0], Contains(" of spool segment ") && Contains("is damaged"));
        CHECK(found.messages == 449);
        // A start that goes through all of it sets it aside. It is told still, and where it is.
        fs::remove(folder.path() / "spool" / "checkpoint");
        { const KeptSpool start(folder.path(), machine, disk); }
        CHECK_THAT(inspected(folder.path()).faults.at(0),
                   Contains("a copy lies in damaged/" + ids[100].text()));
    }
    SECTION("a header") {
        const auto [path, at] = spoil(folder.path(), "Subject: number 100\r\n");
        std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
        const std::string zeros(9000, '\0');
        file.seekp(static_cast<std::streamoff>(at - 1000));
        file << zeros;
        const auto found = inspected(folder.path());
        REQUIRE_FALSE(found.faults.empty());
        CHECK_THAT(found.faults[0], Contains("octets ") && Contains("spool segment"));
        CHECK(found.messages < 450);
    }
    SECTION("a content that is gone") {
        fs::remove(folder.path() / "spool" / "content" / ids[99].text());
        checked("message " + ids[99].text() +
                " from <s@example.com> to <r@dest.example> cannot be delivered: "
                "its content is missing");
    }
    SECTION("a content that is another") {
        std::ofstream(folder.path() / "spool" / "content" / ids[99].text(), std::ios::binary)
            << text_of(100).substr(1) << 'x';
        checked("its content");
    }
    SECTION("a segment that is gone") {
        const auto all = segments(folder.path());
        REQUIRE(all.size() > 2);
        fs::remove(all[1]);
        const auto found = inspected(folder.path());
        REQUIRE(found.faults.size() == 21);
        CHECK_THAT(found.faults[0], Contains("is missing, with the segment"));
        CHECK_THAT(found.faults[20], Contains("messages more"));
    }
    SECTION("a checkpoint is nothing that mail depends on") {
        std::ofstream(folder.path() / "spool" / "checkpoint") << "?";
        const auto found = inspected(folder.path());
        CHECK(found.faults.empty());
        CHECK(found.messages == 450);
        REQUIRE(found.remarks.size() == 1);
        CHECK_THAT(found.remarks[0], Contains("made anew"));
    }
}

TEST_CASE("a spool that is used is looked at meanwhile, and nothing is wrong with it", "[spool]") {
    const Folder folder;
    KeptSpool kept(folder.path(), machine, disk);
    std::atomic<bool> over = false;
    std::atomic<int> made = 0;
    std::thread mail([&] {
        while (!over) {
            const auto message = message_with(kept.spool, text_of(made), made % 3 == 0);
            if (kept.accept(message)) break;
            Change change;
            change.id = message->message.id;
            change.done = true;
            change.file = message->message.content.file;
            kept.spool.change(std::move(change));
            ++made;
        }
    });
    while (made < 100) std::this_thread::yield();
    for (int look = 0; look < 20; ++look) {
        const auto found = inspect_spool(disk, folder.path(), segment_size);
        CHECK(found);
        if (found) CHECK(found->faults == std::vector<std::string>());
    }
    over = true;
    mail.join();
}
