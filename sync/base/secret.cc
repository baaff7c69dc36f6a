#include "sync/base/secret.h"

#include <openssl/crypto.h>

#include <utility>

#include "sync/base/ascii.h"
#include "sync/base/file.h"
#include "sync/base/file_fault.h"

namespace postern::base {

namespace {

constexpr std::size_t largest = 4096;

}  // namespace

void wipe(std::string& text) noexcept {
    text.resize(text.capacity());
    OPENSSL_cleanse(text.data(), text.size());
    text.clear();
}

std::string Secret::doubt() const {
    if (text_.starts_with("\xef\xbb\xbf")) return "begins with a byte order mark";
    const std::string start = lower(std::string_view(text_).substr(0, 9));
    if (start == "password=" || start == "password:")
        return "begins with \"password" + start.substr(8) + "\"";
    if (text_.find('\n') != text_.npos) return "has more than one line";
    if (text_.ends_with(' ') || text_.ends_with('\t')) return "ends with a blank";
    if (text_.starts_with(' ') || text_.starts_with('\t')) return "begins with a blank";
    return {};
}

tl::expected<Secret, Secret::Missing> Secret::read(const std::filesystem::path& file) {
    const auto failed = [&](const std::string& why, std::error_code error = {}) {
        return tl::unexpected(Missing{"cannot read the password file " + why, error});
    };
    auto text = read_file(file, largest);
    if (!text && text.error() == std::errc::file_too_large)
        return failed(file.string() + ": larger than 4 KiB");
    if (!text) return failed(file_fault(file, text.error(), FileUse::read), text.error());
    Secret secret(std::move(*text));
    if (secret.text_.ends_with('\n')) secret.text_.pop_back();
    if (secret.text_.ends_with('\r')) secret.text_.pop_back();
    if (secret.text_.empty()) return failed(file.string() + ": it is empty");
    return secret;
}

}  // namespace postern::base
