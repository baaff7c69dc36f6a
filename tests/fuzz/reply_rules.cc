// Patterns of the rule file and replies from the network: what a pattern matches, seen by a slower and
// simpler way.
#include "relay/egress/reply_rules.h"

#include <vector>

#include "tests/fuzz/target.h"

using namespace postern::relay;
using namespace postern::fuzz;

namespace {

/// Plain text without runs of spaces, so that folding changes nothing.
std::string plain_text(std::string_view text) {
    std::string out;
    for (const char c : text)
        if (c > ' ' && (c < 'A' || c > 'Z')) out += c;
    return out;
}

/// By a table over both lengths.
bool matches(std::string_view pattern, std::string_view text) {
    std::vector<bool> row(text.size() + 1);
    row[0] = true;
    for (const char c : pattern) {
        std::vector<bool> next(text.size() + 1);
        for (std::size_t at = 0; at <= text.size(); ++at)
            next[at] =
                c == '*' ? row[at] || (at > 0 && next[at - 1]) : at > 0 && row[at - 1] && text[at - 1] == c;
        row = std::move(next);
    }
    return row[text.size()];
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    auto input = text_of(data, size);
    const auto first = take_line(input);
    const auto pattern = plain_text(first.substr(0, 200)), text = plain_text(input.substr(0, 500));
    require(matches_glob(pattern, text, true) == matches(pattern, text));
    require(matches_glob(pattern, text, false) == matches('*' + pattern + '*', text));

    ReplyRule rule;
    rule.name = "rule";
    rule.meaning = ReplyMeaning::listed;
    rule.text = first;
    const auto judgement = judge_reply({rule}, {550, {5, 7, 1}, std::string(input)}, "mx.example");
    require(judgement.rule.empty() || matches_glob(first, input, false));
    return 0;
}
