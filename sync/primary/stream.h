// A connection to one server of a primary, plain or TLS, that waits for nothing longer than it is told to and
// ends at once when it is stopped.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "sync/base/clock.h"
#include "sync/primary/url.h"
#include "sync/trouble.h"

namespace postern::sync {

struct StreamSettings {
    std::filesystem::path ca_file;  // PEM; empty: the system's store
    bool verify_tls = true;
    std::chrono::milliseconds connect{5000};   // to connect to an address; twice that for the TLS handshake
    std::chrono::milliseconds silence{60000};  // without an octet from the server
};

enum class StreamFault : std::uint8_t { transport, too_large, cancelled };

struct StreamFailure {
    StreamFault fault = StreamFault::transport;
    std::string words;  // what went wrong, for an administrator
    Trouble trouble = Trouble::other;
};

/// Used by one thread. SIGPIPE must be blocked or ignored.
class Stream final {
public:
    template <class T>
    using Result = tl::expected<T, StreamFailure>;

    Stream(const BaseUrl& base, const StreamSettings& settings, const base::Clock& clock,
           std::stop_token stop);
    ~Stream();
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;

    /// "host:port", for an administrator.
    const std::string& where() const;

    /// Whether there is a connection that the server has neither ended nor said anything on.
    bool idle() const;
    /// Looks the name up, connects to its addresses in turn and shakes hands.
    Result<void> open(base::Moment deadline);
    /// On a connection that is plain so far (RFC 3207).
    Result<void> start_tls(base::Moment deadline);
    void close();

    Result<void> write(std::string_view octets, base::Moment deadline);
    /// 0: the server has ended the connection.
    Result<std::size_t> read(char* to, std::size_t size, base::Moment deadline);

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace postern::sync
