// The reply of a mail server that is asked about an address, in two pieces: the first octet says where it is
// cut.
#include <string_view>

#include "sync/smtp/reply.h"
#include "tests/fuzz/target.h"

using namespace postern::sync::smtp;
using namespace postern::fuzz;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::string_view octets(reinterpret_cast<const char*>(data + 1), size - 1);
    ReplyReader whole, pieces;
    const auto step = whole.feed(octets);
    const auto cut = std::min<std::size_t>(data[0], octets.size());
    pieces.feed(octets.substr(0, cut));
    require(pieces.feed(octets.substr(cut)) == step);
    if (step != ReplyReader::Step::complete) return 0;
    const Reply reply = whole.take();
    require(reply.code >= 200 && reply.code <= 599);
    require(reply.words().size() <= 204);
    for (const char c : reply.words()) require(c >= ' ' && c <= '~');
    if (judge(reply) == Existence::absent) require(reply.code / 100 == 5);
    reply.offers("STARTTLS");
    return 0;
}
