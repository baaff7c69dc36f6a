#include "agent/log/output.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <chrono>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "sync/base/descriptor.h"

using namespace postern;
using agent::LogOutput;

namespace {

struct Ends {
    base::Descriptor read, write;
};

Ends small_pipe() {
    std::array<int, 2> ends{};
    REQUIRE(pipe2(ends.data(), O_CLOEXEC) == 0);
    REQUIRE(fcntl(ends[1], F_SETPIPE_SZ, 4096) > 0);
    return {base::Descriptor(ends[0]), base::Descriptor(ends[1])};
}

Ends sockets() {
    std::array<int, 2> ends{};
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
    return {base::Descriptor(ends[0]), base::Descriptor(ends[1])};
}

std::string note(std::uint64_t dropped) { return "dropped " + std::to_string(dropped) + "\n"; }

std::string numbered(unsigned number, std::size_t size = 200) {
    std::string line = std::to_string(number) + ' ';
    return line.append(size - line.size() - 1, '.') + '\n';
}

std::string read_to_end(int descriptor) {
    std::string text;
    std::array<char, 65536> some{};
    for (ssize_t count = 0; (count = read(descriptor, some.data(), some.size())) > 0;)
        text.append(some.data(), static_cast<std::size_t>(count));
    return text;
}

/// What has come by now.
std::string read_what_is_there(int descriptor) {
    fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK);
    return read_to_end(descriptor);
}

}  // namespace

TEST_CASE("a line that its reader has room for is there when it was written") {
    for (auto make : {small_pipe, sockets}) {
        const Ends ends = make();
        LogOutput output(ends.write.get(), note);
        output.write("one\n");
        CHECK(read_what_is_there(ends.read.get()) == "one\n");
    }
}

TEST_CASE("a reader that reads nothing stops no writer, and later gets all lines in order") {
    for (auto make : {small_pipe, sockets}) {
        Ends ends = make();
        std::string expected;
        std::future<std::string> text;
        {
            LogOutput output(ends.write.get(), note);
            for (unsigned i = 0; i < 5000; ++i) {
                const auto line = numbered(i, i % 500 == 0 ? 9000 : 200);  // some are longer than PIPE_BUF
                output.write(line);
                expected += line;
            }
            text = std::async(std::launch::async, [&] { return read_to_end(ends.read.get()); });
            output.settle(std::chrono::hours(1));
            output.write("last\n");
        }
        ends.write.close();
        CHECK(text.get() == expected + "last\n");
    }
}

TEST_CASE("what does not fit among the waiting lines is counted, and told where it is missing") {
    Ends ends = small_pipe();
    constexpr std::size_t size = 1000, count = 2 * LogOutput::most_waiting / size;
    std::future<std::string> read;
    {
        LogOutput output(ends.write.get(), note);
        for (unsigned i = 0; i < count; ++i) output.write(numbered(i, size));
        read = std::async(std::launch::async, [&] { return read_to_end(ends.read.get()); });
        output.settle(std::chrono::hours(1));
        output.write("after\n");
    }
    ends.write.close();
    const auto text = read.get();
    const auto at = text.find("dropped ");
    REQUIRE(at != std::string::npos);
    REQUIRE(at % size == 0);
    CHECK(at > LogOutput::most_waiting - size);
    CHECK(at <= LogOutput::most_waiting + 4096 + size);
    std::string kept;
    for (unsigned i = 0; i < at / size; ++i) kept += numbered(i, size);
    CHECK(text == kept + note(count - at / size) + "after\n");
}

TEST_CASE("lines that cannot be written at all are counted until some can") {
    Ends ends = sockets();
    LogOutput output(ends.write.get(), note);
    REQUIRE(shutdown(ends.write.get(), SHUT_WR) == 0);
    output.write("lost\n");
    output.write("lost too\n");
    Ends fresh = sockets();
    REQUIRE(dup2(fresh.write.get(), ends.write.get()) >= 0);
    output.write("again\n");
    CHECK(read_what_is_there(fresh.read.get()) == "dropped 2\nagain\n");
}

TEST_CASE("the mode of a descriptor that others share is left as it is") {
    const Ends ends = small_pipe();
    LogOutput output(ends.write.get(), note);
    for (unsigned i = 0; i < 100; ++i) output.write(numbered(i));
    CHECK((fcntl(ends.write.get(), F_GETFL) & O_NONBLOCK) == 0);
}

TEST_CASE("a file has every line when the output has gone") {
    std::FILE* file = std::tmpfile();
    REQUIRE(file != nullptr);
    std::string expected;
    {
        LogOutput output(fileno(file), note);
        for (unsigned i = 0; i < 5000; ++i) {
            output.write(numbered(i));
            expected += numbered(i);
        }
    }
    REQUIRE(lseek(fileno(file), 0, SEEK_SET) == 0);
    CHECK((read_to_end(fileno(file)) == expected));
    std::fclose(file);
}

TEST_CASE("a reader that never reads keeps nobody who ends") {
    const Ends ends = small_pipe();
    LogOutput output(ends.write.get(), note);
    for (unsigned i = 0; i < 100; ++i) output.write(numbered(i));
}
