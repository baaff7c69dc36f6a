#include "relay/mail/idna.h"

#include <idn2.h>

#include <algorithm>
#include <memory>

#include "relay/mail/address.h"

namespace postern::relay {

namespace {

constexpr std::size_t octets_max = 1000;  // no name of 253 octets in A-labels is longer in UTF-8

}  // namespace

tl::expected<std::string, std::string> to_ascii(std::string_view name) {
    if (std::all_of(name.begin(), name.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; }))
        return lower(name);
    if (name.size() > octets_max || name.find('\0') != std::string_view::npos)
        return tl::make_unexpected("cannot be a domain name");
    const std::string text(name);
    char* raw = nullptr;
    int error = idn2_to_ascii_8z(text.c_str(), &raw, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
    // Names registered under the rules of 2003 may be valid only as those read them.
    if (error != IDN2_OK) error = idn2_to_ascii_8z(text.c_str(), &raw, IDN2_NFC_INPUT | IDN2_TRANSITIONAL);
    if (error != IDN2_OK)
        return tl::make_unexpected(std::string("is no valid international name: ") + idn2_strerror(error));
    const std::unique_ptr<char, decltype(&idn2_free)> converted(raw, &idn2_free);
    return lower(raw);
}

}  // namespace postern::relay
