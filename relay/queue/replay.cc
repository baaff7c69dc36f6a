#include "relay/queue/replay.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace postern::relay {

using Kind = RecordHeader::Kind;

void Replay::record(const RecordHeader& header, const Place& place, std::string_view body) {
    if (held_) {
        const Held held = *std::exchange(held_, std::nullopt);
        if (header.follows && header.sequence == held.header.sequence + 1) {
            take(held.header, held.place, held.body);
            return take(header, place, body);
        }
        part(held);
    }
    if (header.first) settle(header.durable);
    if (header.follows) return part({header, place, std::string(body)});
    if (header.followed)
        held_ = Held{header, place, std::string(body)};
    else
        take(header, place, body);
}

void Replay::part(Held held) {
    const std::uint64_t id = held.header.id.value;
    parted_.insert_or_assign(id, std::move(held));
}

/// What comes later of the same message shows what became of a half; not that its id was given.
void Replay::take(const RecordHeader& header, const Place& place, std::string_view body) {
    const auto recipients = header.kind == Kind::delivered ? decode_delivered(body) : std::nullopt;
    const bool shows = !recipients || !recipients->empty();
    if (const auto parted = parted_.find(header.id.value); shows && parted != parted_.end()) {
        const Held held = std::move(parted->second);
        parted_.erase(parted);
        if (held.header.kind == Kind::message && header.kind != Kind::done)
            apply(held.header, held.place, held.body);
    }
    apply(header, place, body);
}

void Replay::apply(const RecordHeader& header, const Place& place, std::string_view body) {
    if (header.id == MessageId{}) return;  // it was taken back
    holdings_.last_id = std::max(holdings_.last_id, header.id);
    switch (header.kind) {
        case Kind::message: return message(header, place);
        case Kind::progress: return progress(header, place, body);
        case Kind::delivered: {
            const auto recipients = decode_delivered(body);
            if (!recipients) return;
            if (holdings_.index.contains(header.id))
                return holdings_.index.note_delivered(header.id, *recipients);
            auto& known = early_[header.id.value].delivered;
            known.insert(known.end(), recipients->begin(), recipients->end());
            return;
        }
        case Kind::done: return done(header.id, place, decode_graves(body).value_or(Graves{}));
    }
}

void Replay::message(const RecordHeader& header, const Place& place) {
    Index& index = holdings_.index;
    if (const auto known = index.find(header.id)) {
        if (known->message.segment != place.segment) holdings_.emptied.insert(known->message.segment);
        return index.move_message(header.id, place);
    }
    index.insert(header.id, place);
    const auto early = early_.find(header.id.value);
    if (early == early_.end()) return;
    const Early& known = early->second;
    if (known.place) index.progress(header.id, known.place, known.fresh, known.lines);
    if (!known.delivered.empty()) index.note_delivered(header.id, known.delivered);
    early_.erase(early);
}

void Replay::progress(const RecordHeader& header, const Place& place, std::string_view body) {
    const auto decoded = decode_progress(body);
    if (!decoded) return;
    auto lines = places_in_line(*decoded);
    if (!holdings_.index.contains(header.id)) {
        Early& early = early_[header.id.value];
        early.place = place;
        early.fresh = header.fresh;
        early.lines = std::move(lines);
        std::erase_if(early.delivered,
                      [&](std::uint16_t at) { return at >= decoded->size() || !(*decoded)[at].pending(); });
        return;
    }
    holdings_.index.progress(header.id, place, header.fresh, lines);
    holdings_.index.forget_notes(header.id, *decoded);
}

void Replay::done(MessageId id, const Place& place, const Graves& graves) {
    holdings_.index.erase(id);
    early_.erase(id.value);
    holdings_.graves.add(place.segment, graves);
}

void Replay::header(const RecordHeader& header, const Place& place) {
    holdings_.last_id = std::max(holdings_.last_id, header.id);
    if (header.kind == Kind::done) return record(header, place, encode_graves(widest_graves(place)));
    if (header.first) settle(header.durable);
}

/// Which halves count of those that were written before the process ended.
void Replay::settle(std::uint64_t durable) {
    if (held_) part(*std::exchange(held_, std::nullopt));
    for (const auto& [id, held] : parted_) {
        const std::uint64_t other = held.header.follows ? held.header.sequence - 1 : held.header.sequence + 1;
        // Both were written, and the other has been damaged since; or the machine stopped in between.
        if (other < durable)
            apply(held.header, held.place, held.body);
        else
            dropped_.push_back(held.place);
    }
    parted_.clear();
}

void Replay::end(std::uint64_t durable) {
    settle(durable);
    early_.clear();
}

}  // namespace postern::relay
