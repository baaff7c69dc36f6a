#include "relay/volume/history.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

namespace postern::relay {

namespace {

constexpr double scale = 128;
constexpr std::int64_t idle_most = 120;  // days without mail, behind which nothing is left
constexpr std::uint16_t days_most = 1000;
/// Of the newest day, once there are enough: a mean of two weeks' half-life, of their days of its kind.
constexpr std::array<double, History::kinds> least_weight{0.067, 0.159};
constexpr double growth = 2, first_growth = 20, peak_growth = 1.5, peak_stays = 0.98;
constexpr double fresh_after = 200, fresh_most = 0.3;  // recipients that weigh as much as all before
constexpr std::int64_t number_most = 10'000'000;       // of hours and days that are read

std::int64_t hour_number(base::Time at) {
    return std::chrono::floor<std::chrono::hours>(at.time_since_epoch()).count();
}

template <class Number>
bool take_number(std::string_view& text, Number& to, char behind) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), to);
    if (error != std::errc()) return false;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    if (text.empty()) return true;
    const bool there = text.front() == behind;
    text.remove_prefix(1);
    return there;
}

}  // namespace

std::int64_t History::day_of(base::Time at) {
    return std::chrono::floor<std::chrono::days>(at.time_since_epoch()).count();
}

/// 1970 began with a Thursday.
std::size_t History::kind_of(std::int64_t day) { return (day + 3) % 7 >= 5 ? 1 : 0; }

History::Slot History::slot_of(std::int64_t hour) {
    return {kind_of(hour / 24), static_cast<std::size_t>(hour % 24)};
}

double History::get(std::size_t kind, std::size_t hour) const {
    const double root = means_[kind][hour] / scale;
    return root * root;
}

/// Rounded down, so that what is no more comes to nothing.
void History::put(std::size_t kind, std::size_t hour, double mean) {
    means_[kind][hour] =
        static_cast<std::uint16_t>(std::clamp(std::sqrt(std::max(0.0, mean)) * scale + 0.01, 0.0, 65535.0));
}

double History::weight(std::size_t kind) const {
    return std::max(least_weight[kind], 1.0 / std::max<double>(1, days_[kind]));
}

/// Each day of a kind takes its share of the mean, mail or none.
void History::pass_to(std::int64_t day) {
    if (day_ == 0 || day - day_ > idle_most) {
        means_ = {};
        days_ = {};
        peak_ = 0;
        day_ = static_cast<std::int32_t>(day - 1);
    }
    while (day_ < day) {
        const std::size_t kind = kind_of(++day_);
        peak_ = static_cast<std::uint32_t>(peak_ * peak_stays);
        days_[kind] = std::min<std::uint16_t>(days_most, static_cast<std::uint16_t>(days_[kind] + 1));
        for (std::size_t hour = 0; hour < hours; ++hour)
            if (means_[kind][hour] > 0) put(kind, hour, get(kind, hour) * (1 - weight(kind)));
    }
}

void History::follow(std::int64_t day) {
    if (day > day_) return pass_to(day);
    // The clock was ahead: what was learnt then stays, and days pass again.
    if (day + 7 < day_) day_ = static_cast<std::int32_t>(day);
}

void History::fold() {
    if (count_ == 0) return;
    const auto [kind, hour] = slot_of(hour_);
    const double mean = get(kind, hour);
    const double most = std::max(peak_growth * peak_, growth * mean + first_growth);
    const double learnt = careful_ && !sure_ ? std::min<double>(count_, most) : count_;
    put(kind, hour, mean + weight(kind) * learnt);
    peak_ = std::max(peak_, static_cast<std::uint32_t>(learnt));
    count_ = 0;
    sure_ = false;
}

void History::add(base::Time at, std::uint32_t recipients, bool sure) {
    const std::int64_t now = hour_number(at);
    if (now != hour_) {
        fold();
        hour_ = static_cast<std::int32_t>(now);
    }
    follow(day_of(at));
    sure_ = sure_ || sure;
    count_ += std::min(recipients, UINT32_MAX - count_);
}

std::uint32_t History::disregard(base::Time at) {
    return hour_number(at) == hour_ ? std::exchange(count_, 0) : 0;
}

void History::learn(base::Time at, double recipients) {
    follow(day_of(at));
    const auto [kind, hour] = slot_of(hour_number(at));
    put(kind, hour, get(kind, hour) + weight(kind) * recipients);
    peak_ = std::max(peak_, static_cast<std::uint32_t>(recipients));
}

double History::mean_hour(base::Time at) const {
    double most = 0;
    for (const std::int64_t by : {-1, 0, 1}) {
        const auto [kind, hour] = slot_of(hour_number(at) + by);
        most = std::max(most, get(kind, hour));
    }
    return most;
}

double History::busiest_hour() const {
    double most = 0;
    for (std::size_t kind = 0; kind < kinds; ++kind)
        for (std::size_t hour = 0; hour < hours; ++hour) most = std::max(most, get(kind, hour));
    return most;
}

double History::mean_day(base::Time at) const {
    double sum = 0;
    for (std::size_t hour = 0; hour < hours; ++hour) sum += get(kind_of(day_of(at)), hour);
    return sum;
}

unsigned History::days(base::Time at) const { return days_[kind_of(day_of(at))]; }

base::Time History::last() const { return base::Time(std::chrono::days(day_)); }

void History::see_fresh(std::uint32_t recipients, std::uint32_t fresh) {
    if (recipients == 0) return;
    const double share = static_cast<double>(fresh) / recipients;
    const double part = std::min(fresh_most, recipients / fresh_after);
    fresh_ = static_cast<std::uint16_t>(fresh_ + (share * 65535 - fresh_) * part);
}

void History::add_to(Means& sums, double most) const {
    for (std::size_t kind = 0; kind < kinds; ++kind)
        for (std::size_t hour = 0; hour < hours; ++hour)
            if (means_[kind][hour] > 0) sums[kind][hour] += std::min(most, get(kind, hour));
}

History History::of_means(const Means& means) {
    History out;
    for (std::size_t kind = 0; kind < kinds; ++kind)
        for (std::size_t hour = 0; hour < hours; ++hour) out.put(kind, hour, means[kind][hour]);
    return out;
}

std::string History::text() const {
    std::string out = std::to_string(day_) + ' ' + std::to_string(days_[0]) + ' ' + std::to_string(days_[1]) +
                      ' ' + std::to_string(fresh_) + ' ' + std::to_string(hour_) + ' ' +
                      std::to_string(count_) + ' ' + std::to_string(peak_) + ' ' + (careful_ ? '1' : '0');
    for (std::size_t kind = 0; kind < kinds; ++kind)
        for (std::size_t hour = 0; hour < hours; ++hour)
            if (means_[kind][hour] > 0)
                out += ' ' + std::to_string(kind * hours + hour) + '=' + std::to_string(means_[kind][hour]);
    return out;
}

History History::of(std::string_view text) {
    History out;
    std::int64_t day = 0, hour = 0;
    unsigned careful = 0;
    if (!take_number(text, day, ' ') || !take_number(text, out.days_[0], ' ') ||
        !take_number(text, out.days_[1], ' ') || !take_number(text, out.fresh_, ' ') ||
        !take_number(text, hour, ' ') || !take_number(text, out.count_, ' ') ||
        !take_number(text, out.peak_, ' ') || !take_number(text, careful, ' ') || day < 0 ||
        day > number_most || hour < 0 || hour > number_most)
        return {};
    out.day_ = static_cast<std::int32_t>(day);
    out.hour_ = static_cast<std::int32_t>(hour);
    out.careful_ = careful != 0;
    for (std::size_t slot = 0; !text.empty();) {
        std::uint16_t mean = 0;
        if (!take_number(text, slot, '=') || slot >= kinds * hours || !take_number(text, mean, ' ')) break;
        out.means_[slot / hours][slot % hours] = mean;
    }
    return out;
}

}  // namespace postern::relay
