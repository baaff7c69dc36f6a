// A connection to a Redis or Valkey server, by which several gateways share what they know.
#pragma once

#include <cstdint>
#include <filesystem>
#include <stop_token>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "sync/base/clock.h"
#include "sync/cluster/redis_format.h"
#include "sync/primary/stream.h"

namespace postern::sync {

struct RedisSettings {
    std::string url;                      // as RedisUrl reads it
    std::string username;                 // of an ACL, with a password only; "": the default one
    std::filesystem::path password_file;  // empty: no AUTH; read at each connect, a final newline dropped
    std::filesystem::path ca_file;        // PEM; empty: the system's store
    bool verify_tls = true;

    bool operator==(const RedisSettings&) const = default;
};

/// Used by one thread. SIGPIPE must be blocked or ignored. May wait for a disk, when it connects.
class Redis final {
public:
    template <class T>
    using Result = tl::expected<T, std::string>;

    /// Throws std::invalid_argument when settings.url is none.
    Redis(RedisSettings settings, const base::Clock& clock, std::stop_token stop);

    /// Connects when it is not, by AUTH, SELECT and CLIENT SETNAME. All commands go in one write, and their
    /// answers come in their order; an error that one is answered with is a value. What went wrong with the
    /// connection (refused, AUTH too, ended, silent until the deadline or for a minute, stopped, an answer
    /// that is none or too large) comes in words for an administrator, and it is closed; whether the server
    /// has done what it was told is not known then. Nothing is asked twice. For commands that have one answer
    /// each: no SUBSCRIBE, MONITOR, HELLO or CLIENT REPLY.
    Result<std::vector<RedisValue>> ask(const std::vector<RedisCommand>& commands, base::Moment deadline);
    void close();

    /// Whether there is a connection that was in order when it was last used.
    bool connected() const { return connected_; }
    /// How many were made so far, those that AUTH was refused on among them.
    std::uint64_t connections() const { return connections_; }
    /// "host:port".
    const std::string& where() const { return stream_.where(); }

private:
    Result<void> connect(base::Moment deadline);
    Result<void> sign_in(std::string_view password, base::Moment deadline);
    Stream::Result<void> exchange(std::string_view request, RedisReplyReader& reader, base::Moment deadline);
    std::string why_not(const StreamFailure& failure, const std::string& unread,
                        std::string_view password) const;
    std::string no_redis(std::string_view says) const;

    RedisSettings settings_;
    bool tls_;
    unsigned database_;
    Stream stream_;
    bool connected_ = false;
    std::uint64_t connections_ = 0;
    std::string first_words_;  // the start of what the server said on this connection
};

}  // namespace postern::sync
