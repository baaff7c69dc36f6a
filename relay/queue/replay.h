// What the journal says, record by record, laid over the holdings.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "relay/queue/checkpoint.h"
#include "relay/queue/journal_record.h"

namespace postern::relay {

/// Records come in the order of their sequence, but some may be missing: those that were damaged, those of
/// segments that are gone, and behind a crash of the machine any that were not synced. One thread.
class Replay {
public:
    explicit Replay(Holdings& holdings) : holdings_(holdings) {}

    void record(const RecordHeader& header, const Place& place, std::string_view body);
    /// A header that proves itself, with a body that does not: what it alone says.
    void header(const RecordHeader& header, const Place& place);
    /// When there are no more. `durable`: what has a smaller sequence was on the disk once.
    void end(std::uint64_t durable);

    /// Halves that did not count: as long as they are there somebody may take them for one that does.
    const std::vector<Place>& dropped() const { return dropped_; }

private:
    struct Held {
        RecordHeader header;
        Place place;
        std::string body;
    };
    struct Early {
        Place place;
        bool fresh = true;
        std::vector<WaitKey> lines;
        std::vector<std::uint16_t> delivered;  // and not known to the progress
    };

    void apply(const RecordHeader& header, const Place& place, std::string_view body);
    void take(const RecordHeader& header, const Place& place, std::string_view body);
    void message(const RecordHeader& header, const Place& place);
    void progress(const RecordHeader& header, const Place& place, std::string_view body);
    void done(MessageId id, const Place& place, const Graves& graves);
    void part(Held held);
    void settle(std::uint64_t durable);

    Holdings& holdings_;
    std::optional<Held> held_;              // until the one that it counts together with
    std::map<std::uint64_t, Held> parted_;  // whose other half is missing
    std::vector<Place> dropped_;
    std::map<std::uint64_t, Early> early_;  // of messages that were moved to a segment further on
};

}  // namespace postern::relay
