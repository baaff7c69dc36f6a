// Commands that are asked in one go, each with what is done with its answer.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "sync/base/clock.h"
#include "sync/cluster/redis.h"

namespace postern::sync {

/// Used once.
class Round {
public:
    using Take = std::function<bool(RedisValue&)>;  // false: it is no answer to that

    void add(RedisCommand command, Take take);
    /// Each answer is taken, whatever comes of the others; where the server gave none, an error without
    /// words. What went wrong first: `error` in words, or the `answer` that was none.
    struct Fault {
        std::string error;
        RedisValue answer;
    };
    std::optional<Fault> ask(Redis& redis, base::Moment deadline);

private:
    std::vector<RedisCommand> commands_;
    std::vector<Take> takes_;
};

}  // namespace postern::sync
