// What lies in STATE_DIR/damaged, read for who decides what becomes of it.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tl/expected.hpp>

#include "relay/mail/message.h"
#include "relay/queue/record.h"
#include "relay/views.h"
#include "sync/base/disk.h"

namespace postern::relay {

/// A message as far as it is there.
struct SetAside {
    Message message;      // with its id of then, and its content in memory
    Progress progress;    // for each recipient, as far as that still proves itself
    bool whole = true;    // the content is as it was accepted
    std::string content;  // the file that it was in, "" when it was with the record
};

/// What "ID.message" is called while it is taken again as another, and afterwards.
std::string name_while_taken(const std::string& file, MessageId as);
std::string name_when_taken(const std::string& file);
/// As which one it was being taken when the process stopped; nullopt: it was not.
std::optional<MessageId> being_taken(const std::vector<std::string>& names, const std::string& file);

/// At most `most` files, by their names. Reading may wait for the disk.
tl::expected<SetAsidePage, std::string> list_set_aside(base::Disk& disk, const std::filesystem::path& folder,
                                                       std::size_t most);

/// Of a file there: "ID.message", or "segment-N-octet-O" where that begins with a message of which only the
/// header proves nothing, not even its id. The error says in words why it cannot be used.
tl::expected<SetAside, std::string> read_set_aside(base::Disk& disk, const std::filesystem::path& folder,
                                                   const std::string& file);

/// As content must be to be sent: each line ends with CRLF, no CR or LF stands alone, nothing is NUL.
std::string as_lines(std::string_view octets);

}  // namespace postern::relay
