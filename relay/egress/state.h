// Everything learnt about our addresses as text that a person can read, one fact a line.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "relay/egress/history.h"
#include "relay/egress/receiver_steps.h"
#include "relay/egress/verdicts.h"

namespace postern::relay {

struct EgressState {
    std::map<std::string, AddressRecord, std::less<>> addresses;
    std::vector<EgressVerdict> verdicts;
    std::map<ReceiverSteps::Key, ReceiverStep> receivers{};
};

/// A heading with the version, then lines "address ...", "verdict ..." and "receiver ..." of name=value;
/// times are seconds since 1970, what is not plain is percent-encoded.
std::string encode_egress_state(const EgressState& state);

/// Reads what encode_egress_state wrote. Lines that cannot be read are passed over, as is all of another
/// version; at most 10,000 of each are taken.
EgressState decode_egress_state(std::string_view text);

}  // namespace postern::relay
