#include "relay/reception/sender_limits.h"

#include <array>
#include <string>
#include <utility>

#include "sync/base/time_text.h"

namespace postern::relay {

std::optional<VolumeSender> charged_for(const sync::Snapshot& directory, const Address& reverse_path,
                                        std::string_view primary, const Address& recipient, sync::Time now) {
    if (directory.domain(recipient.domain, now).standing == sync::Standing::good) return std::nullopt;
    if (reverse_path.null()) return VolumeSender({}, {}, primary);
    return VolumeSender(reverse_path.mailbox(), reverse_path.domain, primary);
}

Decision beyond_limit(const LimitReached& reached, base::Time until) {
    constexpr std::array rules{Rule::limit_user, Rule::limit_domain, Rule::limit_primary, Rule::limit_all};
    static_assert(rules.size() == volume_scopes);
    const bool all = reached.scope == VolumeScope::all;
    const bool recipients = reached.limit.unit == VolumeLimit::Unit::recipients;
    const std::string may = (all ? std::string("all senders together") : reached.who) + " may send " +
                            (recipients ? "to " : "") + in_words(reached.limit);
    Decision out = refuse(rules[static_cast<std::size_t>(reached.scope)],
                          may + ": try again after " + base::iso_time(until));
    out.reason = may + "; " + std::to_string(reached.used) +
                 " so far, counting recipients outside of the primaries' domains" +
                 (recipients ? "" : ", and messages with one") + ", by acceptance";
    if (reached.elsewhere > 0)
        out.reason += ", " + std::to_string(reached.elsewhere) + " through other gateways";
    if (reached.share)
        out.reason += "; other gateways cannot be asked now, and this one's share of what is left is used";
    return out;
}

Decision too_much_held(std::string why) {
    Decision out = refuse(Rule::unusual);
    out.reason = std::move(why);
    return out;
}

}  // namespace postern::relay
