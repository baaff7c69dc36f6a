#include "agent/settings/quantity.h"

#include <array>
#include <charconv>
#include <limits>

#include "sync/base/ascii.h"

namespace postern::agent {
namespace {

struct Unit {
    std::string_view name;
    std::uint64_t factor;
};

constexpr std::array<Unit, 5> duration_units{
    {{"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1000}, {"ms", 1}}};
constexpr std::array<Unit, 4> size_units{{{"GiB", 1u << 30}, {"MiB", 1u << 20}, {"KiB", 1u << 10}, {"B", 1}}};

constexpr std::uint64_t largest = std::numeric_limits<std::int64_t>::max();

/// The number and the unit's letters at the start of `text`, which is advanced past both.
struct Part {
    std::uint64_t number = 0;
    std::string_view unit;
};

tl::expected<Part, std::string> take_part(std::string_view& text, const std::string& example) {
    Part part;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), part.number);
    if (error == std::errc::result_out_of_range)
        return tl::unexpected<std::string>("the number is too large");
    if (error != std::errc())
        return tl::unexpected("a whole number and its unit are expected, such as " + example);
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    std::size_t letters = 0;
    while (letters < text.size() && base::is_letter(text[letters])) ++letters;
    part.unit = text.substr(0, letters);
    text.remove_prefix(letters);
    return part;
}

}  // namespace

tl::expected<std::chrono::milliseconds, std::string> parse_duration(std::string_view text) {
    if (text.empty()) return tl::unexpected<std::string>("a duration is expected, such as \"30s\"");
    std::uint64_t total = 0;
    std::size_t next_unit = 0;
    while (!text.empty()) {
        const auto part = take_part(text, "\"4h\"");
        if (!part) return tl::unexpected(part.error());
        std::size_t unit = 0;
        while (unit < duration_units.size() && duration_units[unit].name != part->unit) ++unit;
        if (unit == duration_units.size())
            return tl::unexpected<std::string>(part->unit.empty()
                                                   ? "the unit is missing: one of d, h, m, s, ms, right "
                                                     "behind the number"
                                                   : "the unit is not one of d, h, m, s, ms");
        if (unit < next_unit)
            return tl::unexpected<std::string>("units go from the largest to the smallest, each once");
        next_unit = unit + 1;
        const std::uint64_t factor = duration_units[unit].factor;
        if (part->number > (largest - total) / factor)
            return tl::unexpected<std::string>("the number is too large");
        total += part->number * factor;
    }
    return std::chrono::milliseconds(static_cast<std::int64_t>(total));
}

tl::expected<std::uint64_t, std::string> parse_size(std::string_view text) {
    if (text.empty()) return tl::unexpected<std::string>("a size is expected, such as \"50MiB\"");
    const auto part = take_part(text, "\"50MiB\"");
    if (!part) return tl::unexpected(part.error());
    for (const auto& unit : size_units) {
        if (unit.name != part->unit || !text.empty()) continue;
        if (part->number > largest / unit.factor)
            return tl::unexpected<std::string>("the number is too large");
        return part->number * unit.factor;
    }
    return tl::unexpected<std::string>(part->unit.empty() ? "the unit is missing: one of B, KiB, MiB, GiB, "
                                                            "right behind the number"
                                                          : "the unit is not one of B, KiB, MiB, GiB");
}

std::string format_duration(std::chrono::milliseconds value) {
    auto rest = static_cast<std::uint64_t>(value.count() < 0 ? 0 : value.count());
    if (rest == 0) return "0s";
    std::string text;
    for (const auto& unit : duration_units) {
        if (rest >= unit.factor) text.append(std::to_string(rest / unit.factor)).append(unit.name);
        rest %= unit.factor;
    }
    return text;
}

std::string format_size(std::uint64_t bytes) {
    for (const auto& unit : size_units)
        if (bytes != 0 && bytes % unit.factor == 0)
            return std::to_string(bytes / unit.factor).append(unit.name);
    return "0B";
}

}  // namespace postern::agent
