#include "relay/delivery/dnssec_memory.h"

#include <optional>
#include <string>

#include "sync/base/file.h"

namespace postern::relay {

net::Proof recall_proof(const std::filesystem::path& state_dir, const DnsSettings& settings) {
    const auto file = state_dir / dnssec_file;
    std::error_code ignored;
    if (std::filesystem::symlink_status(file, ignored).type() == std::filesystem::file_type::not_found)
        return net::read_proof(std::nullopt, settings);
    constexpr std::size_t most = 64 << 10;
    return net::read_proof(base::read_file(file, most).value_or(""), settings);
}

}  // namespace postern::relay
