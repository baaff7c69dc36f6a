#include "tests/simulation/talk.h"

#include <asio/buffer.hpp>
#include <asio/read_until.hpp>
#include <asio/write.hpp>
#include <utility>

namespace postern::simulation {

Talk::Talk(io_context& io, const base::Clock& clock, Socket socket, std::chrono::seconds patience)
    : socket_(std::make_shared<Socket>(std::move(socket))),
      watchdog_(std::make_shared<relay::net::Timer>(io, clock)),
      pause_(std::make_shared<relay::net::Timer>(io, clock)),
      patience_(patience) {}

Talk::~Talk() { end(); }

void Talk::watch() {
    watchdog_->expires_after(patience_);
    watchdog_->async_wait([socket = std::weak_ptr(socket_)](std::error_code error) {
        const auto open = socket.lock();
        std::error_code ignored;
        if (!error && open) open->close(ignored);
    });
}

awaitable<std::optional<std::string>> Talk::line() {
    watch();
    auto [error, octets] = co_await asio::async_read_until(*socket_, asio::dynamic_buffer(buffer_), "\r\n",
                                                           relay::net::as_value);
    watchdog_->cancel();
    if (error) co_return std::nullopt;
    std::string out = buffer_.substr(0, octets - 2);
    buffer_.erase(0, octets);
    co_return out;
}

awaitable<bool> Talk::say(std::string octets) {
    watch();
    auto [error, written] = co_await asio::async_write(*socket_, asio::buffer(octets), relay::net::as_value);
    watchdog_->cancel();
    co_return !error;
}

awaitable<void> Talk::pause(std::chrono::milliseconds time) {
    pause_->expires_after(time);
    co_await pause_->async_wait(relay::net::as_value);
}

void Talk::end() {
    watchdog_->cancel();
    std::error_code ignored;
    socket_->close(ignored);
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
