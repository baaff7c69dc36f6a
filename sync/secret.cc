#include "sync/secret.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace postern::sync {

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
    std::string start = text_.substr(0, 9);
    for (char& c : start)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (start == "password=" || start == "password:")
        return "begins with \"password" + start.substr(8) + "\"";
    if (text_.find('\n') != text_.npos) return "has more than one line";
    if (text_.ends_with(' ') || text_.ends_with('\t')) return "ends with a blank";
    if (text_.starts_with(' ') || text_.starts_with('\t')) return "begins with a blank";
    return {};
}

tl::expected<Secret, std::string> Secret::read(const std::filesystem::path& file) {
    const auto failed = [&](const std::string& why) {
        return tl::make_unexpected("cannot read the password file " + file.string() + ": " + why);
    };
    const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return failed(std::generic_category().message(errno));
    std::string text(largest + 1, '\0');
    std::size_t size = 0;
    ssize_t got = 0;
    while (size < text.size() && (got = ::read(fd, text.data() + size, text.size() - size)) > 0)
        size += static_cast<std::size_t>(got);
    const int error = errno;
    ::close(fd);
    text.resize(size);
    Secret secret(std::move(text));
    if (got < 0) return failed(std::generic_category().message(error));
    if (size > largest) return failed("larger than 4 KiB");
    if (secret.text_.ends_with('\n')) secret.text_.pop_back();
    if (secret.text_.ends_with('\r')) secret.text_.pop_back();
    if (secret.text_.empty()) return failed("it is empty");
    return secret;
}

}  // namespace postern::sync
