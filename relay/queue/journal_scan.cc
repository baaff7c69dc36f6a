#include "relay/queue/journal_scan.h"

#include <algorithm>
#include <cstring>

#include "relay/queue/record.h"

namespace postern::relay {

namespace {

constexpr std::uint64_t piece = 256 << 10;
constexpr std::uint64_t sector = 4096;  // what a disk that cannot read some octets loses at least

std::uint32_t unit_of(std::uint64_t at) { return static_cast<std::uint32_t>(at / record_alignment); }

}  // namespace

JournalScan::JournalScan(const base::DiskFile& file, const SegmentName& name, std::uint64_t from,
                         std::uint64_t end)
    : file_(file), name_(name), end_(end), position_(from) {}

std::string_view JournalScan::window(std::uint64_t at) const {
    return std::string_view(window_).substr(static_cast<std::size_t>(at - window_at_));
}

/// Has `size` octets from `at` on in the window. No: the file ends before them.
tl::expected<JournalScan::Loaded, std::error_code> JournalScan::load(std::uint64_t at, std::uint64_t size) {
    if (at + size > end_) return Loaded::no;
    if (at >= window_at_ && at + size <= window_at_ + window_.size()) return Loaded::yes;
    const std::uint64_t whole = std::min(std::max(size, piece), end_ - at);
    const std::uint64_t to_sector = std::min((at + size + sector - 1) / sector * sector, end_) - at;
    for (const std::uint64_t wanted : {whole, to_sector, size}) {
        if (wanted == whole && whole > to_sector && at < troubled_) continue;
        window_.resize(static_cast<std::size_t>(wanted));
        window_at_ = at;
        const auto got = file_.read(at, window_.data(), window_.size());
        if (got) {
            window_.resize(*got);
            return *got >= size ? Loaded::yes : Loaded::no;
        }
        window_.clear();
        if (got.error() != std::errc::io_error) return tl::make_unexpected(got.error());
        troubled_ = std::max(troubled_, at + wanted);
    }
    return Loaded::unreadable;
}

std::optional<RecordHeader> JournalScan::header_at(std::uint64_t at) const {
    auto out = decode_header(window(at), name_.mark, unit_of(at));
    if (out && at + record_header_size + out->length > end_) return std::nullopt;
    return out;
}

tl::expected<std::optional<Scanned>, std::error_code> JournalScan::next() {
    bool unreadable = false;
    std::uint64_t at = found_.value_or(position_);
    for (;; at += record_alignment) {
        const auto loaded = load(at, record_header_size);
        if (!loaded) return tl::make_unexpected(loaded.error());
        if (*loaded == Loaded::no) {
            if (!unreadable) return std::nullopt;
            // Nobody knows what is there: not that nothing follows.
            Scanned rest;
            rest.what = Scanned::What::unreadable;
            rest.place = {name_.number, unit_of(position_), static_cast<std::uint32_t>(end_ - position_)};
            position_ = end_;
            found_.reset();
            return rest;
        }
        if (*loaded == Loaded::unreadable) {
            unreadable = true;
            at = (at / sector + 1) * sector - record_alignment;
            continue;
        }
        // Most of what is looked through has no mark at all.
        std::string_view here = window(at);
        std::size_t skip = 0;
        while (skip + record_header_size <= here.size() && !header_at(at + skip)) skip += record_alignment;
        if (skip == 0) break;
        at += skip - record_alignment;
    }
    if (at != found_.value_or(position_)) {
        Scanned gap;
        gap.what = unreadable ? Scanned::What::unreadable : Scanned::What::gap;
        gap.place = {name_.number, unit_of(position_), static_cast<std::uint32_t>(at - position_)};
        found_ = at;
        return gap;
    }
    found_.reset();
    Scanned out;
    out.header = *header_at(at);
    out.place = {name_.number, unit_of(at),
                 static_cast<std::uint32_t>(record_header_size) + out.header.length};
    const auto loaded = load(at, out.place.length);
    if (!loaded) return tl::make_unexpected(loaded.error());
    position_ = out.place.end();
    if (*loaded == Loaded::yes) {
        out.body = window(at).substr(record_header_size, out.header.length);
        // One that was taken back says nothing, whatever its body is.
        if (out.header.id != MessageId{} && checksum(out.body) != out.header.sum)
            out.what = Scanned::What::damaged;
    } else {
        out.what = *loaded == Loaded::unreadable ? Scanned::What::unreadable : Scanned::What::damaged;
    }
    if (out.what != Scanned::What::record) out.body = {};
    return out;
}

}  // namespace postern::relay
