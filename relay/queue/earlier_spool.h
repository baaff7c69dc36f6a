// What versions before the journal kept: mail in LMDB volumes, read once when one of them is found, and taken
// over. Only this file and its source know that engine.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <system_error>
#include <vector>

#include <tl/expected.hpp>

#include "relay/mail/message.h"
#include "relay/queue/record.h"

namespace postern::relay {

struct EarlierMessage {
    Message message;  // its content in memory, or in a file whose name alone is given
    std::optional<Progress> progress;
    bool fresh = true;
};

/// The volumes in a spool's folder, in their order.
tl::expected<std::vector<std::filesystem::path>, std::error_code> earlier_volumes(
    const std::filesystem::path& folder);

/// Walks through a volume in a process of its own, since the engine trusts its pages. False: it is damaged.
tl::expected<bool, std::error_code> earlier_volume_sound(const std::filesystem::path& volume);

/// Gives each message of a sound one. Records that cannot be read are counted. Throws std::system_error.
std::size_t read_earlier_volume(const std::filesystem::path& volume,
                                const std::function<void(EarlierMessage)>& each);

/// Recipients that were delivered to and perhaps not written down in a volume, from the settled log.
using EarlierDeliveries = std::map<MessageId, std::set<std::uint16_t>>;
tl::expected<EarlierDeliveries, std::error_code> earlier_deliveries(const std::filesystem::path& folder);

/// What else it left in the folder.
void remove_earlier_remains(const std::filesystem::path& folder);

}  // namespace postern::relay
