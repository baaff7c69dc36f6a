// The signals that tell the program something, as values that one thread waits for.
#pragma once

#include <pthread.h>
#include <signal.h>

#include <chrono>

namespace postern::agent {

/// The signals that tell the program something. Made before any other thread is, so that all of them leave
/// signals to the thread that made it.
class Signals {
public:
    Signals() {
        sigemptyset(&set_);
        for (const int signal : {SIGTERM, SIGINT, SIGHUP, waking}) sigaddset(&set_, signal);
        pthread_sigmask(SIG_BLOCK, &set_, nullptr);
    }

    static bool ends(int signal) { return signal == SIGTERM || signal == SIGINT; }

    int wait() const {
        int signal = 0;
        sigwait(&set_, &signal);
        return signal;
    }
    /// -1 when none comes for so long.
    int wait(std::chrono::nanoseconds most) const {
        const auto seconds = std::chrono::floor<std::chrono::seconds>(most);
        const timespec timeout{static_cast<time_t>(seconds.count()),
                               static_cast<long>(std::chrono::nanoseconds(most - seconds).count())};
        return sigtimedwait(&set_, nullptr, &timeout);
    }
    /// A wait() ends. Any thread.
    void wake() const { pthread_kill(thread_, waking); }

private:
    static constexpr int waking = SIGUSR1;
    const pthread_t thread_ = pthread_self();
    sigset_t set_{};
};

}  // namespace postern::agent
