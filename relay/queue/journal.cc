#include "relay/queue/journal.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "relay/queue/record.h"
#include "relay/queue/segment_files.h"
#include "sync/base/ensure.h"
#include "sync/base/random.h"

namespace postern::relay {

namespace {

/// Of new space: once it has been written to, syncing a record there is one flush of the disk, without a word
/// to the file system's own journal. Much more than this would keep a commit waiting that is not in company.
constexpr std::uint64_t written_ahead = 1 << 20;
/// Not where so much is written at once: to write all of it twice costs more than that word.
constexpr std::uint64_t little = 128 << 10;
constexpr std::size_t spares_kept = 2;
constexpr std::size_t readers_kept = 32;
constexpr std::string_view spare_prefix = "spare-";

const std::string zeros(64 << 10, '\0');

std::uint64_t fresh_mark() {
    std::uint64_t mark = 0;
    // Zero would be what unwritten space looks like.
    while (mark == 0) std::memcpy(&mark, base::random_octets(sizeof mark).data(), sizeof mark);
    return mark;
}

std::uint32_t unit_of(std::uint64_t offset) { return static_cast<std::uint32_t>(offset / record_alignment); }

std::uint64_t size_of(const Draft& draft) {
    return aligned(record_header_size + draft.body[0].size() + draft.body[1].size());
}

/// How many drafts from `at` on count only together, and their octets.
std::pair<std::size_t, std::uint64_t> group(std::span<const Draft> drafts, std::size_t at) {
    std::size_t end = at + 1;
    std::uint64_t size = size_of(drafts[at]);
    for (; end < drafts.size() && drafts[end].header.follows; ++end) size += size_of(drafts[end]);
    return {end, size};
}

}  // namespace

Draft::Draft(RecordHeader::Kind kind, MessageId id, std::string_view text) : Draft(kind, id, text, {}, 0) {}

Draft::Draft(RecordHeader::Kind kind, MessageId id, std::string_view text, std::string_view second,
             std::uint32_t second_sum)
    : body{text, second}, sums{checksum(text), second_sum} {
    header.kind = kind;
    header.id = id;
}

Journal::Journal(base::Disk& disk, std::filesystem::path folder, std::uint64_t segment_size)
    : disk_(disk), folder_(std::move(folder)), segment_size_(segment_size) {
    const auto names = disk_.names(folder_);
    if (!names) throw std::filesystem::filesystem_error("listing", folder_, names.error());
    auto files = list_segments(disk_, folder_, *names);
    if (files.error) throw std::filesystem::filesystem_error("opening", files.unseen, files.error);
    if (!files.faults.empty()) throw std::runtime_error("state_dir: " + files.faults.front());
    segments_ = std::move(files.segments);
    if (!segments_.empty()) last_number_ = segments_.rbegin()->first;
    for (const auto& name : *names)
        if (name.starts_with(spare_prefix)) disk_.remove(folder_ / name);
}

std::error_code Journal::resume(std::uint32_t segment, std::uint64_t position, std::uint64_t sequence,
                                std::uint64_t durable) {
    std::lock_guard lock(mutex_);
    next_ = sequence;
    durable_ = durable;
    resumed_ = {durable, durable};
    names_unsynced_ = true;
    const auto found = find(segment);
    // One that is short was cut, or never had its space.
    if (!found || found->size < std::max(position + 1, segment_size_)) return begin_segment(segment_size_);
    auto file = disk_.open(folder_ / found->name.text(), base::Disk::Access::change);
    if (!file) return file.error();
    active_ = {found->name, std::move(*file), found->size, position, position, false};
    // Where the file has holes.
    return active_.file->reserve(active_.size);
}

// ---- appending

std::optional<Journal::Spare> Journal::take_spare() {
    std::lock_guard lock(table_mutex_);
    if (spares_.empty()) return std::nullopt;
    const Spare out = spares_.back();
    spares_.pop_back();
    return out;
}

/// The one that is filled next, with the space for `least` octets.
std::error_code Journal::begin_segment(std::uint64_t least) {
    // Whatever becomes of it: of two files with one number only one would be read.
    const SegmentName name{++last_number_, fresh_mark()};
    Active next{name, nullptr, std::max(segment_size_, least), 0, 0, false};
    if (const auto spare = least <= segment_size_ ? take_spare() : std::nullopt) {
        const auto from = folder_ / spare->file_name;
        auto file = disk_.open(from, base::Disk::Access::change);
        const auto error = file ? disk_.rename(from, folder_ / name.text()) : file.error();
        if (error) {
            std::lock_guard lock(table_mutex_);
            spares_.push_back(*spare);
            return error;
        }
        next.file = std::move(*file);
        next.written = spare->written;
    } else {
        auto file = disk_.open(folder_ / name.text(), base::Disk::Access::create);
        if (!file) return file.error();
        if (auto error = (*file)->reserve(next.size)) {
            disk_.remove(folder_ / name.text());
            return error;
        }
        next.file = std::move(*file);
    }
    if (active_.file && active_.dirty) unsynced_.push_back(active_.file);
    {
        std::lock_guard lock(table_mutex_);
        segments_.emplace(name.number, Segment{name, next.size});
    }
    names_unsynced_ = true;
    active_ = std::move(next);
    return {};
}

std::error_code Journal::write(std::vector<std::string_view>& pieces, std::uint64_t size) {
    if (size == 0) return {};
    const std::uint64_t end = active_.position + size;
    if (end > active_.written && size > little) {
        active_.written = end;
    } else if (end > active_.written) {
        const std::uint64_t upto = std::min(active_.size, end + written_ahead);
        std::vector<std::string_view> ahead;
        for (std::uint64_t at = end; at < upto; at += zeros.size())
            ahead.push_back(std::string_view(zeros).substr(0, static_cast<std::size_t>(upto - at)));
        if (auto error = active_.file->write(end, ahead)) return error;
        active_.written = upto;
    }
    active_.dirty = true;
    const auto error = active_.file->write(active_.position, pieces);
    if (error)
        undo(active_.name.number, active_.position, end);
    else
        active_.position = end;
    pieces.clear();
    return error;
}

/// To be written to somewhere else than at the end; synced with the next sync.
tl::expected<base::DiskFilePtr, std::error_code> Journal::reopen(std::uint32_t segment) {
    if (segment == active_.name.number) {
        active_.dirty = true;
        return active_.file;
    }
    const auto found = find(segment);
    if (!found) return tl::make_unexpected(std::make_error_code(std::errc::no_such_file_or_directory));
    auto opened = disk_.open(folder_ / found->name.text(), base::Disk::Access::change);
    if (opened) unsynced_.push_back(*opened);
    return opened;
}

/// What is there must not be found again.
std::error_code Journal::erase(std::uint32_t segment, std::uint64_t from, std::uint64_t to) {
    const auto file = reopen(segment);
    if (!file) return file.error();
    for (; from < to; from += zeros.size()) {
        const std::array piece{std::string_view(zeros).substr(
            0, static_cast<std::size_t>(std::min<std::uint64_t>(zeros.size(), to - from)))};
        if (auto error = (*file)->write(from, piece)) return error;
    }
    return {};
}

/// A record that is there and says nothing: its sequence is not missed. Its header is read once: a write that
/// fails may leave a part of it.
std::error_code Journal::make_void(Undo& one) {
    const auto file = reopen(one.segment);
    if (!file) return file.error();
    if (one.header.empty()) {
        const std::uint64_t mark = find(one.segment)->name.mark;
        std::string octets(record_header_size, '\0');
        const auto got = (*file)->read(one.from, octets.data(), octets.size());
        if (!got) return got.error();
        auto header = decode_header(std::string_view(octets).substr(0, *got), mark, unit_of(one.from));
        if (!header) return erase(one.segment, one.from, one.from + record_header_size);
        header->kind = RecordHeader::Kind::delivered;
        header->id = {};
        header->follows = header->followed = header->fresh = header->copy = false;
        const auto again = encode_header(*header, mark, unit_of(one.from));
        one.header.assign(again.data(), again.size());
    }
    const std::array piece{std::string_view(one.header)};
    return (*file)->write(one.from, piece);
}

void Journal::undo(const Place& place) {
    Undo one{place.segment, place.offset(), 0, {}};
    if (make_void(one)) undone_.push_back(std::move(one));
}

void Journal::undo(std::uint32_t segment, std::uint64_t from, std::uint64_t to) {
    if (erase(segment, from, to)) undone_.push_back({segment, from, to, {}});
}

/// What could not be undone at once.
std::error_code Journal::undo_rest() {
    while (!undone_.empty()) {
        Undo& one = undone_.back();
        const auto error = one.to == 0 ? make_void(one) : erase(one.segment, one.from, one.to);
        if (error) return error;
        undone_.pop_back();
    }
    return {};
}

tl::expected<std::vector<Place>, std::error_code> Journal::append(std::span<Draft> drafts) {
    static constexpr std::string_view padding("\0\0\0\0\0\0\0", record_alignment - 1);
    std::vector<Place> places;
    places.reserve(drafts.size());
    std::vector<std::array<char, record_header_size>> headers(drafts.size());
    std::vector<std::string_view> pieces;
    std::uint64_t gathered = 0;
    std::lock_guard lock(mutex_);
    ENSURE(active_.file, "a journal that is written to was resumed");
    const Place begin{active_.name.number, unit_of(active_.position), 0};
    std::error_code error;
    std::uint64_t sequence = next_;
    for (std::size_t at = 0; at < drafts.size() && !error;) {
        const auto [end, size] = group(drafts, at);
        if (active_.position + gathered + size > active_.size) {
            error = write(pieces, gathered);
            gathered = 0;
            if (!error) error = begin_segment(size);
            if (error) break;
        }
        for (; at < end; ++at) {
            Draft& one = drafts[at];
            const std::uint64_t offset = active_.position + gathered;
            one.header.length = static_cast<std::uint32_t>(one.body[0].size() + one.body[1].size());
            one.header.sum = joined_checksum(one.sums[0], one.sums[1], one.body[1].size());
            one.header.sequence = sequence++;
            one.header.first = resumed_ && at == 0;
            one.header.durable = one.header.first ? resumed_->durable : durable_;
            headers[at] = encode_header(one.header, active_.name.mark, unit_of(offset));
            const Place place{active_.name.number, unit_of(offset),
                              static_cast<std::uint32_t>(record_header_size) + one.header.length};
            places.push_back(place);
            pieces.emplace_back(headers[at].data(), headers[at].size());
            for (const auto text : one.body)
                if (!text.empty()) pieces.push_back(text);
            if (const std::uint64_t pad = aligned(place.length) - place.length; pad > 0)
                pieces.push_back(padding.substr(0, static_cast<std::size_t>(pad)));
            gathered += aligned(place.length);
        }
    }
    if (!error) error = write(pieces, gathered);
    if (error) {
        // What was written before must not be found again. The octets of the segment that was begun are those
        // from its beginning on.
        for (const Place& place : places)
            if (place.segment != active_.name.number || place.offset() < active_.position)
                undo(place.segment, place.offset(), place.end());
        active_.position = active_.name.number == begin.segment ? begin.offset() : 0;
        if (!undone_.empty()) active_.position = active_.size;  // nothing is written over them
        // Should any of it be found again it must not be taken for what is written in its place.
        if (!resumed_ && sequence != next_) resumed_ = {durable_, next_};
        next_ = sequence;
        return tl::make_unexpected(error);
    }
    next_ = sequence;
    if (!drafts.empty()) resumed_.reset();
    return places;
}

void Journal::take_back(std::span<const Place> places) {
    std::lock_guard lock(mutex_);
    for (const Place& place : places) undo(place);
}

std::error_code Journal::give_up(const Place& gap, std::uint64_t last, std::uint64_t durable) {
    const auto segment = find(gap.segment);
    if (!segment || gap.length < record_header_size) return {};
    std::lock_guard lock(mutex_);
    const auto file = reopen(gap.segment);
    if (!file) return file.error();
    RecordHeader header;
    header.kind = RecordHeader::Kind::delivered;
    header.first = true;
    header.sequence = last;
    header.durable = durable;
    header.sum = checksum({});
    const auto octets = encode_header(header, segment->name.mark, gap.unit);
    const std::array piece{std::string_view(octets.data(), octets.size())};
    return (*file)->write(gap.offset(), piece);
}

std::uint64_t Journal::next() const {
    std::lock_guard lock(mutex_);
    return next_;
}

std::uint64_t Journal::durable() const {
    std::lock_guard lock(mutex_);
    return durable_;
}

Place Journal::position() const {
    std::lock_guard lock(mutex_);
    return {active_.name.number, unit_of(active_.position), 0};
}

std::uint32_t Journal::active() const {
    std::lock_guard lock(mutex_);
    return active_.name.number;
}

std::error_code Journal::sync() {
    std::unique_lock lock(mutex_);
    if (sync_fault_) return sync_fault_;
    if (auto error = undo_rest()) return error;
    auto files = std::exchange(unsynced_, {});
    if (std::exchange(active_.dirty, false)) files.push_back(active_.file);
    const bool names = std::exchange(names_unsynced_, false);
    const std::uint64_t upto = resumed_ ? resumed_->written : next_;
    lock.unlock();
    if (const auto error = names ? disk_.sync_folder(folder_) : std::error_code()) {
        // That it could not be opened says nothing about what was written.
        lock.lock();
        names_unsynced_ = true;
        unsynced_.insert(unsynced_.end(), files.begin(), files.end());
        return error;
    }
    std::error_code fault;
    for (const auto& file : files)
        if (fault = file->sync(); fault) break;
    lock.lock();
    sync_fault_ = fault;
    if (fault) return fault;
    durable_ = std::max(durable_, upto);
    if (resumed_) resumed_->durable = std::max(resumed_->durable, upto);
    return fault;
}

bool Journal::sync_failed() const {
    std::lock_guard lock(mutex_);
    return bool(sync_fault_);
}

// ---- reading

std::optional<Segment> Journal::find(std::uint32_t segment) const {
    std::lock_guard lock(table_mutex_);
    const auto found = segments_.find(segment);
    return found == segments_.end() ? std::nullopt : std::optional(found->second);
}

tl::expected<base::DiskFilePtr, std::error_code> Journal::open(const Segment& segment) const {
    return disk_.open(folder_ / segment.name.text(), base::Disk::Access::read);
}

tl::expected<base::DiskFilePtr, ContentFault> Journal::reader(std::uint32_t number,
                                                              std::uint64_t& mark) const {
    const auto segment = find(number);
    if (!segment) return tl::make_unexpected(ContentFault::proven("its segment is missing"));
    mark = segment->name.mark;
    std::lock_guard lock(readers_mutex_);
    const auto found =
        std::find_if(readers_.begin(), readers_.end(), [&](const Reader& one) { return one.mark == mark; });
    if (found != readers_.end()) {
        std::rotate(readers_.begin(), found, found + 1);
        return readers_.front().file;
    }
    const auto path = folder_ / segment->name.text();
    auto file = disk_.open(path, base::Disk::Access::read);
    if (!file && file.error() == std::errc::no_such_file_or_directory)
        return tl::make_unexpected(ContentFault::proven("its segment is missing"));
    if (!file) return tl::make_unexpected(ContentFault::unreadable(path.string(), file.error()));
    if (readers_.size() == readers_kept) readers_.pop_back();
    readers_.insert(readers_.begin(), Reader{mark, *file});
    return *file;
}

tl::expected<std::string, ContentFault> Journal::raw(std::uint32_t segment, std::uint64_t at,
                                                     std::size_t size) const {
    std::uint64_t mark = 0;
    const auto file = reader(segment, mark);
    if (!file) return tl::make_unexpected(file.error());
    std::string out(size, '\0');
    const auto got = (*file)->read(at, out.data(), out.size());
    if (!got)
        return tl::make_unexpected(
            ContentFault::unreadable("segment " + std::to_string(segment) + " of the spool", got.error()));
    out.resize(*got);
    return out;
}

tl::expected<Journal::Record, ContentFault> Journal::read_some(const Place& place, std::size_t most,
                                                               bool whole) const {
    std::uint64_t mark = 0;
    if (const auto file = reader(place.segment, mark); !file) return tl::make_unexpected(file.error());
    Record out;
    auto octets =
        raw(place.segment, place.offset(), std::min<std::size_t>(place.length, record_header_size + most));
    if (!octets) return tl::make_unexpected(octets.error());
    const auto header = decode_header(*octets, mark, place.unit);
    if (!header || record_header_size + header->length != place.length)
        return tl::make_unexpected(ContentFault::proven("its record cannot be read"));
    out.header = *header;
    out.body = std::move(*octets);
    out.body.erase(0, record_header_size);
    if (out.body.size() < std::min<std::size_t>(header->length, most) ||
        (whole && checksum(out.body) != header->sum))
        return tl::make_unexpected(ContentFault::proven("its record does not match its checksum"));
    return out;
}

tl::expected<Journal::Record, ContentFault> Journal::read(const Place& place) const {
    return read_some(place, place.length, true);
}

tl::expected<Journal::Record, ContentFault> Journal::read_beginning(const Place& place,
                                                                    std::size_t most) const {
    return read_some(place, most, false);
}

std::map<std::uint32_t, Segment> Journal::segments() const {
    std::lock_guard lock(table_mutex_);
    return segments_;
}

bool Journal::has(std::uint32_t segment) const {
    std::lock_guard lock(table_mutex_);
    return segments_.contains(segment);
}

// ---- space

bool Journal::has_spare() const {
    std::lock_guard lock(table_mutex_);
    return !spares_.empty();
}

std::error_code Journal::prepare_spare() {
    std::unique_lock lock(table_mutex_);
    const std::string name = std::string(spare_prefix) + std::to_string(++spares_made_);
    lock.unlock();
    const auto file = disk_.open(folder_ / name, base::Disk::Access::create);
    if (!file) return file.error();
    auto error = (*file)->reserve(segment_size_);
    if (!error) error = (*file)->sync();
    if (error) {
        disk_.remove(folder_ / name);
        return error;
    }
    lock.lock();
    spares_.push_back(Spare{name, 0});
    return {};
}

std::error_code Journal::remove(std::uint32_t segment) {
    ENSURE(segment != active(), "the segment that is filled stays");
    std::unique_lock lock(table_mutex_);
    const auto found = segments_.find(segment);
    if (found == segments_.end()) return {};
    const Segment gone = found->second;
    bool keep = spares_.size() < spares_kept && gone.size == segment_size_;
    const std::string name = std::string(spare_prefix) + std::to_string(++spares_made_);
    lock.unlock();
    const auto from = folder_ / gone.name.text();
    auto error = keep ? disk_.rename(from, folder_ / name) : disk_.remove(from);
    if (error == std::errc::no_such_file_or_directory) {
        error = {};
        keep = false;
    }
    if (!error) error = disk_.sync_folder(folder_);
    if (error) return error;
    lock.lock();
    segments_.erase(segment);
    if (keep) spares_.push_back(Spare{name, gone.size});
    lock.unlock();
    std::lock_guard readers(readers_mutex_);
    std::erase_if(readers_, [&](const Reader& one) { return one.mark == gone.name.mark; });
    return {};
}

}  // namespace postern::relay
