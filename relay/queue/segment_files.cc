#include "relay/queue/segment_files.h"

#include <array>
#include <string_view>

namespace postern::relay {

namespace {

/// At one a second it takes a hundred years to get there.
constexpr std::uint32_t last_number = 0xC0000000;

class Listing {
public:
    Listing(base::Disk& disk, const std::filesystem::path& folder) : disk_(disk), folder_(folder) {}

    void add(const std::string& file_name) {
        const auto name = SegmentName::parse(file_name);
        if (!name || out_.error) return;
        const auto path = folder_ / file_name;
        std::array<char, record_header_size> begin{};
        const auto file = disk_.open(path, base::Disk::Access::read);
        const auto size = file ? (*file)->size() : tl::make_unexpected(file.error());
        if (!size) {
            out_.error = size.error();
            out_.unseen = path;
            return;
        }
        // What cannot be read is for whoever goes through it.
        const auto got = (*file)->read(0, begin.data(), begin.size());
        judge(*name, std::string_view(begin.data(), got.value_or(0)));
        const auto [there, is_new] = out_.segments.emplace(name->number, Segment{*name, *size});
        if (!is_new)
            fault("two files are segment " + std::to_string(name->number) + ", " + there->second.name.text() +
                  " and " + file_name + ": take the one that is not this spool's out of " + folder_.string() +
                  " (another spool's mail is delivered by a postern with that state_dir)");
    }

    SegmentFiles take() {
        in_order();
        for (const auto& [file, mark] : begins_) {
            const auto owner = names_.find(mark);
            if (owner != names_.end() && owner->second != file)
                fault("segment " + file + " has the octets of " + owner->second +
                      ": files were called otherwise; give them their names back");
        }
        return std::move(out_);
    }

private:
    void fault(std::string what) { out_.faults.push_back(std::move(what)); }

    void judge(const SegmentName& name, std::string_view begin) {
        if (name.number > last_number)
            fault("no spool comes to segment " + std::to_string(name.number) + ": take " + name.text() +
                  " out of " + folder_.string());
        if (const auto version = later_version(begin, name.mark))
            fault("segment " + name.text() + " was written by a later version of postern (" +
                  std::to_string(*version) + "): start that one");
        names_.emplace(name.mark, name.text());
        if (const auto mark = mark_of(begin)) begins_.emplace(name.text(), *mark);
        // Where nothing could be read a process that began there counted anew.
        if (const auto header = decode_header(begin, name.mark, 0); header && !header->first)
            first_.emplace(name.number, header->sequence);
    }

    /// What is written later has greater numbers of both kinds.
    void in_order() {
        std::uint64_t before = 0;
        for (const auto& [number, sequence] : first_) {
            if (sequence <= before)
                return fault(
                    "segment " + out_.segments.at(number).name.text() +
                    " was written before those with smaller numbers: it is another spool's, or files "
                    "were called otherwise; take it out of " +
                    folder_.string() + ", or give them their names back");
            before = sequence;
        }
    }

    base::Disk& disk_;
    const std::filesystem::path& folder_;
    SegmentFiles out_;
    std::map<std::uint64_t, std::string> names_;    // by their marks
    std::map<std::string, std::uint64_t> begins_;   // the marks of their first records, as they are there
    std::map<std::uint32_t, std::uint64_t> first_;  // the sequences of their first records
};

}  // namespace

SegmentFiles list_segments(base::Disk& disk, const std::filesystem::path& folder,
                           const std::vector<std::string>& names) {
    Listing listing(disk, folder);
    for (const auto& name : names) listing.add(name);
    return listing.take();
}

}  // namespace postern::relay
