// One coroutine on several loops: a part of it goes on where its connection lives, and whoever waits for that
// has its own thread back afterwards.
#pragma once

#include <type_traits>
#include <utility>

#include "relay/net/asio.h"

namespace postern::relay::net {

/// Lets `work` run to its end on that loop, which may be the caller's own, and gives what it gives or throws
/// what it throws. What `work` refers to must not be touched meanwhile.
template <typename Result>
awaitable<Result> on_loop(io_context& io, awaitable<Result> work) {
    const auto here = co_await asio::this_coro::executor;
    if (here == asio::any_io_executor(io.get_executor()))
        co_return co_await std::move(work);
    else
        co_return co_await asio::co_spawn(io, std::move(work), asio::use_awaitable);
}

}  // namespace postern::relay::net
