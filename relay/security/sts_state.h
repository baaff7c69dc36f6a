// The known MTA-STS policies as text, to be kept over restarts. Pure functions.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "relay/mail/message.h"
#include "relay/security/mta_sts.h"

namespace postern::relay {

struct StsRecord {
    StsPolicy policy;
    std::string id;  // of the TXT record it was fetched for
    Time fetched{};

    Time expires() const { return fetched + policy.max_age; }
    bool operator==(const StsRecord&) const = default;
};

using StsRecords = std::map<std::string, StsRecord, std::less<>>;  // by domain, in A-labels

/// A line for each; of more than 10,000 those that expire last.
std::string write_sts_state(const StsRecords& records);

/// What write_sts_state() gave. Lines that cannot be read are left out; at most 10,000 are taken.
StsRecords read_sts_state(std::string_view text);

}  // namespace postern::relay
