// A password in memory: wiped when it goes.
#pragma once

#include <filesystem>
#include <string>
#include <system_error>

#include <tl/expected.hpp>

namespace postern::base {

/// Overwrites the text, its spare capacity included, and empties it.
void wipe(std::string& text) noexcept;

class Secret final {
public:
    explicit Secret(std::string text) : text_(std::move(text)) {}
    ~Secret() { wipe(text_); }
    Secret(Secret&& other) noexcept : text_(std::move(other.text_)) { wipe(other.text_); }
    Secret(const Secret&) = delete;
    Secret& operator=(const Secret&) = delete;
    Secret& operator=(Secret&&) = delete;

    const std::string& text() const { return text_; }
    /// What is odd about it as a password, as the rest of a sentence about its file; "" when nothing is.
    std::string doubt() const;

    /// Why there is none, in words; `error` when the system said so.
    struct Missing {
        std::string why;
        std::error_code error;
    };
    /// The file's content without one final newline; an error when it cannot be read, is empty or larger than
    /// 4 KiB. May wait for a disk.
    static tl::expected<Secret, Missing> read(const std::filesystem::path& file);

private:
    std::string text_;
};

}  // namespace postern::base
