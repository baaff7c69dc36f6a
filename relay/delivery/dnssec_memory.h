// That DNSSEC validation worked, remembered in state_dir.
#pragma once

#include <filesystem>

#include "relay/net/dnssec_proof.h"
#include "relay/settings.h"
#include "sync/base/disk.h"

namespace postern::relay {

inline constexpr const char* dnssec_file = "dnssec.state";

/// A file that is there and cannot be read is `damaged`.
net::Proof recall_proof(base::Disk& disk, const std::filesystem::path& state_dir,
                        const DnsSettings& settings);

}  // namespace postern::relay
