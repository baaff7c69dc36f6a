#include "relay/delivery/environment.h"

#include <exception>
#include <utility>

namespace postern::relay {

void Environment::run(net::awaitable<void> work, std::function<void()> after) {
    auto over = [this, after = std::move(after)](const std::exception_ptr& fault) {
        if (after) after();
        if (!fault) return;
        try {
            std::rethrow_exception(fault);
        } catch (const std::exception& what) {
            observer.on(event::Trouble{event::Area::delivery, what.what(), true});
        }
    };
    // Never at once: the queue may be offering a job just now, and must not be told of it before it has done.
    asio::post(io, [this, work = std::move(work), over = std::move(over)]() mutable {
        asio::co_spawn(io, std::move(work), std::move(over));
    });
}

void Environment::tell_our_trouble(const std::string& what) {
    Time time = clock.steady();
    if (time < next_trouble) return;
    next_trouble = time + std::chrono::minutes(1);
    observer.on(event::Trouble{event::Area::delivery, what, true});
}

}  // namespace postern::relay
