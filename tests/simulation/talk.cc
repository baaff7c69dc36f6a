#include "tests/simulation/talk.h"

#include <asio/buffer.hpp>
#include <asio/read_until.hpp>
#include <utility>

namespace postern::simulation {

/// One alarm for all that goes on: it looks whether what it rang for is still waited for.
struct Talk::Line : std::enable_shared_from_this<Line> {
    Line(io_context& io, const base::Clock& the_clock, Socket its_socket)
        : clock(the_clock), socket(std::move(its_socket)), watchdog(io, the_clock) {}

    void arm() {
        armed = deadline;
        watchdog.expires_at(deadline);
        watchdog.async_wait([weak = weak_from_this()](std::error_code error) {
            const auto self = weak.lock();
            if (error || !self) return;
            self->armed = base::Moment::max();
            std::error_code ignored;
            if (self->deadline <= self->clock.now())
                self->socket.close(ignored);
            else if (self->deadline < base::Moment::max())
                self->arm();
        });
    }

    const base::Clock& clock;
    Socket socket;
    relay::net::Timer watchdog;
    base::Moment deadline = base::Moment::max(), armed = base::Moment::max();
};

Talk::Talk(io_context& io, const base::Clock& clock, Socket socket, std::chrono::seconds patience)
    : clock_(clock),
      line_(std::make_shared<Line>(io, clock, std::move(socket))),
      pause_(std::make_shared<relay::net::Timer>(io, clock)),
      patience_(patience) {}

Talk::~Talk() { end(); }

void Talk::patient(bool yes) {
    line_->deadline = yes ? clock_.now() + patience_ : base::Moment::max();
    if (line_->deadline < line_->armed) line_->arm();
}

awaitable<std::optional<std::string>> Talk::line() {
    std::size_t octets = buffer_.find("\r\n");
    if (octets == std::string::npos) {
        patient(true);
        auto [error, read] = co_await asio::async_read_until(line_->socket, asio::dynamic_buffer(buffer_),
                                                             "\r\n", relay::net::as_value);
        patient(false);
        if (error) co_return std::nullopt;
        octets = read - 2;
    }
    std::string out = buffer_.substr(0, octets);
    buffer_.erase(0, octets + 2);
    co_return out;
}

awaitable<bool> Talk::say(std::string octets) {
    said_ += octets.size();
    patient(true);
    const auto error = co_await write_all(line_->socket, octets);
    patient(false);
    co_return !error;
}

awaitable<void> Talk::pause(std::chrono::milliseconds time) {
    pause_->expires_after(time);
    co_await pause_->async_wait(relay::net::as_value);
}

void Talk::end() {
    line_->watchdog.cancel();
    std::error_code ignored;
    line_->socket.close(ignored);
}

awaitable<std::optional<std::string>> read_content(Talk& talk) {
    std::string out;
    for (;;) {
        auto line = co_await talk.line();
        if (!line) co_return std::nullopt;
        if (*line == ".") co_return out;
        if (line->starts_with('.')) line->erase(0, 1);
        out += *line + "\r\n";
    }
}

std::string stuffed(std::string_view content) {
    std::string out;
    bool begins = true;
    for (const char c : content) {
        if (begins && c == '.') out += '.';
        out += c;
        begins = c == '\n';
    }
    return out + ".\r\n";
}

}  // namespace postern::simulation
