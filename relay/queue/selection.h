// Doing something with all messages that an operator means, while mail goes on.
#pragma once

#include <functional>
#include <vector>

#include "relay/mail/message.h"
#include "relay/queue/search.h"
#include "relay/views.h"

namespace postern::relay {

/// Calls `work` with what is meant, part by part: so many messages, and of them so many recipients, that
/// whoever works on one of them holds up nobody. Gives the sum of what came of it.
Applied for_each_part(const Search& search,
                      const std::function<Applied(const std::vector<MessageId>&)>& work);

}  // namespace postern::relay
