#include "sync/cluster/round.h"

#include <utility>

namespace postern::sync {

void Round::add(RedisCommand command, Take take) {
    commands_.push_back(std::move(command));
    takes_.push_back(std::move(take));
}

std::optional<Round::Fault> Round::ask(Redis& redis, base::Moment deadline) {
    auto answers = redis.ask(commands_, deadline);
    std::optional<Fault> out;
    if (!answers) out = Fault{answers.error(), {}};
    for (std::size_t at = 0; at < takes_.size(); ++at) {
        RedisValue none;
        none.kind = RedisValue::Kind::error;
        RedisValue& answer = answers ? (*answers)[at] : none;
        if (!takes_[at](answer) && !out) out = Fault{{}, answer};
    }
    return out;
}

}  // namespace postern::sync
