// The secret that rewritten senders are signed with.
#pragma once

#include <filesystem>
#include <string>

namespace postern::relay {

/// The secret in `file`, made and synced at the first start, mode 0600. Throws std::runtime_error naming the
/// file: another secret would refuse the reports about all mail that was forwarded before.
std::string obtain_srs_secret(const std::filesystem::path& file);

}  // namespace postern::relay
