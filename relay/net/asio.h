// The names of Asio that relay uses, in one place. One io_context per thread, never more than one thread per
// io_context: coroutines on it share their room's data without locks.
#pragma once

#include <asio/awaitable.hpp>
#include <asio/bind_executor.hpp>
#include <asio/co_spawn.hpp>
#include <asio/dispatch.hpp>
#include <asio/generic/stream_protocol.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>

#if __has_include(<asio/as_tuple.hpp>)
#include <asio/as_tuple.hpp>
#else
#include <asio/experimental/as_tuple.hpp>
namespace asio {
using experimental::as_tuple;  // where later releases have it
}
#endif

namespace postern::relay::net {

using asio::awaitable;
using asio::io_context;
using tcp = asio::ip::tcp;
using Endpoint = tcp::endpoint;
using Socket = asio::generic::stream_protocol::socket;  // of TCP, or a Unix socket
using Milliseconds = std::chrono::milliseconds;

/// Errors come back as values: `auto [error, n] = co_await socket.async_read_some(buffer, net::as_value);`
inline constexpr auto as_value = asio::as_tuple(asio::use_awaitable);

}  // namespace postern::relay::net
