// What a receiver's refusal is about, told by its words: pure functions over the rules of the configuration.
#pragma once

#include <string_view>
#include <vector>

#include "relay/egress/pool.h"
#include "relay/mail/reply.h"
#include "relay/settings.h"

namespace postern::relay {

/// The first rule that matches decides. `host` is the receiving host's name. Only the first 2000 octets of
/// the text are looked at. Linear in their length times the rules, whatever the text.
Judgement judge_reply(const std::vector<ReplyRule>& rules, const Reply& reply, std::string_view host);

/// Whether `text` contains (`whole` false) or is (`whole` true) what `pattern` describes: `*` is any run of
/// characters, everything else itself, without regard to ASCII case; line ends and runs of spaces count as
/// one space.
bool matches_glob(std::string_view pattern, std::string_view text, bool whole);

}  // namespace postern::relay
