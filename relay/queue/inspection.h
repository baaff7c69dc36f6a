// All of a spool's files gone through from their beginning to their end, and none of them changed.
#pragma once

#include <cstdint>
#include <filesystem>

#include <tl/expected.hpp>

#include "relay/views.h"
#include "sync/base/disk.h"

namespace postern::relay {

/// Also beside a gateway that goes on writing: what is wrong is looked at twice, so that nothing is told that
/// was just being changed. `segment_size`: of new segments. The error says in words what cannot be read.
tl::expected<SpoolCheck, std::string> inspect_spool(base::Disk& disk, const std::filesystem::path& state_dir,
                                                    std::uint64_t segment_size);

}  // namespace postern::relay
