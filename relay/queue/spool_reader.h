// What the spool keeps, for whoever wants to know: where messages wait, what became of them, their octets.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <tl/expected.hpp>

#include "relay/mail/message.h"
#include "relay/queue/content.h"
#include "relay/queue/record.h"
#include "relay/queue/stored.h"
#include "relay/queue/wait_key.h"
#include "sync/base/disk.h"

namespace postern::relay {

class Journal;
struct Holdings;
struct Place;

/// A message as read back. `progress` has one entry per recipient.
struct Loaded {
    StoredPtr stored;  // without content
    Progress progress;
};

/// Any thread, while others append. It shows what was committed only, and changes nothing. A record that was
/// moved while it was read is looked up again: none is called damaged for that. That the disk does not give
/// what is there throws std::system_error.
class SpoolReader {
public:
    /// All of it outlives this; `contents` is the folder of contents with files of their own.
    SpoolReader(const Holdings& holdings, const Journal& journal, base::Disk& disk,
                std::filesystem::path contents)
        : holdings_(holdings), journal_(journal), disk_(disk), contents_(std::move(contents)) {}

    std::vector<MessageId> fresh(MessageId after, std::size_t limit) const;
    std::vector<WaitEntry> due(const RouteKey& route, Time until, std::size_t limit,
                               const std::function<bool(MessageId)>& skip) const;
    std::vector<WaitKey> routes() const;
    /// Whether the message is filed there: due() would find it.
    bool waits(const WaitKey& key, MessageId id) const;
    std::vector<MessageId> messages(MessageId after, std::size_t limit) const;
    bool contains(MessageId id) const;
    /// nullopt when it is gone; Loaded with a null `stored` when it is damaged.
    std::optional<Loaded> load(MessageId id) const;
    /// The octets of a message, wherever they are kept.
    tl::expected<std::shared_ptr<const std::string>, ContentFault> load_content(const Message& message) const;
    std::uint64_t count() const;
    std::uint64_t waiting(const RouteKey& route) const;  // messages filed under it
    std::uint64_t bytes() const;

private:
    tl::expected<Loaded, ContentFault> read(MessageId id, const Place& message, const Place& progress) const;

    const Holdings& holdings_;
    const Journal& journal_;
    base::Disk& disk_;
    const std::filesystem::path contents_;
};

}  // namespace postern::relay
