// Work that takes longer than a loop may be held up, or waits for a disk: done on threads beside it, awaited.
#pragma once

#include <asio/any_io_executor.hpp>
#include <asio/associated_executor.hpp>
#include <asio/executor_work_guard.hpp>
#include <exception>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "relay/net/asio.h"

namespace postern::relay::net {

/// Gives what `work` gives, or throws what it throws. `work` shares nothing with the loop that waits, which
/// goes on meanwhile: whoever comes back looks at everything again.
template <typename Work>
awaitable<std::invoke_result_t<Work&>> elsewhere(asio::any_io_executor where, Work work) {
    using Result = std::invoke_result_t<Work&>;
    auto result = std::make_shared<std::optional<Result>>();
    auto initiate = [where = std::move(where), result](auto handler, Work task) {
        auto back = asio::make_work_guard(asio::get_associated_executor(handler));
        asio::post(where, [result, handler = std::move(handler), task = std::move(task),
                           back = std::move(back)]() mutable {
            std::exception_ptr fault;
            try {
                result->emplace(task());
            } catch (...) {
                fault = std::current_exception();
            }
            asio::post(back.get_executor(),
                       [handler = std::move(handler), fault]() mutable { std::move(handler)(fault); });
        });
    };
    co_await asio::async_initiate<const asio::use_awaitable_t<>, void(std::exception_ptr)>(
        initiate, asio::use_awaitable, std::move(work));
    co_return std::move(**result);
}

}  // namespace postern::relay::net
