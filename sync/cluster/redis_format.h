// What is said to a Redis or Valkey server and by it (RESP2), as pure functions over octets.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace postern::sync {

/// One answer.
struct RedisValue {
    enum class Kind : std::uint8_t { nothing, integer, text, list, error };

    Kind kind = Kind::nothing;
    std::int64_t number = 0;       // of an integer
    std::string text;              // of any octets; of an error its code and words
    std::vector<RedisValue> list;  // errors may be among them

    bool operator==(const RedisValue&) const = default;
};

/// Its name and its arguments, of any octets.
using RedisCommand = std::vector<std::string>;

/// One after the other, as they are written. None may be empty: a server does not answer to that.
std::string redis_request(const std::vector<RedisCommand>& commands);

/// The answers to so many commands. Bounded: octets and values of all of them, lists in one another, octets
/// of a line. What is announced takes no memory before it comes. Throws std::bad_alloc and nothing else.
class RedisReplyReader final {
public:
    enum class Step : std::uint8_t { more, complete, malformed, too_large };

    static constexpr std::size_t most_octets = 64u << 20, most_values = 1'000'000, deepest = 7,
                                 longest_line = 64u << 10;

    explicit RedisReplyReader(std::size_t answers);
    ~RedisReplyReader();
    RedisReplyReader(const RedisReplyReader&) = delete;
    RedisReplyReader& operator=(const RedisReplyReader&) = delete;

    /// What follows the last answer is malformed: the server speaks out of turn. Nothing follows what is
    /// malformed or too large.
    Step feed(std::string_view octets);
    /// Those that are whole, at any step.
    std::vector<RedisValue> take();
    /// What is malformed or too large, as a part of a sentence.
    const std::string& words() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace postern::sync
