// What was delivered since the last commit, written down at once and without a sync: a killed process leaves
// it in the page cache, so that only a crash of the machine can make a delivered message go out twice.
#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <map>
#include <set>
#include <unordered_map>
#include <vector>

#include "relay/mail/message.h"
#include "sync/base/descriptor.h"

namespace postern::relay {

/// Used from one thread. Failing to write is not an error of the mail: it costs protection against duplicates
/// only.
class SettledLog {
public:
    using Delivered = std::map<MessageId, std::set<std::uint16_t>>;

    /// Recipients that earlier processes noted and perhaps did not commit. A torn end is ignored. Throws
    /// std::runtime_error naming a file that cannot be read: to go on without it is to deliver twice.
    static Delivered read(const std::filesystem::path& dir);
    static void clear(const std::filesystem::path& dir);

    explicit SettledLog(std::filesystem::path dir);

    /// False when it could not be written.
    bool note(MessageId id, const std::vector<std::uint16_t>& recipients);
    /// The change of this number says durably what was noted of the message so far.
    void recorded(MessageId id, std::uint64_t change);
    /// All changes up to this number are committed: what only they needed is dropped.
    void committed(std::uint64_t change);

private:
    void open_next();

    struct File {
        std::filesystem::path path;
        std::size_t open = 0;           // messages noted in it that no change has recorded yet
        std::uint64_t last_change = 0;  // that recorded one
    };

    std::filesystem::path dir_;
    std::deque<File> files_;                                            // the last is written to
    std::uint64_t dropped_ = 0;                                         // files before the first of them
    std::unordered_map<std::uint64_t, std::set<std::uint64_t>> noted_;  // by message, in which files
    std::size_t size_ = 0;
    base::Descriptor file_;  // none: it could not be opened, and the next note tries again
};

}  // namespace postern::relay
