#include "relay/volume/tally_state.h"

#include "sync/base/encoding.h"
#include "sync/base/words.h"

namespace postern::relay {

namespace {

constexpr std::size_t key_max = 1000;
constexpr std::int64_t number_max = std::int64_t{1} << 40;

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
    const auto unit = base::take_part(line);
    if (unit != "m" && unit != "r") return std::nullopt;
    out.unit = unit.front();
    if (!base::parse_number(base::take_part(line), out.period)) return std::nullopt;
    const auto key = base::percent_decoded(base::take_part(line));
    if (!key || key->empty() || key->size() > key_max || key->front() < '0' || key->front() > '3')
        return std::nullopt;
    out.key = *key;
    while (!line.empty() && out.steps.size() < SlidingCount::steps) {
        const auto word = base::take_part(line);
        const std::size_t equals = std::min(word.find('='), word.size());
        SlidingCount::Step step;
        if (!base::parse_number(word.substr(0, equals), step.number) || equals == word.size() ||
            !base::parse_number(word.substr(equals + 1), step.count) || step.number < 0 ||
            step.number > number_max)
            return std::nullopt;
        out.steps.push_back(step);
    }
    return out;
}

}  // namespace postern::relay
