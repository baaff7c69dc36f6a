#include "relay/egress/reply_rules.h"

#include <algorithm>
#include <string>

namespace postern::relay {
namespace {

constexpr std::size_t looked_at = 2000;  // a refusal says why in its first lines

/// ASCII lower case, and any run of spaces, tabs and line ends as one space.
std::string folded(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (const char c : text) {
        if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
            if (out.empty() || out.back() != ' ') out += ' ';
        } else {
            out += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
        }
    }
    return out;
}

/// Both folded. A piece between two stars is best taken where it is found first, so nothing is tried twice.
bool matches(std::string_view pattern, std::string_view text, bool whole) {
    bool anchored = whole;
    while (true) {
        const auto star = pattern.find('*');
        const auto piece = pattern.substr(0, star);
        if (star == std::string_view::npos) {
            if (!whole) return text.find(piece) != std::string_view::npos;
            return anchored ? text == piece : text.ends_with(piece);
        }
        const auto at = anchored ? (text.starts_with(piece) ? 0 : std::string_view::npos) : text.find(piece);
        if (at == std::string_view::npos) return false;
        text.remove_prefix(at + piece.size());
        pattern.remove_prefix(star + 1);
        anchored = false;
    }
}

}  // namespace

bool matches_glob(std::string_view pattern, std::string_view text, bool whole) {
    return matches(folded(pattern), folded(text), whole);
}

Judgement judge_reply(const std::vector<ReplyRule>& rules, const Reply& reply, std::string_view host) {
    const auto code = std::to_string(reply.code);
    const auto status = reply.status.text();
    const auto text = folded(std::string_view(reply.text).substr(0, looked_at));
    const auto name = folded(host);
    const auto decides = [&](const ReplyRule& rule) {
        return code.starts_with(rule.code) && status.starts_with(rule.status) &&
               (rule.text.empty() || matches(folded(rule.text), text, false)) &&
               (rule.host.empty() || matches(folded(rule.host), name, true));
    };
    const auto found = std::find_if(rules.begin(), rules.end(), decides);
    if (found == rules.end()) return {};
    return {found->meaning, found->name, found->hold};
}

}  // namespace postern::relay
