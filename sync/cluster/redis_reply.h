// What a Redis or Valkey answers (RESP2), out of octets as they come.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace postern::sync {

/// One answer, or a part of one.
struct RedisValue {
    enum class Kind : std::uint8_t { nothing, integer, text, list, error };
    Kind kind = Kind::nothing;
    std::int64_t number = 0;
    std::string text;
    std::vector<RedisValue> list;

    bool operator==(const RedisValue&) const = default;
};

/// Reads one answer after the other. Used by one thread; of no use any more once it says that what came is no
/// answer.
class RedisReplies {
public:
    static constexpr std::size_t most_octets = 64u << 20, most_values = 1'000'000;  // of one answer

    RedisReplies();
    ~RedisReplies();
    RedisReplies(const RedisReplies&) = delete;
    RedisReplies& operator=(const RedisReplies&) = delete;

    /// False: they are no answer of such a server, or too much of one.
    bool feed(std::string_view octets);
    /// The next answer that is there whole; nullopt when there is none, so far or for ever.
    std::optional<RedisValue> take();
    bool failed() const { return failed_; }

private:
    struct Reader;
    std::unique_ptr<Reader> reader_;
    std::size_t octets_ = 0;  // since the last whole answer
    bool failed_ = false;
};

using RedisCommand = std::vector<std::string>;
/// As the server reads it.
std::string to_octets(const RedisCommand& command);

}  // namespace postern::sync
