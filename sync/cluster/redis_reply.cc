#include "sync/cluster/redis_reply.h"

#include <hiredis/hiredis.h>

#include <new>
#include <utility>

namespace postern::sync {

namespace {

using Kind = RedisValue::Kind;

/// Where a value belongs: into the list it is of, or nowhere, and then it is the reader's.
RedisValue* put(const redisReadTask* task, RedisValue value) {
    auto& left = *static_cast<std::size_t*>(task->privdata);
    if (left == 0) return nullptr;
    --left;
    if (task->parent == nullptr) return new (std::nothrow) RedisValue(std::move(value));
    auto& list = static_cast<RedisValue*>(task->parent->obj)->list;
    const auto at = static_cast<std::size_t>(task->idx);
    if (at >= list.size()) return nullptr;
    list[at] = std::move(value);
    return &list[at];
}

// The library's versions differ in the types of numbers, and in what else there is. Whatever is given null
// the reader takes for a lack of memory, and fails.

RedisValue* put_text(const redisReadTask* task, const char* text, std::size_t length) try {
    RedisValue out;
    out.kind = task->type == REDIS_REPLY_ERROR ? Kind::error : Kind::text;
    out.text.assign(text, length);
    return put(task, std::move(out));
} catch (const std::bad_alloc&) {
    return nullptr;
}

RedisValue* put_list(const redisReadTask* task, std::int64_t elements) try {
    const auto& left = *static_cast<const std::size_t*>(task->privdata);
    if (elements < 0 || static_cast<std::size_t>(elements) > left) return nullptr;
    RedisValue out;
    out.kind = Kind::list;
    out.list.resize(static_cast<std::size_t>(elements));
    return put(task, std::move(out));
} catch (const std::bad_alloc&) {
    return nullptr;
}

template <class Functions>
void add_later_kinds(Functions& functions) {
    // Of a later protocol, which nobody has asked for.
    if constexpr (requires { functions.createDouble; })
        functions.createDouble = [](auto...) -> void* { return nullptr; };
    if constexpr (requires { functions.createBool; })
        functions.createBool = [](auto...) -> void* { return nullptr; };
}

redisReplyObjectFunctions make_functions() {
    redisReplyObjectFunctions out{};
    out.createString = [](const redisReadTask* task, char* text, std::size_t length) -> void* {
        return put_text(task, text, length);
    };
    out.createArray = [](const redisReadTask* task, auto elements) -> void* {
        return put_list(task, static_cast<std::int64_t>(elements));
    };
    out.createInteger = [](const redisReadTask* task, long long number) -> void* {
        RedisValue value;
        value.kind = Kind::integer;
        value.number = number;
        return put(task, std::move(value));
    };
    out.createNil = [](const redisReadTask* task) -> void* { return put(task, {}); };
    out.freeObject = [](void* value) { delete static_cast<RedisValue*>(value); };
    add_later_kinds(out);
    return out;
}

}  // namespace

struct RedisReplies::Reader {
    Reader() : reader(redisReaderCreateWithFunctions(&functions)) {
        if (reader == nullptr) throw std::bad_alloc();
        reader->privdata = &left;
    }
    ~Reader() { redisReaderFree(reader); }
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;

    redisReplyObjectFunctions functions = make_functions();
    std::size_t left = most_values;
    redisReader* reader;
};

RedisReplies::RedisReplies() : reader_(std::make_unique<Reader>()) {}
RedisReplies::~RedisReplies() = default;

bool RedisReplies::feed(std::string_view octets) {
    octets_ += octets.size();
    failed_ = failed_ || octets_ > most_octets ||
              redisReaderFeed(reader_->reader, octets.data(), octets.size()) != REDIS_OK;
    return !failed_;
}

std::optional<RedisValue> RedisReplies::take() {
    if (failed_) return std::nullopt;
    void* reply = nullptr;
    if (redisReaderGetReply(reader_->reader, &reply) != REDIS_OK) {
        failed_ = true;
        return std::nullopt;
    }
    if (reply == nullptr) return std::nullopt;
    const std::unique_ptr<RedisValue> whole(static_cast<RedisValue*>(reply));
    octets_ = 0;
    reader_->left = most_values;
    return std::move(*whole);
}

std::string to_octets(const RedisCommand& command) {
    std::vector<const char*> words;
    std::vector<std::size_t> lengths;
    for (const auto& word : command) {
        words.push_back(word.data());
        lengths.push_back(word.size());
    }
    char* octets = nullptr;
    const auto length =
        redisFormatCommandArgv(&octets, static_cast<int>(words.size()), words.data(), lengths.data());
    if (length < 0 || octets == nullptr) throw std::bad_alloc();
    std::string out(octets, static_cast<std::size_t>(length));
    redisFreeCommand(octets);
    return out;
}

}  // namespace postern::sync
