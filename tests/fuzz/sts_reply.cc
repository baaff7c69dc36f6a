// From the octets of a policy host to the policy: the same however they are cut into pieces, and never more
// than is allowed.
#include "relay/security/mta_sts.h"
#include "tests/fuzz/target.h"

using namespace postern::relay;
using namespace postern::fuzz;
using postern::base::HttpReplyReader;

namespace {

/// The policy, or "" where there is none.
std::string read(std::string_view input, std::size_t piece) {
    HttpReplyReader reader({sts_policy_max});
    auto step = HttpReplyReader::Step::more;
    while (step == HttpReplyReader::Step::more && !input.empty()) {
        step = reader.feed(input.substr(0, piece));
        input.remove_prefix(std::min(piece, input.size()));
    }
    if (step == HttpReplyReader::Step::more) step = reader.end();
    if (step == HttpReplyReader::Step::failed) return {};
    const auto body = sts_reply(reader.take());
    if (body) require(!body->empty() && body->size() <= sts_policy_max);
    if (!body) require(!body.error().empty());
    return body.value_or("");
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input = text_of(data, size);
    const std::string whole = read(input, size + 1);
    require(read(input, 1) == whole);
    require(read(input, 7) == whole);
    if (whole.empty()) return 0;
    if (const auto policy = parse_sts_policy(whole))
        require(policy->patterns.size() <= 100 && policy->max_age.count() >= 0);
    return 0;
}
