#include "relay/loop.h"

#include <exception>
#include <future>
#include <string>

#include "sync/base/thread_name.h"

namespace postern::relay {

void Loop::start() {
    thread_ = std::thread([this] { run(); });
}

void Loop::run() {
    base::name_thread(std::string(text_of(area_)) + (number_ > 0 ? ' ' + std::to_string(number_ + 1) : ""));
    for (;;) {
        try {
            io_.run();
            return;
        } catch (const std::exception& fault) {
            observer_.on(event::Trouble{area_, fault.what(), true});
        }
    }
}

void Loop::finish(net::awaitable<void> work) {
    std::promise<void> over;
    asio::co_spawn(io_, std::move(work), [&over](const std::exception_ptr&) { over.set_value(); });
    over.get_future().wait();
}

void Loop::join() {
    work_.reset();
    io_.stop();
    if (thread_.joinable()) thread_.join();
}

Loops::Loops(event::Area area, std::size_t count, Observer& observer) {
    for (std::size_t number = 0; number < count; ++number)
        loops_.push_back(std::make_unique<Loop>(area, observer, number));
}

/// A coroutine of one that waits for another goes with either.
Loops::~Loops() {
    for (auto& loop : loops_) loop->clear();
}

std::vector<net::io_context*> Loops::ios() const {
    std::vector<net::io_context*> out;
    for (const auto& loop : loops_) out.push_back(&loop->io());
    return out;
}

void Loops::start() {
    try {
        for (auto& loop : loops_) loop->start();
    } catch (...) {
        join();
        throw;
    }
}

void Loops::close() {
    for (auto& loop : loops_) loop->close();
}

void Loops::join() {
    for (auto& loop : loops_) loop->join();
}

}  // namespace postern::relay
