#include "agent/log/output.h"

#include <limits.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include "sync/base/descriptor.h"
#include "sync/base/file.h"

namespace postern::agent {
namespace {

constexpr std::chrono::milliseconds company_for{1};  // that lines to a file wait for others

enum class Kind { socket, pipe, other };

Kind kind_of(int descriptor) {
    struct stat status {};
    if (fstat(descriptor, &status) != 0) return Kind::other;
    return S_ISSOCK(status.st_mode) ? Kind::socket : S_ISFIFO(status.st_mode) ? Kind::pipe : Kind::other;
}

bool has_room(int descriptor) {
    pollfd look{descriptor, POLLOUT, 0};
    return poll(&look, 1, 0) > 0;
}

/// As write(2), and EAGAIN where that would wait for a reader. A pipe that poll() calls writable takes
/// PIPE_BUF octets (pipe(7)).
ssize_t write_some(int descriptor, Kind kind, std::string_view text) {
    if (kind == Kind::socket) return send(descriptor, text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (kind == Kind::other) return ::write(descriptor, text.data(), text.size());
    if (has_room(descriptor))
        return ::write(descriptor, text.data(), std::min<std::size_t>(text.size(), PIPE_BUF));
    errno = EAGAIN;
    return -1;
}

/// Takes off `text` what was written, until there is no room or nothing left.
std::error_code write_off(int descriptor, Kind kind, std::string_view& text) {
    while (!text.empty()) {
        const auto written = write_some(descriptor, kind, text);
        if (written >= 0)
            text.remove_prefix(static_cast<std::size_t>(written));
        else if (errno == EAGAIN)
            break;
        else if (errno != EINTR)
            return base::last_error();
    }
    return {};
}

}  // namespace

struct LogOutput::State {
    const int descriptor;
    const Kind kind;
    const Note note;
    const base::Descriptor end{eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};  // readable: give up
    std::mutex mutex;
    std::condition_variable arrived, emptied;
    std::string waiting;
    std::size_t in_hand = 0;  // octets that the thread is writing
    std::uint64_t dropped = 0;
    bool ending = false;
    std::thread thread;

    State(int to, Note told) : descriptor(to), kind(kind_of(to)), note(std::move(told)) {
        if (!end) throw std::system_error(base::last_error(), "eventfd");
    }

    bool idle() const { return waiting.empty() && in_hand == 0; }

    std::string count_dropped() { return note(std::exchange(dropped, 0)); }

    /// Returns whether all of it was written.
    bool write_out(std::string_view text) {
        while (!text.empty()) {
            std::array<pollfd, 2> either{{{descriptor, POLLOUT, 0}, {end.get(), POLLIN, 0}}};
            poll(either.data(), either.size(), -1);
            if (either[1].revents != 0 || write_off(descriptor, kind, text)) break;
        }
        const std::lock_guard lock(mutex);
        dropped += static_cast<std::uint64_t>(std::count(text.begin(), text.end(), '\n'));
        return text.empty();
    }

    void work() {
        std::unique_lock lock(mutex);
        for (;;) {
            arrived.wait(lock, [this] { return ending || !waiting.empty(); });
            if (waiting.empty()) return;
            const std::string text = std::exchange(waiting, {});
            in_hand = text.size();
            lock.unlock();
            const bool whole = write_out(text);
            lock.lock();
            // To wake this thread for each line costs more than to write it.
            if (kind == Kind::other) arrived.wait_for(lock, company_for, [this] { return ending; });
            in_hand = 0;
            if (waiting.empty() && whole && dropped > 0) waiting = count_dropped();
            if (waiting.empty()) emptied.notify_all();
        }
    }
};

LogOutput::LogOutput(int descriptor, Note note)
    : state_(std::make_shared<State>(descriptor, std::move(note))) {
    state_->thread = std::thread([state = state_] { state->work(); });
}

LogOutput::~LogOutput() {
    settle(std::chrono::seconds(1));
    bool idle = false;
    {
        const std::lock_guard lock(state_->mutex);
        idle = state_->idle();
        state_->ending = true;
    }
    state_->arrived.notify_one();
    eventfd_write(state_->end.get(), 1);
    if (idle || state_->kind != Kind::other)
        state_->thread.join();
    else
        state_->thread.detach();
}

void LogOutput::write(std::string_view line) {
    State& state = *state_;
    const std::lock_guard lock(state.mutex);
    if (!state.idle()) {
        if (state.dropped > 0 || state.waiting.size() + state.in_hand + line.size() > most_waiting)
            ++state.dropped;
        else
            state.waiting.append(line);
        return;
    }
    const auto gap = state.dropped;
    const std::string with_note = gap > 0 ? state.count_dropped().append(line) : std::string();
    std::string_view rest = gap > 0 ? with_note : line;
    if (state.kind != Kind::other && write_off(state.descriptor, state.kind, rest)) {
        state.dropped = gap + 1;
        return;
    }
    if (rest.empty()) return;
    state.waiting.assign(rest);
    state.arrived.notify_one();
}

void LogOutput::settle(std::chrono::milliseconds most) {
    std::unique_lock lock(state_->mutex);
    state_->emptied.wait_for(lock, most, [this] { return state_->idle(); });
}

}  // namespace postern::agent
