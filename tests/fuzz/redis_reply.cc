// What a Redis server answers, in two pieces: the first octet says to how many commands, the second where it
// is cut.
#include <algorithm>

#include "sync/cluster/redis_format.h"
#include "tests/fuzz/target.h"

using namespace postern::sync;
using namespace postern::fuzz;

namespace {

/// How many values there are, none of them too deep.
std::size_t count(const RedisValue& value, std::size_t depth = 0) {
    require(depth <= RedisReplyReader::deepest);
    require(value.kind == RedisValue::Kind::list || value.list.empty());
    std::size_t all = 1;
    for (const RedisValue& one : value.list) all += count(one, depth + 1);
    return all;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using Step = RedisReplyReader::Step;
    if (size > RedisReplyReader::longest_line) return 0;  // how a line is too long depends on its pieces
    std::string_view octets = text_of(data, size);
    const std::size_t answers = take_octet(octets) % 8;
    const auto cut = std::min<std::size_t>(take_octet(octets), octets.size());
    RedisReplyReader whole(answers), pieces(answers);
    const Step step = whole.feed(octets);
    const Step first = pieces.feed(octets.substr(0, cut));
    require(pieces.feed(octets.substr(cut)) == step);
    require((step == Step::malformed || step == Step::too_large) == !whole.words().empty());
    const auto read = whole.take();
    require(read == pieces.take());
    require(step == Step::complete ? read.size() == answers : read.size() <= answers);
    if (first == Step::complete && cut < octets.size()) require(step == Step::malformed);
    std::size_t values = 0, text = 0;
    for (const RedisValue& one : read) {
        values += count(one);
        text += one.text.size();
    }
    require(values <= RedisReplyReader::most_values && text <= octets.size());
    return 0;
}
