#include "relay/egress/reply_rules.h"

#include <algorithm>
#include <string>

#include "sync/base/ascii.h"

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
            out += base::lower(c);
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

/// Stands for what was taken out; no rule has it.
constexpr char gone = '\x01';

bool in_word(char c) { return (c >= 'a' && c <= 'z') || base::is_digit(c) || c < 0; }

void take_out(std::string& text, std::string_view word) {
    if (word.empty()) return;
    for (auto at = text.find(word); at != std::string::npos; at = text.find(word, at)) {
        const auto end = at + word.size();
        const bool whole = (at == 0 || !in_word(text[at - 1]) || !in_word(word.front())) &&
                           (end == text.size() || !in_word(text[end]) || !in_word(word.back()));
        if (whole)
            text.replace(at, word.size(), 1, gone);
        else
            ++at;
    }
}

void take_out(std::string& text, const Address& address) {
    if (address.null()) return;
    const auto domain = folded(address.domain);
    for (const auto& local : {folded(address.local), folded(address.mailbox())})
        for (const char* between : {"@", "=", "%40"}) take_out(text, local + between + domain);
    for (const auto& local : {folded(address.local), folded(address.mailbox())}) take_out(text, local);
    take_out(text, domain);
}

/// Without anything that looks like a path, whoever's it is.
std::string without_paths(std::string_view text) {
    std::string out;
    while (true) {
        const auto open = text.find('<');
        out += text.substr(0, open);
        if (open == std::string_view::npos) return out;
        text.remove_prefix(open);
        const auto close = text.find('>');
        const auto inside = text.substr(0, close);
        if (close != std::string_view::npos && inside.find('@') != std::string_view::npos) {
            out += gone;
            text.remove_prefix(close + 1);
        } else {
            out += '<';
            text.remove_prefix(1);
        }
    }
}

/// "192.0.2.1" anywhere, or at least two groups of an IPv6 address.
bool names_an_ip_address(std::string_view text) {
    unsigned dots = 0, colons = 0;
    bool digit = false;
    for (const char c : text) {
        const bool hex = (c >= 'a' && c <= 'f') || base::is_digit(c);
        if (base::is_digit(c)) {
            digit = true;
            if (dots == 3) return true;
        } else if (c == '.' && digit) {
            ++dots;
            digit = false;
        } else {
            dots = 0;
            digit = false;
        }
        if (c == ':')
            ++colons;
        else if (!hex)
            colons = 0;
        if (colons >= 2 && hex) return true;
    }
    return false;
}

/// `text` is what is left without our own words.
bool about_recipient(const Reply& reply, std::string_view text, const OwnWords& own) {
    if (own.recipient.null() || !reply.permanent() || names_an_ip_address(text)) return false;
    const auto& status = reply.status;
    // 5.1.7 and 5.1.8 are about the sender.
    if (status.category == 5 &&
        (status.subject == 2 || (status.subject == 1 && status.detail != 7 && status.detail != 8)))
        return true;
    const auto whole = folded(std::string_view(reply.text).substr(0, looked_at));
    return whole.find(folded(own.recipient.text())) != std::string::npos ||
           whole.find(folded(own.recipient.mailbox() + '@' + own.recipient.domain)) != std::string::npos;
}

}  // namespace

bool matches_glob(std::string_view pattern, std::string_view text, bool whole) {
    return matches(folded(pattern), folded(text), whole);
}

std::string receivers_words(std::string_view text, const OwnWords& own) {
    auto out = without_paths(folded(text.substr(0, looked_at)));
    for (const auto& name : own.names) take_out(out, folded(name));
    for (const auto& sender : own.senders) take_out(out, sender);
    take_out(out, own.recipient);
    return out;
}

Judgement judge_reply(const std::vector<ReplyRule>& rules, const Reply& reply, std::string_view host,
                      const OwnWords& own) {
    const auto code = std::to_string(reply.code);
    const auto status = reply.status.text();
    const auto text = receivers_words(reply.text, own);
    if (about_recipient(reply, text, own)) return {ReplyMeaning::recipient, "names-recipient", {}};
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
