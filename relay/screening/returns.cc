#include "relay/screening/returns.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "sync/base/encoding.h"

namespace postern::relay {

namespace {

constexpr std::size_t trips_most = 120'000, over_most = 20'000;
constexpr std::chrono::hours away_longest{24 * 14};  // then nobody waits for it any more
constexpr std::chrono::hours over_longest{1};
constexpr std::size_t sender_max = 320, listed_max = 1000;

std::int64_t seconds(Time time) {
    return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}

std::string_view take_word(std::string_view& line, char end = ' ') {
    const std::size_t at = std::min(line.find(end), line.size());
    const auto out = line.substr(0, at);
    line.remove_prefix(std::min(at + 1, line.size()));
    return out;
}

template <class Number>
bool parse(std::string_view text, Number& to) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), to);
    return error == std::errc() && end == text.data() + text.size();
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
    if (trip.over()) note_over(id.value);
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
    const std::lock_guard lock(mutex_);
    if (!std::exchange(changed_, false)) return std::nullopt;
    std::string out = "counts";
    for (const auto count : {went_, back_, given_up_, again_}) out += ' ' + std::to_string(count);
    out += '\n';
    for (const auto& [id, trip] : trips_)
        if (trip.away())
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
        std::string_view line = take_word(text, '\n');
        const auto first = take_word(line);
        if (first == "counts") {
            for (auto* count : {&went_, &back_, &given_up_, &again_}) parse(take_word(line), *count);
            continue;
        }
        const auto id = MessageId::parse(first);
        Trip trip;
        std::int64_t since = 0;
        if (!id || !parse(take_word(line), trip.sent) || !parse(take_word(line), since)) continue;
        trip.since = Time(std::chrono::seconds(since & 0xffffffffff));
        trip.told = take_word(line) == "told";
        trip.sender = base::percent_decoded(line).value_or("").substr(0, sender_max);
        if (trips_.size() < trips_most) trips_.insert_or_assign(id->value, std::move(trip));
    }
}

}  // namespace postern::relay
