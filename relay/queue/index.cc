#include "relay/queue/index.h"

#include <algorithm>
#include <limits>

#include "sync/base/ensure.h"

namespace postern::relay {

namespace {

std::int64_t microseconds(Time time) {
    return std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count();
}

Time time_of(std::int64_t microseconds) { return Time(std::chrono::microseconds(microseconds)); }

}  // namespace

std::vector<WaitKey> places_in_line(const Progress& progress) {
    std::vector<WaitKey> out;
    const RecipientProgress* last = nullptr;
    for (const auto& one : progress) {
        if (!one.pending() || one.route.empty()) continue;
        // Many recipients of one message share a place.
        if (last != nullptr && last->next == one.next && last->route == one.route) continue;
        last = &one;
        out.push_back(WaitKey{one.route, one.next});
    }
    std::sort(out.begin(), out.end());
    out.erase(std::unique(out.begin(), out.end()), out.end());
    return out;
}

// ---- changing

std::uint32_t Index::line_of(const RouteKey& route) {
    const auto found = line_numbers_.find(route);
    if (found != line_numbers_.end()) return found->second;
    std::uint32_t number = 0;
    if (unused_lines_.empty()) {
        number = static_cast<std::uint32_t>(lines_.size());
        lines_.emplace_back();
    } else {
        number = unused_lines_.back();
        unused_lines_.pop_back();
    }
    lines_[number].route = route;
    line_numbers_.emplace(route, number);
    return number;
}

void Index::leave(std::uint32_t line, std::int64_t due, std::uint64_t id) {
    Queue& queue = lines_[line];
    const std::size_t gone = queue.line.erase({due, id});
    ENSURE(gone == 1, "what waits in a line is found there");
    if (!queue.line.empty()) return;
    line_numbers_.erase(queue.route);
    queue = {};
    unused_lines_.push_back(line);
}

void Index::leave_lines(std::uint64_t id, Node& node) {
    if (node.line == several) {
        const auto found = several_.find(id);
        for (const auto& [line, due] : found->second) leave(line, due, id);
        several_.erase(found);
    } else if (node.line != nowhere) {
        leave(node.line, node.due(), id);
    }
    node.line = nowhere;
}

void Index::replace(Place& place, const Place& by) {
    if (place) {
        const auto live = live_.find(place.segment);
        ENSURE(live != live_.end() && live->second >= aligned(place.length), "each record is counted");
        live->second -= aligned(place.length);
        if (live->second == 0) live_.erase(live);
    }
    place = by;
    if (by) live_[by.segment] += aligned(by.length);
}

void Index::insert(MessageId id, const Place& place, bool fresh) {
    const auto [at, added] = messages_.try_emplace(id.value);
    replace(at->second.message, place);
    if (!added) return;
    at->second.fresh = fresh ? 1 : 0;
    if (fresh) fresh_.insert(id.value);
}

void Index::move_message(MessageId id, const Place& place) {
    if (const auto at = messages_.find(id.value); at != messages_.end()) replace(at->second.message, place);
}

void Index::move_progress(MessageId id, const Place& place) {
    if (const auto at = messages_.find(id.value); at != messages_.end()) replace(at->second.progress, place);
}

void Index::progress(MessageId id, const Place& place, bool fresh, const std::vector<WaitKey>& lines) {
    const auto at = messages_.find(id.value);
    if (at == messages_.end()) return;
    Node& node = at->second;
    replace(node.progress, place);
    // What is not done and waits nowhere must be found by somebody: by whoever goes through what is new.
    node.fresh = fresh || lines.empty() ? 1 : 0;
    if (node.fresh != 0)
        fresh_.insert(id.value);
    else
        fresh_.erase(id.value);
    leave_lines(id.value, node);
    if (lines.empty()) return;
    Lines taken;
    for (const auto& key : lines) {
        const std::uint32_t line = line_of(key.route);
        const std::int64_t due = microseconds(key.due);
        // Two times may be one here: they are not told apart below a microsecond.
        if (lines_[line].line.insert({due, id.value}).second) taken.emplace_back(line, due);
    }
    if (taken.size() == 1) {
        node.wait(taken.front());
    } else {
        node.line = several;
        several_.insert_or_assign(id.value, std::move(taken));
    }
}

void Index::forget_notes(MessageId id, const Progress& progress) {
    const auto noted = delivered_.find(id.value);
    if (noted == delivered_.end()) return;
    std::erase_if(noted->second,
                  [&](std::uint16_t at) { return at >= progress.size() || !progress[at].pending(); });
    if (noted->second.empty()) delivered_.erase(noted);
}

void Index::note_delivered(MessageId id, const std::vector<std::uint16_t>& recipients) {
    if (contains(id)) delivered_[id.value].insert(recipients.begin(), recipients.end());
}

void Index::erase(MessageId id) {
    const auto at = messages_.find(id.value);
    if (at == messages_.end()) return;
    leave_lines(id.value, at->second);
    replace(at->second.message, {});
    replace(at->second.progress, {});
    fresh_.erase(id.value);
    delivered_.erase(id.value);
    messages_.erase(at);
}

// ---- reading

std::optional<Index::Entry> Index::find(MessageId id) const {
    const auto at = messages_.find(id.value);
    if (at == messages_.end()) return std::nullopt;
    return Entry{at->second.message, at->second.progress, at->second.fresh != 0};
}

std::vector<MessageId> Index::messages(MessageId after, std::size_t limit) const {
    std::vector<MessageId> out;
    for (auto at = messages_.upper_bound(after.value); at != messages_.end() && out.size() < limit; ++at)
        out.push_back(MessageId{at->first});
    return out;
}

std::vector<MessageId> Index::fresh(MessageId after, std::size_t limit) const {
    std::vector<MessageId> out;
    for (auto at = fresh_.upper_bound(after.value); at != fresh_.end() && out.size() < limit; ++at)
        out.push_back(MessageId{*at});
    return out;
}

const Index::Line* Index::find_line(const RouteKey& route) const {
    const auto found = line_numbers_.find(route);
    return found == line_numbers_.end() ? nullptr : &lines_[found->second].line;
}

std::vector<WaitEntry> Index::due(const RouteKey& route, Time until, std::size_t limit,
                                  const std::function<bool(MessageId)>& skip) const {
    std::vector<WaitEntry> out;
    const Line* line = find_line(route);
    if (line == nullptr) return out;
    const std::int64_t end = microseconds(until);
    for (auto at = line->begin(); at != line->end() && out.size() < limit && at->first <= end; ++at)
        if (!skip(MessageId{at->second})) out.push_back({MessageId{at->second}, time_of(at->first)});
    return out;
}

std::vector<WaitKey> Index::routes() const {
    std::vector<WaitKey> out;
    for (const auto& [route, number] : line_numbers_)
        out.push_back({route, time_of(lines_[number].line.begin()->first)});
    return out;
}

std::size_t Index::waiting(const RouteKey& route) const {
    const Line* line = find_line(route);
    return line == nullptr ? 0 : line->size();
}

bool Index::waits(const WaitKey& key, MessageId id) const {
    const Line* line = find_line(key.route);
    return line != nullptr && line->contains({microseconds(key.due), id.value});
}

std::vector<WaitKey> Index::lines(MessageId id) const {
    const auto at = messages_.find(id.value);
    if (at == messages_.end() || at->second.line == nowhere) return {};
    if (at->second.line != several)
        return {WaitKey{lines_[at->second.line].route, time_of(at->second.due())}};
    std::vector<WaitKey> out;
    for (const auto& [line, due] : several_.at(id.value)) out.push_back({lines_[line].route, time_of(due)});
    return out;
}

const std::set<std::uint16_t>* Index::delivered(MessageId id) const {
    const auto found = delivered_.find(id.value);
    return found == delivered_.end() ? nullptr : &found->second;
}

std::vector<MessageId> Index::noted() const {
    std::vector<MessageId> out;
    for (const auto& [id, recipients] : delivered_) out.push_back(MessageId{id});
    return out;
}

// ---- checkpoints

void Index::rows(MessageId after, std::size_t limit, std::vector<Row>& out) const {
    auto at = messages_.upper_bound(after.value);
    for (; at != messages_.end() && limit > 0; ++at) {
        const Node& node = at->second;
        Row row{MessageId{at->first}, {node.message, node.progress, node.fresh != 0}, {}, {}};
        if (node.line == several)
            row.lines = several_.at(at->first);
        else if (node.line != nowhere)
            row.lines = {{node.line, node.due()}};
        if (const auto* recipients = delivered(row.id))
            row.delivered.assign(recipients->begin(), recipients->end());
        limit -= std::min(limit, 1 + row.lines.size() + row.delivered.size());
        out.push_back(std::move(row));
    }
}

void Index::restore(const Row& row) {
    const auto at = messages_.try_emplace(messages_.end(), row.id.value);
    Node& node = at->second;
    replace(node.message, row.entry.message);
    replace(node.progress, row.entry.progress);
    node.fresh = row.entry.fresh ? 1 : 0;
    if (row.entry.fresh) fresh_.insert(fresh_.end(), row.id.value);
    if (!row.delivered.empty()) note_delivered(row.id, row.delivered);
    if (restored_.size() < lines_.size()) restored_.resize(lines_.size());
    for (const auto& [line, due] : row.lines) restored_[line].emplace_back(due, row.id.value);
    if (row.lines.size() == 1) {
        node.wait(row.lines.front());
    } else if (!row.lines.empty()) {
        node.line = several;
        several_.insert_or_assign(row.id.value, row.lines);
    }
}

/// In order they go to the end of a tree one behind the other, which then is full and quickly made.
void Index::complete() {
    for (std::size_t line = 0; line < restored_.size(); ++line) {
        auto& waiting = restored_[line];
        std::sort(waiting.begin(), waiting.end());
        Line& to = lines_[line].line;
        for (const auto& one : waiting) to.insert(to.end(), one);
        std::vector<std::pair<std::int64_t, std::uint64_t>>().swap(waiting);
    }
    restored_ = {};
    for (std::uint32_t line = 0; line < lines_.size(); ++line)
        if (lines_[line].line.empty() && line_numbers_.erase(lines_[line].route) > 0) {
            lines_[line] = {};
            unused_lines_.push_back(line);
        }
}

std::uint64_t Index::live(std::uint32_t segment) const {
    const auto found = live_.find(segment);
    return found == live_.end() ? 0 : found->second;
}

}  // namespace postern::relay
