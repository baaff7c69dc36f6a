#include "relay/queue/inspection.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "relay/queue/content.h"
#include "relay/queue/recovery.h"
#include "relay/queue/segment_files.h"
#include "sync/base/file_fault.h"

namespace postern::relay {

namespace {

constexpr int attempts = 5;  // while a gateway takes segments away
constexpr std::size_t read_at_once = 128 << 10;
constexpr std::size_t most_named = 20;  // of missing messages

class Inspection {
public:
    Inspection(base::Disk& disk, const std::filesystem::path& state_dir, std::uint64_t segment_size)
        : disk_(disk), state_dir_(state_dir), files_{state_dir / "spool", {}, segment_size} {}

    /// The error is no_such_file_or_directory when a segment went meanwhile.
    tl::expected<SpoolCheck, std::error_code> run() {
        if (auto error = list()) return tl::make_unexpected(error);
        if (!out_.faults.empty()) return std::move(out_);
        // What the next start would find missing; then all that is there.
        Holdings some, all;
        const auto next_start = look_through(disk_, files_, some, true);
        if (!next_start) return tl::make_unexpected(next_start.error());
        const auto found = look_through(disk_, files_, all, false);
        if (!found) return tl::make_unexpected(found.error());
        out_.records = found->records;
        out_.messages = all.index.size();
        tell_missing(*next_start);
        for (const Loss& loss : found->losses) tell(loss);
        tell_unproven(some.index, all.index, found->losses);
        if (auto error = contents(all.index)) return tl::make_unexpected(error);
        return std::move(out_);
    }

private:
    std::error_code list() {
        const auto names = disk_.names(files_.folder);
        if (!names) return names.error();
        std::size_t volumes = 0;
        for (const auto& name : *names) {
            volumes += name.ends_with(".volume");
        }
        auto files = list_segments(disk_, files_.folder, *names);
        if (files.error) return files.error;
        files_.segments = std::move(files.segments);
        for (auto& fault : files.faults) out_.faults.push_back(fault + "; the next start refuses them");
        out_.segments = files_.segments.size();
        for (const auto& [number, segment] : files_.segments) out_.octets += segment.size;
        if (volumes > 0)
            out_.remarks.push_back("the mail in " + std::to_string(volumes) +
                                   " volumes of an earlier version is taken over at the next start");
        const auto aside = disk_.names(state_dir_ / "damaged");
        aside_ = aside.value_or(std::vector<std::string>());
        if (!aside_.empty())
            out_.remarks.push_back(std::to_string(aside_.size()) + " files lie in " +
                                   (state_dir_ / "damaged").string() +
                                   ": \"postern spool list-damaged\" shows them");
        return {};
    }

    void tell_missing(const Recovered& found) {
        if (!found.checkpoint_fault.empty())
            out_.remarks.push_back("the index " + found.checkpoint_fault +
                                   ": it is made anew from the mail at the next start");
        for (const auto& absent : found.absent)
            (absent.torn ? out_.remarks : out_.faults)
                .push_back("segments " + std::to_string(absent.first) + " to " + std::to_string(absent.last) +
                           " are missing, and with them " + std::to_string(absent.records) + " records");
        const std::size_t named = std::min(found.missing.size(), most_named);
        for (std::size_t at = 0; at < named; ++at)
            out_.faults.push_back("message " + found.missing[at].text() +
                                  " is missing, with the segment that it was in");
        tell_rest(found.missing.size() - named);
    }

    void tell_rest(std::size_t more) {
        if (more > 0)
            out_.faults.push_back("and so for " + std::to_string(more) +
                                  (more == 1 ? " message more" : " messages more"));
    }

    /// What the index says lies somewhere, and does not; but for those that were named.
    void tell_unproven(const Index& some, const Index& all, const std::vector<Loss>& losses) {
        std::set<MessageId> named_before;
        for (const Loss& loss : losses) named_before.insert(loss.header.id);
        std::vector<MessageId> found;
        for (MessageId after;;) {
            const auto ids = some.messages(after, 1000);
            if (ids.empty()) break;
            std::copy_if(ids.begin(), ids.end(), std::back_inserter(found),
                         [&](MessageId id) { return !all.contains(id) && !named_before.contains(id); });
            after = ids.back();
        }
        const std::size_t named = std::min(found.size(), most_named);
        for (std::size_t at = 0; at < named; ++at)
            out_.faults.push_back("message " + found[at].text() +
                                  " is in the index, and its record is not where that says");
        tell_rest(found.size() - named);
    }

    void tell(const Loss& loss) {
        std::string text = in_words(loss, octets_of(loss));
        if (std::find(aside_.begin(), aside_.end(), name_of(loss)) != aside_.end())
            text += "; a copy lies in damaged/" + name_of(loss);
        (loss.torn ? out_.remarks : out_.faults).push_back(std::move(text));
    }

    std::string octets_of(const Loss& loss) const {
        std::string out(std::min<std::size_t>(loss.place.length, read_at_once), '\0');
        const auto file = open(loss.place.segment);
        const auto got = file ? file->read(loss.place.offset(), out.data(), out.size())
                              : tl::expected<std::size_t, std::error_code>(0);
        out.resize(got.value_or(0));
        return out;
    }

    base::DiskFilePtr open(std::uint32_t segment) const {
        const auto found = files_.segments.find(segment);
        if (found == files_.segments.end()) return nullptr;
        return disk_.open(files_.folder / found->second.name.text(), base::Disk::Access::read)
            .value_or(nullptr);
    }

    /// Whether each message's own file is there, and what it was.
    std::error_code contents(const Index& index) {
        for (MessageId after;;) {
            const auto ids = index.messages(after, 1000);
            if (ids.empty()) return {};
            for (const MessageId id : ids)
                if (auto error = content(id, index.find(id)->message)) return error;
            after = ids.back();
        }
    }

    std::error_code content(MessageId id, const Place& place) {
        if (place.segment != open_number_) {
            open_file_ = open(place.segment);
            open_number_ = place.segment;
        }
        if (!open_file_) return std::make_error_code(std::errc::no_such_file_or_directory);
        std::string record(place.length, '\0');
        const auto got = open_file_->read(place.offset(), record.data(), record.size());
        if (!got) return {};  // that was told
        const auto parts = split_message(std::string_view(record).substr(record_header_size));
        auto message = parts ? decode_message(id, parts->description) : std::nullopt;
        if (!message) {
            out_.faults.push_back("message " + id.text() + " cannot be understood");
            return {};
        }
        if (message->content.file.empty()) return {};
        ++out_.contents;
        message->content.file = files_.folder / "content" / message->content.file;
        if (const auto fault = fault_of(message->content))
            out_.faults.push_back("message " + id.text() + " from <" + message->envelope.reverse_path.text() +
                                  "> to <" + message->envelope.forward_paths.front().text() +
                                  "> cannot be delivered: " + *fault);
        return {};
    }

    std::optional<std::string> fault_of(const Content& content) const {
        auto file = ContentFile::open(disk_, content);
        if (!file) return file.error().why;
        for (std::string space;;) {
            const auto octets = file->next(space, read_at_once);
            if (!octets) return octets.error().why;
            if (octets->empty()) return std::nullopt;
        }
    }

    base::Disk& disk_;
    const std::filesystem::path state_dir_;
    JournalFiles files_;
    SpoolCheck out_;
    std::vector<std::string> aside_;
    std::uint32_t open_number_ = 0;
    base::DiskFilePtr open_file_;
};

}  // namespace

tl::expected<SpoolCheck, std::string> inspect_spool(base::Disk& disk, const std::filesystem::path& state_dir,
                                                    std::uint64_t segment_size) {
    const auto look = [&] {
        auto out = Inspection(disk, state_dir, segment_size).run();
        for (int more = 1; more < attempts && !out && out.error() == std::errc::no_such_file_or_directory;
             ++more)
            out = Inspection(disk, state_dir, segment_size).run();
        return out;
    };
    auto out = look();
    if (out && !out->faults.empty()) {
        // What is found once more is so; the rest was being changed.
        const auto before = std::move(out->faults);
        out = look();
        if (out)
            std::erase_if(out->faults, [&](const std::string& fault) {
                return std::find(before.begin(), before.end(), fault) == before.end();
            });
    }
    if (!out)
        return tl::make_unexpected("cannot look at " + base::file_fault(state_dir / "spool", out.error()));
    return std::move(*out);
}

}  // namespace postern::relay
