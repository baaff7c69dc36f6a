#include "relay/loop.h"

#include <pthread.h>

#include <exception>
#include <future>
#include <string>

namespace postern::relay {

void Loop::start() {
    thread_ = std::thread([this] { run(); });
}

void Loop::run() {
    pthread_setname_np(pthread_self(), std::string(text_of(area_)).c_str());
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
    thread_.join();
}

}  // namespace postern::relay
