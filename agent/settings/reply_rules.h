// The rule file that tells what a receiver's refusal is about: the one that is shipped, and the operator's
// own.
#pragma once

#include <string_view>
#include <vector>

#include <tl/expected.hpp>

#include "agent/settings/settings.h"
#include "relay/settings.h"

namespace postern::agent {

/// Reads TOML text of at most 1 MiB with at most 1000 [[rule]]. Every fault is given, in the order of the
/// file; keys in them are as "rule[3].meaning". Touches no file.
tl::expected<std::vector<relay::ReplyRule>, std::vector<Fault>> parse_reply_rules(std::string_view text);

/// The rules of config/reply-rules.toml, as they were when the program was built; in force where no file is
/// set.
const std::vector<relay::ReplyRule>& shipped_reply_rules();
std::string_view shipped_reply_rules_text();

}  // namespace postern::agent
