// What the sender is told of a message, or the postmaster of the sender's domain.
#pragma once

#include <vector>

#include "relay/queue/job.h"
#include "relay/queue/spool.h"
#include "relay/settings.h"

namespace postern::relay {

/// The report to be committed with its id, null when none is due. Its text is made when it is written, off
/// the loop, for what it returns of the message has to be read from the disk first.
StoredPtr report_on(const base::Clock& clock, Spool& spool, SettingsPtr settings, Stored stored,
                    const Progress& progress, const std::vector<Notice>& notices);

}  // namespace postern::relay
