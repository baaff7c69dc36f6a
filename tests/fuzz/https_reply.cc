// A reply of a web server nobody vouches for: the same however it is cut into pieces, and never more than is
// allowed.
#include "sync/base/http_reply.h"

#include "tests/fuzz/target.h"

using namespace postern::base;
using namespace postern::fuzz;
using Step = HttpReplyReader::Step;

namespace {

constexpr std::size_t body_max = 1000;

struct Outcome {
    Step step = Step::more;
    std::string body, fault;
    bool operator==(const Outcome&) const = default;
};

Outcome read(std::string_view input, std::size_t piece, bool every_body) {
    HttpReplyReader reader({body_max, 16 << 10, every_body});
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
        HttpMessage reply = reader.take();
        require(reply.status >= 200 && reply.status <= 599 && reply.body.size() <= body_max);
        require(every_body || reply.status == 200 || reply.body.empty());
        outcome.body = std::move(reply.body);
    }
    return outcome;
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input = text_of(data, size);
    for (const bool every_body : {false, true}) {
        const Outcome whole = read(input, size + 1, every_body);
        require(read(input, 1, every_body) == whole);
        require(read(input, 7, every_body) == whole);
    }
    return 0;
}
