// A connection to one web server, plain or TLS, that waits for nothing longer than it is told to and ends at
// once when it is stopped.
#pragma once

#include <chrono>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "sync/primary/http.h"

namespace postern::sync {

/// Used by one thread. SIGPIPE must be blocked or ignored.
class HttpStream final {
public:
    using Steady = std::chrono::steady_clock;
    template <class T>
    using Result = tl::expected<T, HttpFailure>;

    HttpStream(const BaseUrl& base, const HttpSettings& settings, std::stop_token stop);
    ~HttpStream();
    HttpStream(const HttpStream&) = delete;
    HttpStream& operator=(const HttpStream&) = delete;

    /// "host:port", for an administrator.
    const std::string& where() const;

    /// Whether there is a connection that the server has neither ended nor said anything on.
    bool idle() const;
    /// Looks the name up, connects to its addresses in turn and shakes hands.
    Result<void> open(Steady::time_point deadline);
    void close();

    Result<void> write(std::string_view octets, Steady::time_point deadline);
    /// 0: the server has ended the connection.
    Result<std::size_t> read(char* to, std::size_t size, Steady::time_point deadline);

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace postern::sync
