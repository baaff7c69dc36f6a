#include "sync/base/ensure.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <string>

#include <catch2/catch.hpp>

namespace {

struct Ended {
    int signal = 0;
    std::string said;
};

/// What becomes of a process of its own that asks for `holds`.
Ended ended_with(bool holds) {
    std::array<int, 2> pipe_ends{};
    REQUIRE(pipe(pipe_ends.data()) == 0);
    const pid_t child = fork();
    if (child == 0) {
        std::signal(SIGABRT, SIG_DFL);
        const rlimit no_core{0, 0};
        setrlimit(RLIMIT_CORE, &no_core);
        dup2(pipe_ends[1], STDERR_FILENO);
        ENSURE(holds, "the sky is above");
        _exit(0);
    }
    close(pipe_ends[1]);
    Ended out;
    std::array<char, 512> buffer{};
    for (ssize_t got; (got = read(pipe_ends[0], buffer.data(), buffer.size())) > 0;)
        out.said.append(buffer.data(), static_cast<std::size_t>(got));
    close(pipe_ends[0]);
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    out.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    return out;
}

}  // namespace

TEST_CASE("a broken contract is told and ends the process") {
    const Ended broken = ended_with(false);
    CHECK(broken.signal == SIGABRT);
    CHECK(broken.said.find("the sky is above") != std::string::npos);
    CHECK(broken.said.find("ensure_test.cc") != std::string::npos);
    const Ended kept = ended_with(true);
    CHECK(kept.signal == 0);
    CHECK(kept.said.empty());
}
