// What becomes of a process that breaks a contract (sync/base/ensure.h).
#pragma once

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <string>

#include <catch2/catch.hpp>

namespace postern::tests {

struct Ended {
    int signal = 0;  // 0: by itself
    std::string said;
};

/// Of a process of its own that does `work`. It has this thread alone: what others hold is held for ever.
template <typename Work>
Ended ended_after(Work work) {
    std::array<int, 2> pipe_ends{};
    REQUIRE(pipe(pipe_ends.data()) == 0);
    const pid_t child = fork();
    if (child == 0) {
        std::signal(SIGABRT, SIG_DFL);
        const rlimit no_core{0, 0};
        setrlimit(RLIMIT_CORE, &no_core);
        dup2(pipe_ends[1], STDERR_FILENO);
        try {
            work();
        } catch (...) {
            _exit(1);
        }
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

}  // namespace postern::tests
