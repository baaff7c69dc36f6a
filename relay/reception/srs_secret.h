// The secret that rewritten senders are signed with.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "relay/mail/srs.h"
#include "relay/settings.h"
#include "sync/base/disk.h"

namespace postern::relay {

/// The secret in `file`, made and synced at the first start, mode 0600. Throws std::runtime_error naming the
/// file: another secret would refuse the reports about all mail that was forwarded before.
std::string obtain_srs_secret(base::Disk& disk, const std::filesystem::path& file);

/// What rewrites foreign senders; null unless accept.foreign_sender is rewrite. Throws std::runtime_error
/// naming the secret that cannot be had. May wait for the disk.
std::shared_ptr<const Srs> rewriting(base::Disk& disk, const Settings& settings);

}  // namespace postern::relay
