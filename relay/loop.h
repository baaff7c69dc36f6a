// A thread of the mail's, and what others ask of it.
#pragma once

#include <cstddef>
#include <memory>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "relay/answer.h"
#include "relay/net/asio.h"
#include "relay/observer.h"

namespace postern::relay {

/// What has to do with `io()` runs on one thread between start() and join(). The other members may be called
/// from any other thread.
class Loop {
public:
    /// The thread has the area's name, and a number where there are several; what escapes its work is told
    /// as trouble there, and it goes on.
    Loop(event::Area area, Observer& observer, std::size_t number = 0)
        : area_(area), number_(number), observer_(observer) {}

    net::io_context& io() { return io_; }

    void start();
    /// Lets `work` run to its end there, and waits for that.
    void finish(net::awaitable<void> work);
    /// Whoever asks from now on, or is waiting for an answer, gets a default value.
    void close() { closed_.request_stop(); }
    /// The thread ends, whatever is still to be done on it. After close().
    void join();
    /// What still waits there goes, while the loops that it waits for on others are all there. After join().
    void clear() { io_.clear(); }

    /// Runs `work` there and waits for what it gives.
    template <typename Work>
    auto ask(Work work) -> decltype(work()) {
        using Value = decltype(work());
        auto answer = std::make_shared<Answer<Value>>();
        const std::stop_callback at_the_end(closed_.get_token(),
                                            [answer] { answer->give([] { return Value(); }); });
        asio::post(io_, [answer, work = std::move(work)]() mutable { answer->give(work); });
        return answer->wait();
    }

private:
    void run();

    struct Io : net::io_context {
        using io_context::io_context;
        void clear() { shutdown(); }
    };

    const event::Area area_;
    const std::size_t number_;
    Observer& observer_;
    std::stop_source closed_;
    Io io_{1};
    // So that what it watches descriptors with is there from the start, not made when there are none left.
    const net::Socket first_{io_};
    asio::executor_work_guard<net::io_context::executor_type> work_{io_.get_executor()};
    std::thread thread_;
};

/// Those of one area. The first is the one that decides; the others carry connections for it.
class Loops {
public:
    Loops(event::Area area, std::size_t count, Observer& observer);
    ~Loops();
    Loops(const Loops&) = delete;
    Loops& operator=(const Loops&) = delete;

    Loop& first() { return *loops_.front(); }
    std::vector<net::io_context*> ios() const;

    // Of all of them, see Loop. Where one cannot be started none is, and that is thrown.
    void start();
    void close();
    void join();

private:
    std::vector<std::unique_ptr<Loop>> loops_;
};

}  // namespace postern::relay
