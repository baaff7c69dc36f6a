// A reply of a web server nobody vouches for: the same however it is cut into pieces, and never more than is
// allowed.
#include "agent/https_reply.h"

#include "tests/fuzz/target.h"

using namespace postern::agent;
using namespace postern::fuzz;
using Step = HttpsReplyReader::Step;

namespace {

constexpr std::size_t body_max = 1000;

struct Outcome {
    Step step = Step::more;
    std::string body, fault;
    bool operator==(const Outcome&) const = default;
};

Outcome read(std::string_view input, std::size_t piece) {
    HttpsReplyReader reader(body_max);
    Outcome outcome;
    while (outcome.step == Step::more && !input.empty()) {
        outcome.step = reader.feed(input.substr(0, piece));
        input.remove_prefix(std::min(piece, input.size()));
    }
    if (outcome.step == Step::more) outcome.step = reader.end();
    require(outcome.step != Step::more);
    if (outcome.step == Step::failed) {
        outcome.fault = reader.fault();
        require(!outcome.fault.empty());
    } else {
        HttpsReply reply = reader.take();
        require(reply.status >= 200 && reply.status <= 599 && reply.body.size() <= body_max);
        require(reply.status == 200 || reply.body.empty());
        outcome.body = std::move(reply.body);
    }
    return outcome;
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input = text_of(data, size);
    const Outcome whole = read(input, size + 1);
    require(read(input, 1) == whole);
    require(read(input, 7) == whole);
    return 0;
}
