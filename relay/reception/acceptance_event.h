// What is told of a message when it is accepted.
#pragma once

#include <string_view>

#include "relay/queue/stored.h"
#include "relay/reception/session_context.h"
#include "sync/base/clock.h"

namespace postern::relay {

/// On the commit thread, before anybody else hears of it. `tls`: protocol and cipher, "" for clear text;
/// `begun`: when its end was read.
void tell_accepted(const SessionContext& context, const Stored& stored, std::string_view tls,
                   std::string_view message_id, base::Moment begun);

}  // namespace postern::relay
