// What the journal holds, in memory: where each message's records lie, and in which line it waits. It is
// rebuilt from the journal; losing it costs time, never mail.
#pragma once

#include <absl/container/btree_map.h>
#include <absl/container/btree_set.h>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "relay/mail/message.h"
#include "relay/queue/journal_record.h"
#include "relay/queue/record.h"
#include "relay/queue/wait_key.h"

namespace postern::relay {

/// Where the pending recipients of a message wait, each place once, in order.
std::vector<WaitKey> places_in_line(const Progress& progress);

/// One thread changes it, others read: whoever has it sees to that. At most 64 octets for a message that
/// waits in one line, beside what its tree leaves empty. One thing: what is known of a message, and the lines
/// that it waits in, change together.
class Index {
public:
    struct Entry {
        Place message, progress;  // progress: nowhere as long as nothing was written down
        bool fresh = true;        // not all of it was tried
    };

    // Changing. What is not there is left alone.
    void insert(MessageId id, const Place& place, bool fresh = true);
    void move_message(MessageId id, const Place& place);
    void move_progress(MessageId id, const Place& place);
    void progress(MessageId id, const Place& place, bool fresh, const std::vector<WaitKey>& lines);
    /// Of what was noted, what the message's progress says too: a note may have overtaken a progress that was
    /// made before it.
    void forget_notes(MessageId id, const Progress& progress);
    void note_delivered(MessageId id, const std::vector<std::uint16_t>& recipients);
    void erase(MessageId id);

    // Reading.
    std::optional<Entry> find(MessageId id) const;
    bool contains(MessageId id) const { return messages_.contains(id.value); }
    std::size_t size() const { return messages_.size(); }
    /// Greater than `after`, lowest first.
    std::vector<MessageId> messages(MessageId after, std::size_t limit) const;
    std::vector<MessageId> fresh(MessageId after, std::size_t limit) const;
    std::vector<WaitEntry> due(const RouteKey& route, Time until, std::size_t limit,
                               const std::function<bool(MessageId)>& skip) const;
    /// Each line with the earliest time something in it is due.
    std::vector<WaitKey> routes() const;
    std::size_t waiting(const RouteKey& route) const;
    bool waits(const WaitKey& key, MessageId id) const;
    std::vector<WaitKey> lines(MessageId id) const;
    /// Who has it by a note that came ahead of the progress; null: nobody.
    const std::set<std::uint16_t>* delivered(MessageId id) const;
    std::vector<MessageId> noted() const;

    // For a checkpoint, which names lines by numbers of its own.
    using Lines = std::vector<std::pair<std::uint32_t, std::int64_t>>;  // (line, due in microseconds)
    struct Row {
        MessageId id;
        Entry entry;
        Lines lines;
        std::vector<std::uint16_t> delivered;
    };
    /// Those behind `after`, at most `limit`, or fewer where they wait in several lines.
    void rows(MessageId after, std::size_t limit, std::vector<Row>& out) const;
    const RouteKey& route(std::uint32_t line) const { return lines_[line].route; }
    /// Its number, also when nobody waits there yet.
    std::uint32_t line_of(const RouteKey& route);
    /// Rows in the order of their ids, each new; complete() when there are no more.
    void restore(const Row& row);
    void complete();

    /// Octets of records that are needed, by segment.
    std::uint64_t live(std::uint32_t segment) const;
    const std::map<std::uint32_t, std::uint64_t>& live() const { return live_; }

private:
    using Line = absl::btree_set<std::pair<std::int64_t, std::uint64_t>>;  // (due in microseconds, id)
    static constexpr std::uint32_t nowhere = 0xffffffff, several = 0xfffffffe;
    struct Node {
        Place message, progress;
        std::uint32_t line = nowhere;             // its only one
        std::uint32_t due_high = 0, due_low = 0;  // there
        std::uint32_t fresh = 1;
        std::int64_t due() const {
            return static_cast<std::int64_t>(std::uint64_t{due_high} << 32 | due_low);
        }
        void wait(const std::pair<std::uint32_t, std::int64_t>& place) {
            line = place.first;
            due_high = static_cast<std::uint32_t>(static_cast<std::uint64_t>(place.second) >> 32);
            due_low = static_cast<std::uint32_t>(static_cast<std::uint64_t>(place.second) & 0xffffffff);
        }
    };
    static_assert(sizeof(Node) == 40);
    struct Queue {
        RouteKey route;
        Line line;
    };

    void leave_lines(std::uint64_t id, Node& node);
    void leave(std::uint32_t line, std::int64_t due, std::uint64_t id);
    void replace(Place& place, const Place& by);
    const Line* find_line(const RouteKey& route) const;

    absl::btree_map<std::uint64_t, Node> messages_;
    absl::btree_set<std::uint64_t> fresh_;
    std::vector<Queue> lines_;
    std::vector<std::uint32_t> unused_lines_;
    std::map<RouteKey, std::uint32_t> line_numbers_;
    absl::btree_map<std::uint64_t, Lines> several_;
    std::map<std::uint64_t, std::set<std::uint16_t>> delivered_;
    std::map<std::uint32_t, std::uint64_t> live_;
    std::vector<std::vector<std::pair<std::int64_t, std::uint64_t>>> restored_;  // by line, until complete()
};

}  // namespace postern::relay
