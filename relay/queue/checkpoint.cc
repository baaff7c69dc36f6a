#include "relay/queue/checkpoint.h"

#include <algorithm>
#include <array>
#include <concepts>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "relay/queue/octets.h"
#include "relay/queue/record.h"

namespace postern::relay {

namespace {

constexpr const char* name = "checkpoint";
constexpr const char* unfinished = "checkpoint.new";
constexpr std::uint32_t version = 2;
constexpr std::size_t rows_at_once = 2000;
constexpr std::uint32_t part_max = 64 << 20;  // more than rows at once can have
constexpr std::size_t part_head = 2 * sizeof(std::uint32_t);

enum class Part : std::uint8_t { begin = 1, messages = 2, end = 3 };

class Writer {
public:
    explicit Writer(Part part) { number(static_cast<std::uint8_t>(part)); }
    template <std::unsigned_integral T>
    void number(T value) {
        out_.resize(out_.size() + sizeof(T));
        put_number(out_.data() + out_.size() - sizeof(T), value);
    }
    void place(const Place& place) {
        number(place.segment);
        number(place.unit);
        number(place.length);
    }
    void text(std::string_view value) {
        number(static_cast<std::uint32_t>(value.size()));
        out_ += value;
    }
    std::string take() { return std::move(out_); }

private:
    std::string out_;
};

/// After the first fault everything is 0 and `good()` is false.
class Reader {
public:
    explicit Reader(std::string_view octets) : rest_(octets) {}
    template <std::unsigned_integral T>
    T number() {
        return has(sizeof(T)) ? take_number<T>(rest_) : T{0};
    }
    Place place() {
        Place out;
        out.segment = number<std::uint32_t>();
        out.unit = number<std::uint32_t>();
        out.length = number<std::uint32_t>();
        return out;
    }
    std::string_view text() {
        const auto size = number<std::uint32_t>();
        if (!has(size)) return {};
        const auto out = rest_.substr(0, size);
        rest_.remove_prefix(size);
        return out;
    }
    bool good() const { return good_; }

private:
    bool has(std::size_t octets) {
        good_ = good_ && rest_.size() >= octets;
        return good_;
    }
    std::string_view rest_;
    bool good_ = true;
};

}  // namespace

// ---- writing

CheckpointWriter::CheckpointWriter(base::Disk& disk, std::filesystem::path folder, const Holdings& holdings,
                                   const CheckpointStart& start)
    : disk_(disk), folder_(std::move(folder)), holdings_(holdings), begin_(begin(start)) {}

/// A part says how long it is and proves itself.
std::error_code CheckpointWriter::put(std::string_view payload) {
    Writer head(Part::begin);
    head.take();
    head.number(static_cast<std::uint32_t>(payload.size()));
    head.number(checksum(payload));
    const std::string front = head.take();
    const std::array<std::string_view, 2> pieces{front, payload};
    if (auto error = file_->write(position_, pieces)) return error;
    position_ += front.size() + payload.size();
    return {};
}

std::string CheckpointWriter::begin(const CheckpointStart& start) const {
    Writer out(Part::begin);
    out.number(version);
    out.number(start.segment);
    out.number(start.position);
    out.number(start.sequence);
    out.number(static_cast<std::uint32_t>(start.marks.size()));
    for (const auto& [segment, mark] : start.marks) {
        out.number(segment);
        out.number(mark);
    }
    std::shared_lock lock(holdings_.mutex);
    out.number(holdings_.last_id.value);
    out.number(static_cast<std::uint32_t>(holdings_.emptied.size()));
    for (const std::uint32_t one : holdings_.emptied) out.number(one);
    out.number(static_cast<std::uint32_t>(holdings_.graves.by_segment().size()));
    for (const auto& [segment, all] : holdings_.graves.by_segment()) {
        out.number(segment);
        out.number(static_cast<std::uint32_t>(all.size()));
        for (const auto& [graves, count] : all) {
            out.number(graves.first);
            out.number(graves.last);
            out.number(count);
        }
    }
    return out.take();
}

std::error_code CheckpointWriter::open() {
    auto file = disk_.open(folder_ / unfinished, base::Disk::Access::create);
    if (!file) return file.error();
    file_ = std::move(*file);
    return put(begin_);
}

tl::expected<bool, std::error_code> CheckpointWriter::step() {
    if (!file_)
        if (auto error = open()) return tl::make_unexpected(error);
    std::vector<Index::Row> rows;
    std::vector<std::string> routes;
    std::unordered_map<std::uint32_t, std::uint32_t> numbers;  // of lines, in this part
    {
        std::shared_lock lock(holdings_.mutex);
        holdings_.index.rows(after_, rows_at_once, rows);
        for (const auto& row : rows)
            for (const auto& [line, due] : row.lines)
                if (numbers.try_emplace(line, static_cast<std::uint32_t>(routes.size())).second)
                    routes.push_back(holdings_.index.route(line).text());
    }
    if (rows.empty()) {
        Writer out(Part::end);
        out.number(messages_);
        if (auto error = put(out.take())) return tl::make_unexpected(error);
        return true;
    }
    Writer out(Part::messages);
    out.number(static_cast<std::uint32_t>(routes.size()));
    for (const auto& route : routes) out.text(route);
    out.number(static_cast<std::uint32_t>(rows.size()));
    for (const auto& row : rows) {
        out.number(row.id.value);
        out.place(row.entry.message);
        out.place(row.entry.progress);
        out.number(static_cast<std::uint8_t>(row.entry.fresh));
        out.number(static_cast<std::uint32_t>(row.lines.size()));
        for (const auto& [line, due] : row.lines) {
            out.number(numbers.at(line));
            out.number(static_cast<std::uint64_t>(due));
        }
        out.number(static_cast<std::uint32_t>(row.delivered.size()));
        for (const auto one : row.delivered) out.number(one);
    }
    after_ = rows.back().id;
    messages_ += rows.size();
    if (auto error = put(out.take())) return tl::make_unexpected(error);
    return false;
}

tl::expected<std::uint64_t, std::error_code> CheckpointWriter::finish() {
    auto error = file_->sync();
    if (!error) error = disk_.rename(folder_ / unfinished, folder_ / name);
    if (!error) error = disk_.sync_folder(folder_);
    if (error) return tl::make_unexpected(error);
    return position_;
}

std::error_code drop_checkpoint(base::Disk& disk, const std::filesystem::path& folder) {
    disk.remove(folder / unfinished);
    auto error = disk.remove(folder / name);
    if (error == std::errc::no_such_file_or_directory) error = {};
    return error ? error : disk.sync_folder(folder);
}

// ---- reading

namespace {

class CheckpointReader {
public:
    CheckpointReader(const base::DiskFile& file, const std::map<std::uint32_t, Segment>& segments,
                     Holdings& holdings, std::string& why)
        : file_(file), segments_(segments), holdings_(holdings), why_(why) {}

    std::optional<CheckpointRead> read() {
        bool ended = false;
        for (bool first = true; !ended; first = false) {
            const auto payload = next();
            if (!payload) return std::nullopt;
            Reader in(*payload);
            const auto part = static_cast<Part>(in.number<std::uint8_t>());
            if (first != (part == Part::begin)) return no("is damaged");
            if (part == Part::begin ? !begin(in) : part == Part::messages ? !messages(in) : !end(in, ended))
                return no(another_version_ ? "is another version's" : "is damaged");
            if (first && !of_these()) return no("was made from other files than there are");
        }
        holdings_.index.complete();
        out_.size = position_;
        return out_;
    }

private:
    std::nullopt_t no(std::string why) {
        why_ = std::move(why);
        return std::nullopt;
    }

    std::optional<std::string_view> next() {
        std::array<char, part_head> head;
        auto got = file_.read(position_, head.data(), head.size());
        if (!got) return no("cannot be read: " + got.error().message());
        Reader in({head.data(), *got});
        const auto size = in.number<std::uint32_t>();
        const auto sum = in.number<std::uint32_t>();
        if (!in.good() || size > part_max) return no("is damaged");
        space_.resize(size);
        got = file_.read(position_ + part_head, space_.data(), space_.size());
        if (!got) return no("cannot be read: " + got.error().message());
        if (*got < size || checksum(space_) != sum) return no("is damaged");
        position_ += part_head + size;
        return space_;
    }

    /// Places in files that have got other names say nothing.
    bool of_these() const {
        return std::all_of(out_.start.marks.begin(), out_.start.marks.end(), [this](const auto& one) {
            const auto there = segments_.find(one.first);
            return there == segments_.end() || there->second.name.mark == one.second;
        });
    }

    bool begin(Reader& in) {
        another_version_ = in.number<std::uint32_t>() != version;
        if (another_version_) return false;
        out_.start.segment = in.number<std::uint32_t>();
        out_.start.position = in.number<std::uint64_t>();
        out_.start.sequence = in.number<std::uint64_t>();
        for (auto left = in.number<std::uint32_t>(); left > 0 && in.good(); --left) {
            const auto segment = in.number<std::uint32_t>();
            out_.start.marks[segment] = in.number<std::uint64_t>();
        }
        holdings_.last_id.value = in.number<std::uint64_t>();
        for (auto left = in.number<std::uint32_t>(); left > 0 && in.good(); --left)
            holdings_.emptied.insert(in.number<std::uint32_t>());
        for (auto left = in.number<std::uint32_t>(); left > 0 && in.good(); --left) {
            const auto segment = in.number<std::uint32_t>();
            for (auto more = in.number<std::uint32_t>(); more > 0 && in.good(); --more) {
                Graves graves;
                graves.first = in.number<std::uint32_t>();
                graves.last = in.number<std::uint32_t>();
                holdings_.graves.add(segment, graves, in.number<std::uint32_t>());
            }
        }
        return in.good();
    }

    bool messages(Reader& in) {
        std::vector<std::uint32_t> lines;
        for (auto left = in.number<std::uint32_t>(); left > 0 && in.good(); --left)
            lines.push_back(holdings_.index.line_of(RouteKey::of(in.text())));
        Index::Row row;
        for (auto left = in.number<std::uint32_t>(); left > 0 && in.good(); --left) {
            row.id.value = in.number<std::uint64_t>();
            row.entry.message = in.place();
            row.entry.progress = in.place();
            row.entry.fresh = in.number<std::uint8_t>() != 0;
            row.lines.clear();
            for (auto more = in.number<std::uint32_t>(); more > 0 && in.good(); --more) {
                const auto line = in.number<std::uint32_t>();
                if (line >= lines.size()) return false;
                row.lines.emplace_back(lines[line], static_cast<std::int64_t>(in.number<std::uint64_t>()));
            }
            row.delivered.clear();
            for (auto more = in.number<std::uint32_t>(); more > 0 && in.good(); --more)
                row.delivered.push_back(in.number<std::uint16_t>());
            if (!in.good() || row.id <= last_ || !row.entry.message) return false;
            last_ = row.id;
            holdings_.index.restore(row);
            ++messages_;
        }
        return in.good();
    }

    bool end(Reader& in, bool& ended) {
        ended = true;
        return in.number<std::uint64_t>() == messages_ && in.good();
    }

    const base::DiskFile& file_;
    const std::map<std::uint32_t, Segment>& segments_;
    Holdings& holdings_;
    std::string& why_;
    CheckpointRead out_;
    std::string space_;
    std::uint64_t position_ = 0, messages_ = 0;
    MessageId last_;
    bool another_version_ = false;
};

}  // namespace

std::optional<CheckpointRead> read_checkpoint(base::Disk& disk, const std::filesystem::path& folder,
                                              const std::map<std::uint32_t, Segment>& segments,
                                              Holdings& holdings, std::string& why) {
    const auto file = disk.open(folder / name, base::Disk::Access::read);
    if (!file) {
        if (file.error() != std::errc::no_such_file_or_directory)
            why = "cannot be read: " + file.error().message();
        return std::nullopt;
    }
    auto out = CheckpointReader(**file, segments, holdings, why).read();
    if (!out) {
        holdings.index = {};
        holdings.graves = {};
        holdings.emptied.clear();
        holdings.last_id = {};
    }
    return out;
}

}  // namespace postern::relay
