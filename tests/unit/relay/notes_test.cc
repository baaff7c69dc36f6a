// What is delivered is noted at once, and what cannot be noted is kept or given up, and told.
#include "relay/queue/notes.h"

#include <catch2/catch.hpp>
#include <functional>
#include <thread>
#include <utility>

#include "tests/unit/stepped_clock.h"

using namespace postern::relay;
using namespace postern::tests;

namespace {

using Noted = std::vector<std::pair<std::uint64_t, std::vector<std::uint16_t>>>;

constexpr std::chrono::seconds long_enough{2};

/// Where notes are written, and what is told about it.
class Book {
public:
    std::error_code write(const std::vector<Note>& notes) {
        std::lock_guard lock(mutex_);
        ++tried_;
        if (fault_) return fault_;
        for (const auto& one : notes) noted_.emplace_back(one.id.value, one.recipients);
        return {};
    }
    void tell(const std::error_code& error) {
        std::lock_guard lock(mutex_);
        told_.push_back(error);
    }

    void fault(std::error_code error) {
        std::lock_guard lock(mutex_);
        fault_ = error;
    }
    Noted noted() const {
        std::lock_guard lock(mutex_);
        return noted_;
    }
    std::vector<std::error_code> told() const {
        std::lock_guard lock(mutex_);
        return told_;
    }
    int tried() const {
        std::lock_guard lock(mutex_);
        return tried_;
    }

private:
    mutable std::mutex mutex_;
    std::error_code fault_;
    Noted noted_;
    std::vector<std::error_code> told_;
    int tried_ = 0;
};

struct Desk {
    SteppedClock clock;
    Book book;
    Notes notes{clock, [this](const std::vector<Note>& all) { return book.write(all); },
                [this](const std::error_code& error) { book.tell(error); }};

    /// The clock goes on until it has come true.
    void pass_until(const std::function<bool()>& true_now) {
        while (!true_now()) {
            clock.step(std::chrono::milliseconds(100));
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
    }
};

std::error_code error_of(std::errc code) { return std::make_error_code(code); }

}  // namespace

TEST_CASE("what was noted is written in the order in which it was said", "[notes]") {
    Desk desk;
    Noted expected;
    for (std::uint64_t id = 1; id <= 1000; ++id) {
        desk.notes.add({MessageId{id % 7}, {static_cast<std::uint16_t>(id), 65535}});
        expected.push_back({id % 7, {static_cast<std::uint16_t>(id), 65535}});
        if (id % 100 == 0) {
            desk.notes.wait();
            CHECK(desk.book.noted().size() == id);
        }
    }
    CHECK(desk.book.noted() == expected);
    CHECK_FALSE(desk.notes.behind());
    CHECK(desk.book.told().empty());
}

TEST_CASE("what is noted when its writer goes is written before", "[notes]") {
    SteppedClock clock;
    Book book;
    {
        Notes notes(
            clock, [&](const std::vector<Note>& all) { return book.write(all); },
            [&](const std::error_code& error) { book.tell(error); });
        for (std::uint64_t id = 1; id <= 50; ++id) notes.add({MessageId{id}, {0}});
    }
    CHECK(book.noted().size() == 50);
}

TEST_CASE("for want of room or descriptors notes are kept, and written before all else when there are some",
          "[notes]") {
    for (const auto shortage :
         {std::errc::no_space_on_device, std::errc::too_many_files_open, std::errc::not_enough_memory}) {
        CAPTURE(error_of(shortage).message());
        Desk desk;
        desk.book.fault(error_of(shortage));
        desk.notes.add({MessageId{1}, {0}});
        desk.notes.wait();
        desk.pass_until([&] { return desk.book.told().size() == 1; });
        CHECK(desk.book.told().front() == shortage);
        desk.pass_until([&] { return desk.notes.behind(); });
        desk.notes.add({MessageId{2}, {1}});
        const int before = desk.book.tried();
        desk.pass_until([&] { return desk.book.tried() > before + 1; });
        CHECK(desk.book.noted().empty());
        CHECK(desk.book.told().size() == 1);

        desk.book.fault({});
        desk.pass_until([&] { return desk.book.told().size() == 2; });
        CHECK_FALSE(desk.book.told().back());
        desk.notes.add({MessageId{3}, {2}});
        desk.notes.wait();
        CHECK(desk.book.noted() == Noted{{1, {0}}, {2, {1}}, {3, {2}}});
        CHECK_FALSE(desk.notes.behind());
    }
}

TEST_CASE("what another fault of the disk keeps from being noted is given up, and told", "[notes]") {
    Desk desk;
    desk.book.fault(error_of(std::errc::io_error));
    desk.notes.add({MessageId{1}, {0}});
    desk.notes.wait();
    desk.pass_until([&] { return !desk.book.told().empty(); });
    CHECK(desk.book.told() == std::vector{error_of(std::errc::io_error)});
    desk.book.fault({});
    desk.clock.step(long_enough);
    desk.notes.add({MessageId{2}, {0}});
    desk.notes.wait();
    CHECK(desk.book.noted() == Noted{{2, {0}}});
    CHECK_FALSE(desk.notes.behind());
}

TEST_CASE("what waits for a slow disk is told by itself, and that it is over", "[notes]") {
    SteppedClock clock;
    Book book;
    std::mutex held;
    Notes notes(
        clock,
        [&](const std::vector<Note>& all) {
            const std::lock_guard wait(held);
            return book.write(all);
        },
        [&](const std::error_code& error) { book.tell(error); });
    {
        const std::lock_guard lock(held);
        notes.add({MessageId{1}, {0}});
        CHECK_FALSE(notes.behind());
        clock.step(long_enough);
        CHECK(notes.behind());
    }
    notes.wait();
    CHECK_FALSE(notes.behind());
    while (book.told().empty()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    CHECK(book.told() == std::vector{std::error_code()});
}

TEST_CASE("a writer that cannot write goes all the same", "[notes]") {
    SteppedClock clock;
    Book book;
    book.fault(error_of(std::errc::no_space_on_device));
    {
        Notes notes(
            clock, [&](const std::vector<Note>& all) { return book.write(all); },
            [&](const std::error_code& error) { book.tell(error); });
        notes.add({MessageId{1}, {0}});
        notes.wait();
    }
    CHECK(book.noted().empty());
}
