// What was counted for reports about TLS, as it is kept from one start to the next. Pure.
#pragma once

#include <string>
#include <string_view>

#include "relay/tls_reports/counts.h"

namespace postern::relay {

/// What a file of it begins with.
std::string_view counts_state_head();
/// Appends one period.
void write_period(std::string& out, const TlsCounts::Key& key, const TlsPeriod& period);
/// Takes what was written, one line after the other; a line that is damaged goes, and what belongs to it.
/// False when the head is another.
bool read_counts_state(std::string_view text, TlsCounts& into);

}  // namespace postern::relay
