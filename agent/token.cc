#include "agent/token.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

namespace postern::agent {
namespace {

constexpr std::size_t shortest = 16, longest = 512;

std::string problem(const std::filesystem::path& file, std::string_view what) {
    return '"' + file.string() + "\" " + std::string(what);
}

std::string system_problem(const std::filesystem::path& file, std::string_view what) {
    const int error = errno;
    return problem(file, std::string(what) + ": " + std::generic_category().message(error));
}

std::string random_token() {
    std::array<unsigned char, 32> bits{};
    if (RAND_bytes(bits.data(), bits.size()) != 1) return {};
    constexpr std::string_view digits = "0123456789abcdef";
    std::string token;
    for (const auto octet : bits) {
        token += digits[octet >> 4];
        token += digits[octet & 15];
    }
    return token;
}

}  // namespace

tl::expected<std::string, std::string> read_token(const std::filesystem::path& file) {
    const int fd = open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return tl::unexpected(system_problem(file, "cannot be read"));
    std::array<char, longest + 1> buffer{};
    const auto length = read(fd, buffer.data(), buffer.size());
    close(fd);
    if (length < 0) return tl::unexpected(system_problem(file, "cannot be read"));
    std::string_view token(buffer.data(), static_cast<std::size_t>(length));
    while (!token.empty() && (token.back() == '\n' || token.back() == '\r')) token.remove_suffix(1);
    const bool plain = std::all_of(token.begin(), token.end(), [](char c) { return c > ' ' && c <= '~'; });
    if (token.size() < shortest || token.size() >= longest || !plain)
        return tl::unexpected(problem(file,
                                      "does not hold a token: one line of 16 to 511 visible ASCII "
                                      "characters; take it away and a new one is made"));
    return std::string(token);
}

tl::expected<std::string, std::string> obtain_token(const std::filesystem::path& file) {
    const int fd = open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 && errno == EEXIST) return read_token(file);
    if (fd < 0) return tl::unexpected(system_problem(file, "cannot be made"));
    const std::string token = random_token();
    const std::string line = token + '\n';
    const bool written = !token.empty() &&
                         write(fd, line.data(), line.size()) == static_cast<ssize_t>(line.size()) &&
                         fsync(fd) == 0;
    std::string fault = written ? "" : system_problem(file, "cannot be written");
    close(fd);
    if (written) return token;
    unlink(file.c_str());
    return tl::unexpected(std::move(fault));
}

bool same_token(std::string_view a, std::string_view b) {
    return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace postern::agent
