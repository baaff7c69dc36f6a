#include "relay/delivery/sorting.h"

#include <algorithm>

namespace postern::relay {

namespace {

bool needs_another_session(Meaning meaning) {
    return meaning == Meaning::session || meaning == Meaning::clear_text;
}

bool deferred_by_reply(const Outcome& outcome) {
    return outcome.result == Outcome::Result::deferred && outcome.reply.code != 0 &&
           !outcome.reply.permanent();
}

/// Takes the marked ones out of `from`, both in their order.
template <typename Values>
Values part(Values& from, const std::vector<bool>& apart) {
    Values out, kept;
    for (std::size_t at = 0; at < from.size(); ++at) (apart[at] ? out : kept).push_back(std::move(from[at]));
    from = std::move(kept);
    return out;
}

}  // namespace

bool Results::delivered() const {
    return std::any_of(outcomes.begin(), outcomes.end(),
                       [](const Outcome& outcome) { return outcome.result == Outcome::Result::delivered; });
}

Results Results::take(const std::vector<bool>& apart) {
    return {part(outcomes, apart), part(meanings, apart), part(listed, apart)};
}

std::vector<Way> sort_recipients(const Results& results, const Circumstances& circumstances) {
    const bool afresh = !circumstances.last_word &&
                        std::any_of(results.meanings.begin(), results.meanings.end(), needs_another_session);
    const bool progress = afresh || results.delivered();
    const auto way_of = [&](const Outcome& outcome, Meaning meaning, bool listed) {
        if (outcome.result == Outcome::Result::delivered) return Way::settle;
        if (afresh && needs_another_session(meaning)) return Way::fresh;
        if (progress && meaning == Meaning::too_many) return Way::line;
        if (meaning == Meaning::bare) return Way::bare;
        if (circumstances.other_address && (listed || circumstances.suspected)) return Way::other_address;
        if (circumstances.other_host && !circumstances.last_word && !afresh && deferred_by_reply(outcome))
            return Way::other_host;
        return Way::settle;
    };
    std::vector<Way> out;
    for (std::size_t at = 0; at < results.size(); ++at)
        out.push_back(way_of(results.outcomes[at], results.meanings[at],
                             !results.listed.empty() && results.listed[at]));
    return out;
}

std::vector<bool> marked(const std::vector<Way>& ways, Way which) {
    std::vector<bool> out;
    if (std::find(ways.begin(), ways.end(), which) == ways.end()) return out;
    for (Way way : ways) out.push_back(way == which);
    return out;
}

}  // namespace postern::relay
