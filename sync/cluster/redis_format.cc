#include "sync/cluster/redis_format.h"

#include <hiredis/hiredis.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include "sync/base/ensure.h"

namespace postern::sync {

std::string redis_request(const std::vector<RedisCommand>& commands) {
    constexpr std::size_t beside_a_word = 32;
    std::size_t most = 0;
    for (const RedisCommand& command : commands)
        for (const std::string& word : command) most += word.size() + beside_a_word;
    std::string out;
    out.reserve(most);  // what is moved leaves a copy behind, and it may be a password
    std::vector<const char*> words;
    std::vector<std::size_t> sizes;
    for (const RedisCommand& command : commands) {
        ENSURE(!command.empty() && command.size() < 1u << 20,
               "a Redis command has a name, and some arguments");
        words.clear();
        sizes.clear();
        std::size_t all = 0;
        for (const std::string& word : command) {
            words.push_back(word.data());
            sizes.push_back(word.size());
            all += word.size();
        }
        // The library of Debian 12 counts in int.
        ENSURE(all < 1u << 30, "a Redis command is no larger than its server takes it");
        char* made = nullptr;
        const auto size =
            redisFormatCommandArgv(&made, static_cast<int>(words.size()), words.data(), sizes.data());
        if (size < 0) throw std::bad_alloc();
        const std::unique_ptr<char, decltype(&redisFreeCommand)> owned(made, &redisFreeCommand);
        out.append(made, static_cast<std::size_t>(size));
        ::explicit_bzero(made, static_cast<std::size_t>(size));  // likewise
    }
    return out;
}

struct RedisReplyReader::State {
    explicit State(std::size_t answers);

    Step feed(std::string_view piece);
    /// What has come and cannot be read yet.
    std::string_view rest() const { return {reader->buf + reader->pos, reader->len - reader->pos}; }
    Step fail(Step how, const char* why) {
        words = why;
        return step = how;
    }
    /// To the library this is a want of memory: it stops.
    RedisValue* refuse(Step how, const char* why) {
        fail(how, why);
        return nullptr;
    }
    Step failed();
    RedisValue* place(const redisReadTask& task);
    RedisValue* text(const redisReadTask& task, const char* octets, std::size_t size);
    RedisValue* list(const redisReadTask& task, std::uint64_t size);
    RedisValue* integer(const redisReadTask& task, long long number);

    redisReplyObjectFunctions functions;
    std::unique_ptr<redisReader, decltype(&redisReaderFree)> reader{nullptr, &redisReaderFree};
    const std::size_t wanted;
    std::vector<RedisValue> whole;
    RedisValue next;  // as far as it has come; the library points into it
    std::size_t values = 0, octets = 0;
    Step step;
    std::string words;
};

namespace {

constexpr std::size_t most_at_once = 16u << 10;  // what is left of it is moved for each answer in it
constexpr char long_line[] = "a line of more than 64 KiB";

/// No exception goes through the library, which is C.
template <class Make>
void* without_exception(Make&& make) noexcept {
    try {
        return make();
    } catch (const std::bad_alloc&) {
        return nullptr;
    }
}

template <class State>
State& state_of(const redisReadTask* task) {
    return *static_cast<State*>(task->privdata);
}

/// Sizes of lists are other types, and there are more kinds of values, in the library of Debian 13.
template <class State, class Functions>
Functions functions_of() {
    Functions all{};
    all.createString = [](const redisReadTask* task, char* octets, std::size_t size) {
        return without_exception([&] { return state_of<State>(task).text(*task, octets, size); });
    };
    all.createArray = [](const redisReadTask* task, auto size) {
        return without_exception(
            [&] { return state_of<State>(task).list(*task, static_cast<std::uint64_t>(size)); });
    };
    all.createInteger = [](const redisReadTask* task, long long number) {
        return without_exception([&] { return state_of<State>(task).integer(*task, number); });
    };
    all.createNil = [](const redisReadTask* task) {
        return without_exception([&] { return state_of<State>(task).place(*task); });
    };
    if constexpr (requires { all.createDouble; })
        all.createDouble = [](const redisReadTask* task, double, char*, std::size_t) {
            return without_exception([&] { return state_of<State>(task).place(*task); });
        };
    if constexpr (requires { all.createBool; })
        all.createBool = [](const redisReadTask* task, int) {
            return without_exception([&] { return state_of<State>(task).place(*task); });
        };
    all.freeObject = [](void*) {};  // all belong to the state
    return all;
}

}  // namespace

RedisReplyReader::State::State(std::size_t answers)
    : functions(functions_of<State, redisReplyObjectFunctions>()),
      reader(redisReaderCreateWithFunctions(&functions), &redisReaderFree),
      wanted(answers),
      step(answers == 0 ? Step::complete : Step::more) {
    if (!reader) throw std::bad_alloc();
    reader->privdata = this;
}

/// Of the task's value, in its list or by itself. A list does not grow while one in it does, so that what
/// the library points to stays where it is.
RedisValue* RedisReplyReader::State::place(const redisReadTask& task) {
    constexpr int known[] = {REDIS_REPLY_STRING, REDIS_REPLY_ARRAY, REDIS_REPLY_INTEGER, REDIS_REPLY_STATUS,
                             REDIS_REPLY_ERROR};
    if (std::find(std::begin(known), std::end(known), task.type) == std::end(known))
        return refuse(Step::malformed, "a value of another version of the protocol");
    if (++values > most_values) return refuse(Step::too_large, "more than 1,000,000 values");
    if (task.parent != nullptr) return &static_cast<RedisValue*>(task.parent->obj)->list.emplace_back();
    next = {};
    return &next;
}

RedisValue* RedisReplyReader::State::text(const redisReadTask& task, const char* begin, std::size_t size) {
    // The library does not look at what follows, but has it.
    if (task.type == REDIS_REPLY_STRING && (begin[size] != '\r' || begin[size + 1] != '\n'))
        return refuse(Step::malformed, "a text of another length than announced");
    if (task.type != REDIS_REPLY_STRING && size > longest_line) return refuse(Step::too_large, long_line);
    RedisValue* const to = place(task);
    if (to == nullptr) return nullptr;
    to->kind = task.type == REDIS_REPLY_ERROR ? RedisValue::Kind::error : RedisValue::Kind::text;
    to->text.assign(begin, size);
    return to;
}

RedisValue* RedisReplyReader::State::list(const redisReadTask& task, std::uint64_t size) {
    std::size_t depth = 1;
    for (const redisReadTask* outer = task.parent; outer != nullptr; outer = outer->parent) ++depth;
    if (depth > deepest) return refuse(Step::too_large, "lists in one another, more than 7");
    if (size >= most_values - values) return refuse(Step::too_large, "more than 1,000,000 values");
    RedisValue* const to = place(task);
    if (to != nullptr) to->kind = RedisValue::Kind::list;
    return to;
}

RedisValue* RedisReplyReader::State::integer(const redisReadTask& task, long long number) {
    RedisValue* const to = place(task);
    if (to == nullptr) return nullptr;
    to->kind = RedisValue::Kind::integer;
    to->number = number;
    return to;
}

/// The library has stopped: because it was told to, or by itself.
RedisReplyReader::Step RedisReplyReader::State::failed() {
    if (step != Step::more) return step;
    if (reader->err != REDIS_ERR_PROTOCOL) throw std::bad_alloc();
    return fail(Step::malformed, reader->errstr);
}

RedisReplyReader::Step RedisReplyReader::State::feed(std::string_view piece) {
    octets += piece.size();
    if (octets > most_octets) return fail(Step::too_large, "more than 64 MiB");
    if (redisReaderFeed(reader.get(), piece.data(), piece.size()) != REDIS_OK) return failed();
    while (whole.size() < wanted) {
        void* answer = nullptr;
        if (redisReaderGetReply(reader.get(), &answer) != REDIS_OK) return failed();
        if (answer == nullptr) {
            // The library would look for the end of the line from its beginning whenever more has come.
            constexpr std::size_t with_its_end = longest_line + 2;
            if (rest().size() >= with_its_end && rest().substr(0, with_its_end).find("\r\n") == rest().npos)
                return fail(Step::too_large, long_line);
            return step;
        }
        whole.push_back(std::move(next));
    }
    if (!rest().empty()) return fail(Step::malformed, "more than what was asked for");
    return step = Step::complete;
}

RedisReplyReader::RedisReplyReader(std::size_t answers) : state_(std::make_unique<State>(answers)) {}

RedisReplyReader::~RedisReplyReader() = default;

RedisReplyReader::Step RedisReplyReader::feed(std::string_view octets) {
    State& state = *state_;
    for (; !octets.empty() && state.step == Step::more;
         octets.remove_prefix(std::min(most_at_once, octets.size())))
        state.feed(octets.substr(0, most_at_once));
    if (!octets.empty() && state.step == Step::complete)
        return state.fail(Step::malformed, "more than what was asked for");
    return state.step;
}

std::vector<RedisValue> RedisReplyReader::take() { return std::move(state_->whole); }

const std::string& RedisReplyReader::words() const { return state_->words; }

}  // namespace postern::sync
