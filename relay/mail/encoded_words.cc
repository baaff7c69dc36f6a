#include "relay/mail/encoded_words.h"

#include <algorithm>
#include <optional>

#include "sync/base/ascii.h"
#include "sync/base/encoding.h"
#include "sync/base/utf8.h"

namespace postern::relay {

namespace {

/// "_" is a space, "=XX" an octet.
std::optional<std::string> from_q(std::string_view text) {
    std::string out;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] == '_') {
            out += ' ';
        } else if (text[at] != '=') {
            out += text[at];
        } else {
            const auto octet = base::percent_decoded('%' + std::string(text.substr(at + 1, 2)));
            if (!octet || octet->size() != 1) return std::nullopt;
            out += *octet;
            at += 2;
        }
    }
    return out;
}

std::string from_latin(std::string_view text) {
    std::string out;
    for (const char one : text) base::append_character(out, static_cast<unsigned char>(one));
    return out;
}

struct Word {
    std::string text;
    std::size_t octets = 0;  // that it took
};

/// "=?charset?B?...?=", at most 75 octets by the RFC, and what is a little more.
std::optional<Word> take_word(std::string_view text) {
    constexpr std::size_t longest = 250;
    if (!text.starts_with("=?")) return std::nullopt;
    const auto whole = text.substr(0, longest);
    const std::size_t charset_end = whole.find('?', 2);
    if (charset_end == std::string_view::npos || charset_end + 2 >= whole.size() ||
        whole[charset_end + 2] != '?')
        return std::nullopt;
    const std::size_t begin = charset_end + 3;
    const std::size_t end = whole.find("?=", begin);
    if (end == std::string_view::npos) return std::nullopt;
    auto charset = base::lower(whole.substr(2, charset_end - 2));
    charset.resize(std::min(charset.find('*'), charset.size()));  // RFC 2231 §5: a language
    const bool latin = charset == "iso-8859-1";
    if (!latin && charset != "utf-8" && charset != "us-ascii") return std::nullopt;
    const auto encoded = whole.substr(begin, end - begin);
    std::optional<std::string> octets;
    if ((whole[charset_end + 1] | 0x20) == 'b') octets = base::from_base64(encoded);
    if ((whole[charset_end + 1] | 0x20) == 'q') octets = from_q(encoded);
    if (!octets) return std::nullopt;
    return Word{latin ? from_latin(*octets) : std::move(*octets), end + 2};
}

}  // namespace

std::string decoded_words(std::string_view text) {
    std::string out;
    std::size_t blank_since = std::string::npos;  // behind a word, in `out`
    while (!text.empty()) {
        if (const auto word = take_word(text)) {
            if (blank_since != std::string::npos) out.resize(blank_since);
            out += word->text;
            blank_since = out.size();
            text.remove_prefix(word->octets);
            continue;
        }
        if (text.front() != ' ' && text.front() != '\t') blank_since = std::string::npos;
        out += text.front();
        text.remove_prefix(1);
    }
    return out;
}

}  // namespace postern::relay
