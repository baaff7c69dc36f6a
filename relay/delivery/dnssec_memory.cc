#include "relay/delivery/dnssec_memory.h"

#include <algorithm>
#include <optional>
#include <string>

#include "sync/base/kept_file.h"

namespace postern::relay {

namespace {

/// No such name either: what a link leads to may be missing, and then something was there.
bool missing(base::Disk& disk, const std::filesystem::path& state_dir, const std::error_code& error) {
    if (error != std::errc::no_such_file_or_directory) return false;
    const auto names = disk.names(state_dir);
    if (!names) return names.error() == std::errc::no_such_file_or_directory;
    return std::find(names->begin(), names->end(), dnssec_file) == names->end();
}

}  // namespace

net::Proof recall_proof(base::Disk& disk, const std::filesystem::path& state_dir,
                        const DnsSettings& settings) {
    constexpr std::size_t most = 64 << 10;
    const auto text = base::read_file(disk, state_dir / dnssec_file, most);
    if (text) return net::read_proof(*text, settings);
    if (missing(disk, state_dir, text.error())) return net::read_proof(std::nullopt, settings);
    return net::read_proof("", settings);
}

}  // namespace postern::relay
