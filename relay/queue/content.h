// The octets of a message, whoever wants them: proven by size and checksum, or not given.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <tl/expected.hpp>

#include "relay/mail/message.h"
#include "sync/base/disk.h"

namespace postern::relay {

/// Why a content cannot be had. Damage is proven: it is gone, too short, or its checksum is wrong. All else
/// says nothing about the message: it is our trouble, and the same is tried again soon.
struct ContentFault {
    enum class Kind : std::uint8_t { unreadable, damaged };
    Kind kind = Kind::damaged;
    std::string why;        // in words
    std::error_code error;  // of an unreadable one

    bool damaged() const { return kind == Kind::damaged; }
    static ContentFault proven(std::string why) { return {Kind::damaged, std::move(why), {}}; }
    static ContentFault unreadable(const std::string& what, std::error_code error);
};

/// A content in a file, read from its beginning to its end. Copies of it read by themselves, without opening
/// the file again. Reading may wait for the disk.
class ContentFile {
public:
    static tl::expected<ContentFile, ContentFault> open(base::Disk& disk, const Content& content);
    /// What was just written to `file`, which is closed with the last copy; it needs no name.
    ContentFile(base::DiskFilePtr file, std::uint64_t size, std::uint32_t checksum);

    /// The next octets, at most `most` of them. "" at the end, which is only given when size and checksum are
    /// as they must be: until then nothing is known about what was read before.
    tl::expected<std::string_view, ContentFault> next(std::string& space, std::size_t most);
    std::uint64_t size() const { return size_; }

private:
    base::DiskFilePtr file_;
    std::string name_;  // in messages
    std::uint64_t size_ = 0, read_ = 0;
    std::uint32_t checksum_ = 0, sum_ = 0;
};

/// All of a content in a file.
tl::expected<std::shared_ptr<const std::string>, ContentFault> read_content(base::Disk& disk,
                                                                            const Content& content);

/// The header of a content in a file as far as its first 64 KiB reach, whole lines only.
tl::expected<std::string, ContentFault> read_header(base::Disk& disk, const Content& content);

/// A content's file while it is written. All of it may wait for a disk; used by one thread at a time.
class ContentWriter {
public:
    ContentWriter(base::Disk& disk, std::filesystem::path file) : disk_(disk), file_(std::move(file)) {}

    /// Makes the file with the first octets. After an error nothing more is written.
    std::error_code write(std::string_view octets);
    base::DiskFilePtr take() { return std::move(opened_); }  // when all is written
    void discard();                                          // the file goes

    const std::filesystem::path& file() const { return file_; }
    std::uint32_t checksum() const { return sum_; }  // of what was written

private:
    base::Disk& disk_;
    const std::filesystem::path file_;
    base::DiskFilePtr opened_;
    bool made_ = false;
    std::uint64_t size_ = 0;
    std::uint32_t sum_ = 0;
    std::error_code error_;
};

}  // namespace postern::relay
