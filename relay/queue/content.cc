#include "relay/queue/content.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "relay/limits.h"
#include "relay/mail/trace.h"
#include "relay/queue/record.h"
#include "sync/base/file.h"
#include "sync/base/file_fault.h"

namespace postern::relay {

namespace {

constexpr std::size_t piece = 128 << 10;

}  // namespace

ContentFault ContentFault::unreadable(const std::string& what, std::error_code error) {
    return {Kind::unreadable, what + " cannot be read at present: " + error.message(), error};
}

tl::expected<ContentFile, ContentFault> ContentFile::open(const Content& content) {
    auto file = base::open_file(content.file, O_RDONLY);
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

ContentFile::ContentFile(base::Descriptor file, std::uint64_t size, std::uint32_t checksum)
    : file_(std::make_shared<const base::Descriptor>(std::move(file))),
      name_("its content"),
      size_(size),
      checksum_(checksum) {}

tl::expected<std::string_view, ContentFault> ContentFile::next(std::string& space, std::size_t most) {
    if (read_ == size_) {
        if (sum_ != checksum_)
            return tl::unexpected(ContentFault::proven("its content does not match its checksum"));
        return std::string_view();
    }
    space.resize(std::min<std::uint64_t>(most, size_ - read_));
    ssize_t got = 0;
    do got = ::pread(file_->get(), space.data(), space.size(), static_cast<off_t>(read_));
    while (got < 0 && errno == EINTR);
    if (got < 0) return tl::unexpected(ContentFault::unreadable(name_, base::last_error()));
    if (got == 0) return tl::unexpected(ContentFault::proven("its content is cut short"));
    read_ += static_cast<std::uint64_t>(got);
    std::string_view octets(space.data(), static_cast<std::size_t>(got));
    sum_ = relay::checksum(octets, sum_);
    return octets;
}

tl::expected<std::shared_ptr<const std::string>, ContentFault> read_content(const Content& content) {
    auto file = ContentFile::open(content);
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

tl::expected<std::string, ContentFault> read_header(const Content& content) {
    auto file = ContentFile::open(content);
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

}  // namespace postern::relay
