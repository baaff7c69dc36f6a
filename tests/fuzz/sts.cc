// MTA-STS as other domains publish it: whatever is taken is bounded, and what is kept is read back the same.
#include "relay/mail/address.h"
#include "relay/security/sts_state.h"
#include "sync/base/ascii.h"
#include "tests/fuzz/target.h"

using namespace postern::relay;
using namespace postern::fuzz;

namespace {

void check(const StsPolicy& policy) {
    require(policy.max_age.count() >= 0 && policy.max_age.count() <= 31557600);
    require(policy.patterns.size() <= 100);
    require(policy.mode == StsPolicy::Mode::none || !policy.patterns.empty());
    for (const auto& pattern : policy.patterns) {
        const std::string name = pattern.starts_with("*.") ? pattern.substr(2) : pattern;
        require(is_domain_name(name) && name == postern::base::lower(name));
        require(sts_allows(policy, pattern.starts_with("*.") ? "a." + name : name));
    }
    require(!sts_allows(policy, ""));
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view input = text_of(data, size);
    switch (take_octet(input)) {
        case 'p':
            if (const auto policy = parse_sts_policy(input)) {
                check(*policy);
                const StsRecords records = {{"a.example", StsRecord{*policy, "1", Time()}}};
                require(read_sts_state(write_sts_state(records)) == records);
            }
            break;
        case 'r': {
            std::vector<std::string> texts;
            while (!input.empty() && texts.size() < 20) texts.emplace_back(take_line(input));
            if (const auto id = parse_sts_record(texts))
                require(!id->empty() && id->size() <= 32 && plain(*id));
            break;
        }
        default: {
            const StsRecords records = read_sts_state(input);
            for (const auto& [domain, record] : records) {
                require(is_domain_name(domain));
                check(record.policy);
            }
            require(read_sts_state(write_sts_state(records)) == records);
        }
    }
    return 0;
}
