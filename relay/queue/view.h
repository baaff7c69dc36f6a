// Messages and their recipients' progress in the words of the status endpoint.
#pragma once

#include <functional>

#include "relay/queue/record.h"
#include "relay/settings.h"
#include "relay/views.h"
#include "sync/base/clock.h"

namespace postern::relay {

/// `route` tells where a recipient that does not wait would go.
MessageView view_of(const Message& message, const Progress& progress, const Settings& settings,
                    const base::Clock& clock, const std::function<RouteKey(const Address&)>& route);

}  // namespace postern::relay
