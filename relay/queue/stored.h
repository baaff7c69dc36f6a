// What is given to the spool: a message to keep, and what has become of one that it keeps.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "relay/mail/message.h"
#include "relay/queue/record.h"
#include "sync/base/disk.h"

namespace postern::relay {

/// A message that is, or is about to be, in the spool.
struct Stored {
    Message message;
    /// A message of our own that is accepted together with it, or not at all: its copy for the archive. The
    /// content's file, where it has one, is there, and has a second name.
    std::shared_ptr<Stored> companion{};
    /// What a content file was written through; the commit syncs and closes it.
    base::DiskFilePtr written{};
    std::function<void()> told{};  // tells that it was accepted; on the commit thread, before anything else
    /// Completes a message of our own that so far has its id alone, and takes the time of a disk for it: done
    /// on the commit thread. Empty for all others, and afterwards.
    std::function<void(Stored&)> complete{};
};
using StoredPtr = std::shared_ptr<Stored>;

/// Progress of one message. Nobody waits for it. The message waits where the pending recipients of its
/// progress say, each under a route and a time.
struct Change {
    MessageId id;
    bool done = false;                 // nothing remains to be done: the message goes
    bool tried = false;                // no longer fresh
    std::filesystem::path file;        // content of its own, removed when `done`
    std::optional<Progress> progress;  // written when not `done`
    StoredPtr bounce;                  // counts only together with this
    std::string damage;  // not empty: the records are set aside under damaged/, for this reason, or else stay
};

}  // namespace postern::relay
