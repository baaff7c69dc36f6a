// Where log lines go: a descriptor whose reader may stop reading, which must stop nobody here.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace postern::agent {

/// A pipe and a socket take a line at once as long as they have room for it. What they do not take, and
/// whatever goes to a file or a terminal, waits for a thread that writes it out in order. The descriptor is
/// shared with other programs, so its mode is left as it is. Thread-safe.
class LogOutput {
public:
    /// The line that tells how many were dropped.
    using Note = std::function<std::string(std::uint64_t dropped)>;

    /// What may wait, in octets. Once it is full, lines are dropped until it has emptied, so that the gap is
    /// one, and told where it is.
    static constexpr std::size_t most_waiting = 4 << 20;

    /// `descriptor` stays the caller's and stays open. Looks once at what it is.
    LogOutput(int descriptor, Note note);
    /// Waits a second at the most for what waits to be written.
    ~LogOutput();
    LogOutput(const LogOutput&) = delete;
    LogOutput& operator=(const LogOutput&) = delete;

    /// Never waits for the reader, nor for a disk. A line that cannot be written at all counts as dropped.
    void write(std::string_view line);

    /// Returns when nothing waits any more, or after `most`.
    void settle(std::chrono::milliseconds most);

private:
    struct State;
    std::shared_ptr<State> state_;  // also of the thread, which a dead disk can keep for ever
};

}  // namespace postern::agent
