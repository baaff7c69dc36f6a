#include "relay/volume/tally_state.h"

#include <charconv>

#include "sync/base/encoding.h"

namespace postern::relay {

namespace {

constexpr std::size_t key_max = 1000;
constexpr std::int64_t number_max = std::int64_t{1} << 40;

std::string_view take_word(std::string_view& line) {
    const std::size_t end = std::min(line.find(' '), line.size());
    const auto out = line.substr(0, end);
    line.remove_prefix(std::min(end + 1, line.size()));
    return out;
}

template <class Number>
bool parse(std::string_view text, Number& to) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), to);
    return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

void write_counts(std::string& out, std::string_view key, char unit, std::size_t period,
                  const SlidingCount& counts) {
    std::string steps;
    for (const auto& step : counts.all())
        if (step.count > 0) steps += ' ' + std::to_string(step.number) + '=' + std::to_string(step.count);
    if (steps.empty()) return;
    out += unit;
    // Whatever a sender is called, it is one word of one line.
    out += ' ' + std::to_string(period) + ' ' + base::percent_encoded(key, "@+") + steps + '\n';
}

std::optional<CountLine> read_counts(std::string_view& text) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    CountLine out;
    const auto unit = take_word(line);
    if (unit != "m" && unit != "r") return std::nullopt;
    out.unit = unit.front();
    if (!parse(take_word(line), out.period)) return std::nullopt;
    const auto key = base::percent_decoded(take_word(line));
    if (!key || key->empty() || key->size() > key_max || key->front() < '0' || key->front() > '3')
        return std::nullopt;
    out.key = *key;
    while (!line.empty() && out.steps.size() < SlidingCount::steps) {
        const auto word = take_word(line);
        const std::size_t equals = std::min(word.find('='), word.size());
        SlidingCount::Step step;
        if (!parse(word.substr(0, equals), step.number) || equals == word.size() ||
            !parse(word.substr(equals + 1), step.count) || step.number < 0 || step.number > number_max)
            return std::nullopt;
        out.steps.push_back(step);
    }
    return out;
}

}  // namespace postern::relay
