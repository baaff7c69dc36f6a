// A connection to a Redis or Valkey.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "sync/base/clock.h"
#include "sync/cluster/redis_reply.h"
#include "sync/primary/stream.h"

namespace postern::sync {

struct RedisSettings {
    std::string url;                      // see RedisUrl
    std::string username;                 // "": the default user's
    std::filesystem::path password_file;  // empty: none is given; read at each connection
    std::filesystem::path ca_file;        // PEM; empty: the system's store
    bool verify_tls = true;
    bool operator==(const RedisSettings&) const = default;
};

/// "redis://host:6379/0", or "rediss://" for TLS; port and database may be left out.
struct RedisUrl {
    bool tls = false;
    std::string host;  // an IPv6 literal without brackets
    int port = 6379;
    unsigned database = 0;

    /// The error says in words what is wrong.
    static tl::expected<RedisUrl, std::string> parse(std::string_view url);
};

/// Used by one thread; SIGPIPE must be blocked or ignored. Connects when it is asked and is not connected.
class Redis final {
public:
    /// Throws std::invalid_argument for a url that is none.
    Redis(RedisSettings settings, const base::Clock& clock, std::stop_token stop);

    /// All commands in one write, and their answers in order; an error that the server answers to one of them
    /// is an answer. Otherwise what went wrong, in words, and the connection is closed.
    tl::expected<std::vector<RedisValue>, std::string> ask(const std::vector<RedisCommand>& commands,
                                                           base::Moment deadline);

    void close();
    bool connected() const { return replies_.has_value(); }
    std::uint64_t connections() const { return connections_; }  // made so far
    const std::string& where() const { return stream_.where(); }

private:
    using Answers = tl::expected<std::vector<RedisValue>, std::string>;

    tl::expected<void, std::string> connect(base::Moment deadline);
    Answers exchange(const std::vector<RedisCommand>& commands, base::Moment deadline);

    const RedisSettings settings_;
    const RedisUrl url_;
    Stream stream_;
    std::optional<RedisReplies> replies_;  // of the connection there is
    std::uint64_t connections_ = 0;
};

}  // namespace postern::sync
