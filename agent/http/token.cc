#include "agent/http/token.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <system_error>

#include "sync/base/ascii.h"
#include "sync/base/encoding.h"
#include "sync/base/file.h"
#include "sync/base/file_fault.h"
#include "sync/base/kept_file.h"
#include "sync/base/random.h"

namespace postern::agent {
namespace {

constexpr std::size_t shortest = 16, longest = 512;

using Octets = tl::expected<std::string, std::error_code>;

tl::expected<std::string, std::string> token_in(const std::filesystem::path& file, const Octets& octets,
                                                base::FileUse use) {
    if (!octets && octets.error() != std::errc::file_too_large)
        return tl::make_unexpected("cannot use the token, " + base::file_fault(file, octets.error(), use));
    std::string token = octets.value_or("");
    while (token.ends_with('\n') || token.ends_with('\r')) token.pop_back();
    const bool plain = std::all_of(token.begin(), token.end(), [](char c) { return c > ' ' && c <= '~'; });
    if (token.size() < shortest || token.size() >= longest || !plain)
        return tl::make_unexpected('"' + file.string() +
                                   "\" does not hold a token: one line of 16 to 511 visible ASCII "
                                   "characters; take it away and a new one is made");
    return token;
}

}  // namespace

tl::expected<std::string, std::string> read_token(const std::filesystem::path& file) {
    return token_in(file, base::read_file(file, longest), base::FileUse::read);
}

tl::expected<std::string, std::string> obtain_token(base::Disk& disk, const std::filesystem::path& file) {
    return token_in(
        file,
        base::obtain_file(disk, file, longest, [] { return base::hex(base::random_octets(32)) + '\n'; }),
        base::FileUse::own);
}

std::string shown_token(const HttpRequest& request) {
    const std::string header = request.field("authorization");
    constexpr std::string_view scheme = "bearer ";
    return base::equal_ignoring_case(header.substr(0, scheme.size()), scheme) ? header.substr(scheme.size())
                                                                              : std::string();
}

bool same_token(std::string_view a, std::string_view b) {
    return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace postern::agent
