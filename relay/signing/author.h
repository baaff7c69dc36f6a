// Whose mail it is, as its readers see it: the domain of the From field (RFC 5322 §3.6.2).
#pragma once

#include <string>
#include <string_view>

namespace postern::relay {

/// The domain of the first mailbox in the value of a From field, in lower case and A-labels; "" when none can
/// be made out. Comments, quoted names and groups are passed over.
std::string author_domain(std::string_view from);

}  // namespace postern::relay
