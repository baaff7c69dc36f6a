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
    base::name_thread(std::string(text_of(area_)));
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
