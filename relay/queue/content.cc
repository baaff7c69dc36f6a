#include "relay/queue/content.h"

#include <algorithm>
#include <array>

#include "relay/limits.h"
#include "relay/mail/trace.h"
#include "relay/queue/record.h"
#include "sync/base/file_fault.h"

namespace postern::relay {

namespace {

constexpr std::size_t piece = 128 << 10;

}  // namespace

ContentFault ContentFault::unreadable(const std::string& what, std::error_code error) {
    return {Kind::unreadable, what + " cannot be read at present: " + error.message(), error};
}

tl::expected<ContentFile, ContentFault> ContentFile::open(base::Disk& disk, const Content& content) {
    auto file = disk.open(content.file, base::Disk::Access::read);
    if (!file && file.error() == std::errc::no_such_file_or_directory)
        return tl::unexpected(ContentFault::proven("its content is missing"));
    if (!file)
        return tl::unexpected(ContentFault{ContentFault::Kind::unreadable,
                                           "at present " + base::file_fault(content.file, file.error()),
                                           file.error()});
    ContentFile out(std::move(*file), content.size, content.checksum);
    out.name_ = content.file.string();
    return out;
}

ContentFile::ContentFile(base::DiskFilePtr file, std::uint64_t size, std::uint32_t checksum)
    : file_(std::move(file)), name_("its content"), size_(size), checksum_(checksum) {}

tl::expected<std::string_view, ContentFault> ContentFile::next(std::string& space, std::size_t most) {
    if (read_ == size_) {
        if (sum_ != checksum_)
            return tl::unexpected(ContentFault::proven("its content does not match its checksum"));
        return std::string_view();
    }
    space.resize(std::min<std::uint64_t>(most, size_ - read_));
    const auto got = file_->read(read_, space.data(), space.size());
    if (!got) return tl::unexpected(ContentFault::unreadable(name_, got.error()));
    if (*got == 0) return tl::unexpected(ContentFault::proven("its content is cut short"));
    read_ += *got;
    std::string_view octets(space.data(), *got);
    sum_ = relay::checksum(octets, sum_);
    return octets;
}

tl::expected<std::shared_ptr<const std::string>, ContentFault> read_content(base::Disk& disk,
                                                                            const Content& content) {
    auto file = ContentFile::open(disk, content);
    if (!file) return tl::unexpected(file.error());
    auto out = std::make_shared<std::string>();
    std::string space;
    for (;;) {
        auto octets = file->next(space, piece);
        if (!octets) return tl::unexpected(octets.error());
        if (octets->empty()) return out;
        // Not before it is seen that the file has anything like what it should.
        out->reserve(content.size);
        *out += *octets;
    }
}

tl::expected<std::string, ContentFault> read_header(base::Disk& disk, const Content& content) {
    auto file = ContentFile::open(disk, content);
    if (!file) return tl::unexpected(file.error());
    std::string out, space;
    for (;;) {
        auto octets = file->next(space, piece);
        if (!octets) return tl::unexpected(octets.error());
        if (octets->empty()) break;
        out += octets->substr(0, limits::header - std::min(limits::header, out.size()));
    }
    std::size_t size = header_of(out).size();
    if (size == out.size()) {
        // It may go on behind what was kept: whole lines only, since half a CRLF must not leave.
        std::size_t end = out.rfind("\r\n");
        size = end == std::string::npos ? 0 : end + 2;
    }
    out.resize(size);
    return out;
}

std::error_code ContentWriter::write(std::string_view octets) {
    sum_ = relay::checksum(octets, sum_);
    if (!made_ && !error_) {
        auto opened = disk_.open(file_, base::Disk::Access::fresh);
        made_ = opened.has_value();
        if (opened)
            opened_ = std::move(*opened);
        else
            error_ = opened.error();
    }
    if (!error_) error_ = opened_->write(size_, std::array{octets});
    size_ += octets.size();
    return error_;
}

void ContentWriter::discard() {
    if (!std::exchange(made_, false)) return;
    opened_.reset();
    disk_.remove(file_);
}

}  // namespace postern::relay
