// What a receiver's refusal is about, told by its words: pure functions over the rules of the configuration.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "relay/egress/pool.h"
#include "relay/mail/reply.h"
#include "relay/settings.h"

namespace postern::relay {

/// What we had said ourselves before a reply, and what a receiver may therefore repeat.
struct OwnWords {
    std::vector<Address> senders;
    Address recipient;               // whom the reply is about; null before any was named
    std::vector<std::string> names;  // EHLO name, message id
};

/// The text in lower case, any run of spaces as one, without our own words: they prove nothing. An address
/// goes in every form it may be repeated in ("<…@…>" whoever's it is, quoted or not, "user=domain"), and its
/// local part and domain where they stand alone. Only the first 2000 octets are looked at.
std::string receivers_words(std::string_view text, const OwnWords& own);

/// The first rule that matches in what is left without our own words decides. But a permanent refusal with a
/// status about a mailbox (5.1.x, 5.2.x), or that names the recipient, is about the recipient, unless it
/// names an IP address. `host` is the receiving host's name. Linear in the text's length times the rules.
Judgement judge_reply(const std::vector<ReplyRule>& rules, const Reply& reply, std::string_view host,
                      const OwnWords& own = {});

/// Whether `text` contains (`whole` false) or is (`whole` true) what `pattern` describes: `*` is any run of
/// characters, everything else itself, without regard to ASCII case; line ends and runs of spaces count as
/// one space.
bool matches_glob(std::string_view pattern, std::string_view text, bool whole);

}  // namespace postern::relay
