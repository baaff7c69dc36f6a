#include "sync/smtp/reply.h"

#include <algorithm>
#include <charconv>

#include "sync/base/ascii.h"
#include "sync/directory/fold.h"
#include "sync/limits.h"

namespace postern::sync::smtp {

namespace {

bool digit(char c) { return c >= '0' && c <= '9'; }

/// "5.1.1" at the start of `text`, of the class of `code`.
std::optional<std::array<unsigned, 3>> status_in(std::string_view text, int code) {
    std::array<unsigned, 3> status{};
    const char *at = text.data(), *const end = at + text.size();
    for (std::size_t i = 0; i < status.size(); ++i) {
        if (i > 0 && (at == end || *at++ != '.')) return std::nullopt;
        const auto [next, error] = std::from_chars(at, end, status[i]);
        if (error != std::errc() || next - at > 3) return std::nullopt;
        at = next;
    }
    const bool ends = at == end || *at == ' ';
    return ends && static_cast<int>(status[0]) == code / 100 ? std::optional(status) : std::nullopt;
}

/// A refusal without a status that is about who asks, or what the server does not do.
bool about_policy(std::string_view text) {
    const std::string small = base::lower(text);
    constexpr std::string_view words[] = {"relay", "denied",    "not permitted", "blacklist",  "black list",
                                          "spam",  "blocklist", "block list",    "blocked",    "policy",
                                          "helo",  "authentic", "try again",     "reputation", "too many"};
    return std::any_of(std::begin(words), std::end(words),
                       [&](std::string_view word) { return small.find(word) != small.npos; });
}

}  // namespace

bool Reply::offers(std::string_view keyword) const {
    std::string_view rest = text;
    while (!rest.empty()) {
        const auto end = rest.find('\n');
        const std::string_view line = rest.substr(0, end);
        rest.remove_prefix(end + 1);
        const std::string word = base::lower(line.substr(0, line.find(' ')));
        if (fold::same(keyword, word)) return true;
    }
    return false;
}

std::string Reply::words() const {
    std::string all = std::to_string(code) + " " + text.substr(0, limits::words);
    while (all.ends_with('\n') || all.ends_with(' ')) all.pop_back();
    std::replace(all.begin(), all.end(), '\n', ' ');
    std::replace_if(
        all.begin(), all.end(), [](char c) { return c < ' ' || c >= 0x7f; }, '?');
    return all;
}

ReplyReader::Step ReplyReader::feed(std::string_view octets) {
    while (!octets.empty()) {
        if (step_ != Step::more) return step_ = Step::malformed;
        const auto end = octets.find('\n');
        line_ += octets.substr(0, end);
        if (line_.size() > longest_line) return step_ = Step::malformed;
        if (end == octets.npos) return step_;
        octets.remove_prefix(end + 1);
        if (line_.ends_with('\r')) line_.pop_back();
        step_ = line(line_);
        line_.clear();
    }
    return step_;
}

ReplyReader::Step ReplyReader::line(std::string_view text) {
    if (++lines_ > most_lines || text.size() < 3 || !std::all_of(text.begin(), text.begin() + 3, digit))
        return Step::malformed;
    const int code = (text[0] - '0') * 100 + (text[1] - '0') * 10 + (text[2] - '0');
    const char mark = text.size() > 3 ? text[3] : ' ';
    if (code < 200 || code > 599 || (lines_ > 1 && code != reply_.code) || (mark != ' ' && mark != '-'))
        return Step::malformed;
    text.remove_prefix(std::min<std::size_t>(text.size(), 4));
    reply_.code = code;
    reply_.status = status_in(text, code);
    reply_.text.append(text) += '\n';
    return mark == ' ' ? Step::complete : Step::more;
}

Existence judge(const Reply& reply) {
    if (reply.positive()) return Existence::exists;
    if (reply.status) {
        const auto [kind, subject, detail] = *reply.status;
        if (subject == 2 && (detail == 2 || detail == 3)) return Existence::exists;  // full, or too large
        // 5.1.0, .1 bad mailbox, .3 bad syntax, .6 moved, .10 as Exchange says it (RFC 7505 of null MX).
        const bool nobody = detail == 0 || detail == 1 || detail == 3 || detail == 6 || detail == 10;
        return kind == 5 && subject == 1 && nobody ? Existence::absent : Existence::unknown;
    }
    const bool of_mailboxes = reply.code == 550 || reply.code == 551 || reply.code == 553;
    return of_mailboxes && !about_policy(reply.text) ? Existence::absent : Existence::unknown;
}

std::string path(std::string_view local_part, std::string_view domain) {
    constexpr std::size_t longest_local_part = 64, longest = 254;  // RFC 5321 §4.5.3.1
    constexpr std::string_view special = "\"(),:;<>@[\\] ";
    const auto fits = [](char c) { return c >= ' ' && c != 0x7f; };  // a signed char beyond ASCII does not
    if (local_part.empty() || local_part.size() > longest_local_part ||
        local_part.size() + 1 + domain.size() > longest ||
        !std::all_of(local_part.begin(), local_part.end(), fits) ||
        !std::all_of(domain.begin(), domain.end(), [](char c) { return c > ' ' && c < 0x7f && c != '>'; }))
        return {};
    const bool atoms = local_part.find_first_of(special) == local_part.npos && local_part.front() != '.' &&
                       local_part.back() != '.' && local_part.find("..") == local_part.npos;
    std::string text;
    for (const char c : local_part) {
        if (c == '"' || c == '\\') text += '\\';
        text += c;
    }
    return "<" + (atoms ? text : '"' + text + '"') + "@" + std::string(domain) + ">";
}

}  // namespace postern::sync::smtp
