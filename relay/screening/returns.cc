#include "relay/screening/returns.h"

#include <algorithm>
#include <utility>

#include "sync/base/encoding.h"
#include "sync/base/words.h"

namespace postern::relay {

namespace {

constexpr std::size_t trips_most = 120'000, over_most = 20'000;
constexpr std::chrono::hours away_longest{24 * 14};  // then nobody waits for it any more
constexpr std::chrono::hours over_longest{1};
constexpr std::size_t sender_max = 320, listed_max = 1000;

std::int64_t seconds(Time time) {
    return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}

}  // namespace

void Returns::went(MessageId id, std::string_view sender, std::size_t recipients, Time now) {
    const std::lock_guard lock(mutex_);
    changed_ = true;
    Trip& trip = trips_[id.value];
    if (trip.sent == 0) ++went_;
    trip.sender = sender.substr(0, sender_max);
    trip.sent += recipients;
    trip.since = now;
    // What came back sooner than this was told could not be told apart then.
    const bool early = trip.back > trip.sent;
    if (early && !trip.early) ++again_;
    if (!early && trip.early) --again_;
    trip.early = early;
    if (trip.over()) note_over(id.value);
    bound();
}

void Returns::bound() {
    while (trips_.size() > trips_most) {
        if (trips_.begin()->second.away()) ++given_up_;
        trips_.erase(trips_.begin());
    }
}

bool Returns::came(MessageId id, std::size_t recipients, Time now) {
    const std::lock_guard lock(mutex_);
    changed_ = true;
    Trip& trip = trips_[id.value];
    if (trip.since == Time()) trip.since = now;
    const bool was_away = trip.away();
    trip.back += recipients;
    const bool again = trip.sent > 0 && trip.back > trip.sent;
    if (again) ++again_;
    if (was_away && trip.over()) note_over(id.value);
    bound();
    return again;
}

void Returns::note_over(std::uint64_t id) {
    ++back_;
    over_.push_back(id);
    if (over_.size() <= over_most) return;
    if (const auto oldest = trips_.find(over_.front()); oldest != trips_.end() && !oldest->second.away())
        trips_.erase(oldest);
    over_.pop_front();
}

/// Those that nobody waits for any more.
void Returns::forget(Time now) {
    std::erase_if(trips_, [&](const auto& one) {
        const Trip& trip = one.second;
        const bool old = now - trip.since >= (trip.away() ? away_longest : over_longest);
        if (old && trip.away()) ++given_up_;
        return old;
    });
}

std::optional<Returns::Missing> Returns::newly_missing(Time now, std::chrono::seconds patience) {
    const std::lock_guard lock(mutex_);
    forget(now);
    Missing out;
    for (auto& [id, trip] : trips_) {
        if (trip.told || !trip.away() || now - trip.since < patience) continue;
        trip.told = true;
        changed_ = true;
        if (out.count++ > 0) continue;
        out.example = MessageId{id};
        out.sender = trip.sender;
    }
    if (out.count == 0) return std::nullopt;
    return out;
}

ScreeningView Returns::view(Time now, std::chrono::seconds patience) const {
    const std::lock_guard lock(mutex_);
    ScreeningView out;
    out.went = went_;
    out.back = back_;
    out.again = again_;
    out.given_up = given_up_;
    for (const auto& [id, trip] : trips_) {
        if (!trip.away()) continue;
        ++out.away;
        if (now - trip.since < patience) continue;
        ++out.missing;
        if (out.list.size() < listed_max)
            out.list.push_back({MessageId{id}.text(), trip.sender, trip.sent - trip.back, trip.since});
    }
    return out;
}

std::optional<std::string> Returns::save() {
    std::vector<std::pair<std::uint64_t, Trip>> away;
    std::string out = "counts";
    {
        // Who sends and takes mail waits for this alone, not for the text.
        const std::lock_guard lock(mutex_);
        if (!std::exchange(changed_, false)) return std::nullopt;
        for (const auto count : {went_, back_, given_up_, again_}) out += ' ' + std::to_string(count);
        for (const auto& one : trips_)
            if (one.second.away()) away.emplace_back(one);
    }
    out += '\n';
    for (const auto& [id, trip] : away)
        out += MessageId{id}.text() + ' ' + std::to_string(trip.sent - trip.back) + ' ' +
               std::to_string(seconds(trip.since)) + ' ' + (trip.told ? "told" : "new") + ' ' +
               base::percent_encoded(trip.sender, "@+") + '\n';
    return out;
}

void Returns::not_saved() {
    const std::lock_guard lock(mutex_);
    changed_ = true;
}

void Returns::restore(std::string_view text) {
    const std::lock_guard lock(mutex_);
    while (!text.empty()) {
        std::string_view line = base::take_part(text, '\n');
        const auto first = base::take_part(line);
        if (first == "counts") {
            for (auto* count : {&went_, &back_, &given_up_, &again_})
                base::parse_number(base::take_part(line), *count);
            continue;
        }
        const auto id = MessageId::parse(first);
        Trip trip;
        std::int64_t since = 0;
        if (!id || !base::parse_number(base::take_part(line), trip.sent) ||
            !base::parse_number(base::take_part(line), since))
            continue;
        trip.since = Time(std::chrono::seconds(since & 0xffffffffff));
        trip.told = base::take_part(line) == "told";
        trip.sender = base::percent_decoded(line).value_or("").substr(0, sender_max);
        if (trips_.size() < trips_most) trips_.insert_or_assign(id->value, std::move(trip));
    }
}

}  // namespace postern::relay
