// What limits of volume mean for a recipient: who is charged, and what is answered.
#pragma once

#include <optional>
#include <string_view>

#include "relay/mail/address.h"
#include "relay/reception/refusal.h"
#include "relay/volume/tally.h"
#include "sync/directory/snapshot.h"

namespace postern::relay {

/// Who is charged for a primary's mail to that recipient; nullopt: nobody, since it is in one of the
/// primaries' domains, and that gets no gateway blacklisted.
std::optional<VolumeSender> charged_for(const sync::Snapshot& directory, const Address& reverse_path,
                                        std::string_view primary, const Address& recipient, sync::Time now);

/// The answer at RCPT. `until`: LimitReached::until on the wall.
Decision beyond_limit(const LimitReached& reached, base::Time until);

/// The answer at RCPT of a sender of whom enough is held: see Watch::refuses().
Decision too_much_held(std::string why);

}  // namespace postern::relay
