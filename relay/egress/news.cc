#include "relay/egress/news.h"

#include "relay/egress/state.h"
#include "sync/base/words.h"

namespace postern::relay {

namespace {

constexpr std::chrono::seconds pause{5};
constexpr std::size_t most_told = 30'000;            // about as much as a pool knows
constexpr std::string_view of_no_address = " ip= ";  // the system's choice, which is another at each gateway

/// A state's lines by what they are about: the words up to what may change.
std::map<std::string, std::string> lines_of(const EgressState& state) {
    std::map<std::string, std::string> out;
    const std::string all = encode_egress_state(state);
    std::string_view text = all;
    base::take_part(text, '\n');
    while (!text.empty()) {
        const auto line = base::take_part(text, '\n');
        if (line.find(of_no_address) != std::string_view::npos) continue;
        std::size_t words = line.starts_with("verdict ") ? 4 : line.starts_with("receiver ") ? 3 : 2;
        std::size_t end = 0;
        while (words-- > 0) end = line.find(' ', end) + 1;
        out.emplace(line.substr(0, end), line);
    }
    return out;
}

EgressState state_of(std::string_view line) {
    return decode_egress_state(encode_egress_state({}).append(line).append("\n"));
}

}  // namespace

void EgressNews::take(std::vector<base::Fact>& out, const EgressPool& pool, Time now) {
    if (pool.version() == version_ || (now >= looked_ && now < looked_ + pause)) return;
    looked_ = now;
    version_ = pool.version();
    auto lines = lines_of(pool.state());
    for (const auto& [about, line] : lines)
        if (const auto before = told_.find(about); before == told_.end() || before->second != line)
            out.push_back({std::string(egress_fact), line});
    for (const auto& [about, line] : told_)
        if (line.starts_with("verdict ") && !lines.contains(about))
            out.push_back({std::string(egress_over_fact), line});
    told_ = std::move(lines);
}

void EgressNews::all(std::vector<base::Fact>& out, const EgressPool& pool) {
    for (auto& [about, line] : lines_of(pool.state()))
        out.push_back({std::string(egress_fact), std::move(line)});
}

void EgressNews::hear(EgressPool& pool, const base::Fact& fact, Time now) {
    const bool over = fact.kind == egress_over_fact;
    if (!over && fact.kind != egress_fact) return;
    EgressState state = state_of(fact.text);
    auto lines = lines_of(state);
    pool.learn(over ? EgressState() : state, over ? std::move(state) : EgressState(), now);
    for (auto& [about, line] : lines)
        if (over)
            told_.erase(about);
        else if (told_.size() < most_told)
            told_[about] = std::move(line);
}

}  // namespace postern::relay
