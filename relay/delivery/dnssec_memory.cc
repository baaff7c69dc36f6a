#include "relay/delivery/dnssec_memory.h"

#include <optional>
#include <string>

#include "relay/queue/durable_file.h"

namespace postern::relay {

net::Proof recall_proof(const std::filesystem::path& state_dir, const DnsSettings& settings) {
    const auto file = state_dir / dnssec_file;
    std::error_code ignored;
    if (std::filesystem::symlink_status(file, ignored).type() == std::filesystem::file_type::not_found)
        return net::read_proof(std::nullopt, settings);
    const std::string text = read_small_file(file);
    return net::read_proof(text, settings);
}

}  // namespace postern::relay
