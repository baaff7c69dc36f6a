// `postern spool check` and `list-damaged`: what the files of the mail say, to a process of its own.
#pragma once

#include <cstdint>
#include <filesystem>

#include "relay/views.h"

namespace postern::relay {

/// Also beside a gateway that uses them; none is changed. `segment_size`: QueueSettings::volume_size. Takes
/// the time of reading them all.
SpoolCheck check_spool(const std::filesystem::path& state_dir, std::uint64_t segment_size);

/// What Relay::set_aside() gives, where there is no gateway to ask.
SetAsidePage list_damaged(const std::filesystem::path& state_dir);

}  // namespace postern::relay
