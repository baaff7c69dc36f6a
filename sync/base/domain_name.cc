#include "sync/base/domain_name.h"

#include <idn2.h>

#include <algorithm>
#include <array>
#include <memory>

#include "sync/base/ascii.h"
#include "sync/base/utf8.h"

namespace postern::base {

namespace {

constexpr std::size_t longest = 253, longest_label = 63;
constexpr std::size_t octets_max = 1000;  // no name of 253 octets in A-labels is longer in UTF-8

/// Whether it has one of the characters that the rules of 2003 turn into others, or drop: sharp s, final
/// sigma, and the two joiners.
bool deviates(std::string_view text) {
    constexpr std::array characters = std::to_array<std::string_view>(
        {"\xc3\x9f", "\xe1\xba\x9e", "\xcf\x82", "\xe2\x80\x8c", "\xe2\x80\x8d"});
    return std::any_of(characters.begin(), characters.end(),
                       [text](std::string_view each) { return text.find(each) != text.npos; });
}

tl::expected<std::string, std::string> to_a_labels(const std::string& name) {
    char* raw = nullptr;
    int error = idn2_to_ascii_8z(name.c_str(), &raw, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
    if (error != IDN2_OK && !deviates(name) &&
        idn2_to_ascii_8z(name.c_str(), &raw, IDN2_NFC_INPUT | IDN2_TRANSITIONAL) == IDN2_OK)
        error = IDN2_OK;
    if (error != IDN2_OK)
        return tl::make_unexpected(std::string("is no valid international name: ") + idn2_strerror(error));
    const std::unique_ptr<char, decltype(&idn2_free)> converted(raw, &idn2_free);
    return std::string(raw);
}

}  // namespace

bool is_domain_name(std::string_view text) {
    if (text.empty() || text.size() > longest) return false;
    std::size_t label = 0;  // length of the one being read
    for (const char c : text) {
        if (c == '.') {
            if (label == 0) return false;
            label = 0;
        } else if ((!is_letter_or_digit(c) && c != '-' && c != '_') || ++label > longest_label) {
            return false;
        }
    }
    return label > 0;
}

bool is_host_name(std::string_view text) {
    if (!is_domain_name(text) || text.find('_') != text.npos) return false;
    const auto at_an_end = [text](std::size_t at) {
        return at == 0 || at + 1 == text.size() || text[at - 1] == '.' || text[at + 1] == '.';
    };
    for (auto at = text.find('-'); at != text.npos; at = text.find('-', at + 1))
        if (at_an_end(at)) return false;
    return true;
}

tl::expected<DomainName, std::string> DomainName::parse(std::string_view name) {
    if (name.size() > octets_max || name.find('\0') != name.npos)
        return tl::make_unexpected("cannot be a domain name");
    std::string text(name);
    if (!is_ascii(name)) {
        auto converted = to_a_labels(text);
        if (!converted) return tl::make_unexpected(std::move(converted.error()));
        text = std::move(*converted);
    }
    if (text.ends_with('.')) text.pop_back();
    for (char& c : text) c = lower(c);
    if (!is_domain_name(text)) return tl::make_unexpected("cannot be a domain name");
    return DomainName(std::move(text));
}

}  // namespace postern::base
