#include "agent/log/egress_state.h"

#include <algorithm>

namespace postern::agent {

bool is_usable(const relay::EgressView& egress) {
    return !egress.suspended &&
           std::none_of(egress.listings.begin(), egress.listings.end(),
                        [](const auto& listing) { return listing.site.empty() && !listing.probing; });
}

}  // namespace postern::agent
