#include "relay/signing/author.h"

#include <cstddef>

#include "sync/base/ascii.h"
#include "sync/base/domain_name.h"

namespace postern::relay {

namespace {

constexpr std::size_t deepest = 20;  // comments in comments

/// Behind the quoted string that begins at `at`.
std::size_t past_quoted(std::string_view text, std::size_t at) {
    for (++at; at < text.size() && text[at] != '"'; ++at)
        if (text[at] == '\\') ++at;
    return at + 1;
}

/// Behind the comment that begins at `at`.
std::size_t past_comment(std::string_view text, std::size_t at) {
    std::size_t depth = 0;
    for (; at < text.size(); ++at) {
        if (text[at] == '\\') {
            ++at;
        } else if (text[at] == '(') {
            if (++depth > deepest) return text.size();
        } else if (text[at] == ')' && --depth == 0) {
            return at + 1;
        }
    }
    return text.size();
}

}  // namespace

std::string author_domain(std::string_view from) {
    // What stands outside of comments and quotes, and of that the last part that can be an address: a name in
    // front of "<", or of a group's ":", is none.
    std::string address;
    bool quoted = false;
    for (std::size_t at = 0; at < from.size();) {
        const char c = from[at];
        if (c == '(') {
            at = past_comment(from, at);
        } else if (c == '"') {
            at = past_quoted(from, at);
            quoted = true;
        } else if (c == '<' || c == ':') {
            address.clear();
            quoted = false;
            ++at;
        } else if (c == '>' || c == ';' || (c == ',' && (quoted || !base::trim(address).empty()))) {
            break;
        } else {
            address += c;
            ++at;
        }
    }
    const std::size_t sign = address.rfind('@');
    if (sign == std::string::npos) return {};
    const auto parsed = base::DomainName::parse(base::trim(std::string_view(address).substr(sign + 1)));
    return parsed ? parsed->text() : std::string();
}

}  // namespace postern::relay
