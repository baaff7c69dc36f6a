// A segment of any octets, or of records that prove themselves under anything: what is given lies in order,
// proves itself, and can be found again from there.
#include "relay/queue/journal_scan.h"

#include <algorithm>
#include <string>

#include "relay/queue/record.h"
#include "tests/fuzz/target.h"

using namespace postern;
using namespace postern::relay;
using namespace postern::fuzz;

namespace {

const SegmentName name{1, 0x4141414141414141};

class Octets final : public base::DiskFile {
public:
    Octets(std::string_view octets, std::uint64_t unreadable, std::uint64_t upto)
        : octets_(octets), unreadable_(unreadable), upto_(upto) {}

    tl::expected<std::size_t, std::error_code> read(std::uint64_t at, char* to,
                                                    std::size_t size) const override {
        const auto part = octets_.substr(std::min<std::size_t>(at, octets_.size()), size);
        if (unreadable_ < upto_ && at < upto_ && unreadable_ < at + part.size())
            return tl::make_unexpected(std::make_error_code(std::errc::io_error));
        std::copy(part.begin(), part.end(), to);
        return part.size();
    }
    std::error_code write(std::uint64_t, std::span<const std::string_view>) override { return {}; }
    std::error_code reserve(std::uint64_t) override { return {}; }
    std::error_code sync() override { return {}; }
    tl::expected<std::uint64_t, std::error_code> size() const override { return octets_.size(); }

private:
    const std::string_view octets_;
    const std::uint64_t unreadable_, upto_;
};

/// Puts headers in front of pieces of the input, some of them wrong, so that what lies behind them is
/// reached.
std::string records(std::string_view input) {
    std::string out;
    std::uint64_t sequence = 1;
    while (!input.empty()) {
        const auto what = take_octet(input), length = take_octet(input);
        const std::string_view body = input.substr(0, length);
        input.remove_prefix(body.size());
        RecordHeader header;
        header.kind = static_cast<RecordHeader::Kind>(1 + what % 4);
        header.id = MessageId{what % 5u};  // 0: taken back
        header.sequence = sequence++;
        header.length = static_cast<std::uint32_t>(body.size());
        header.sum = checksum(body) ^ (what & 0x10);
        if ((what & 0x20) != 0) header.length += what;
        const auto unit = static_cast<std::uint32_t>(out.size() / record_alignment);
        const auto front = encode_header(header, name.mark ^ (what & 0x40), unit ^ (what >> 7));
        out.append(front.data(), front.size());
        out += body;
        out.resize(aligned(out.size()));
    }
    return out;
}

void scan(std::string_view octets, std::uint64_t end, std::uint64_t unreadable, std::uint64_t upto) {
    const Octets file(octets, unreadable, upto);
    JournalScan scan(file, name, 0, end);
    std::uint64_t behind = 0;
    for (;;) {
        const auto step = scan.next();
        require(step.has_value());
        if (!*step) break;
        const Scanned& found = **step;
        require(found.place.segment == name.number && found.place.offset() == behind);
        require(found.place.length > 0 && found.place.end() > behind && found.place.offset() < end);
        behind = found.place.end();
        require(found.what != Scanned::What::unreadable || unreadable < upto);
        if (found.what != Scanned::What::record) {
            require(found.body.empty());
            continue;
        }
        require(octets.substr(found.place.offset() + record_header_size, found.header.length) == found.body);
        // Of one that was taken back the body is no matter.
        require(found.header.id == MessageId{} || checksum(found.body) == found.header.sum);
        JournalScan again(file, name, found.place.offset(), end);
        const auto same = again.next();
        require(same && *same && (*same)->header == found.header && (*same)->body == found.body);
    }
    require(scan.position() <= aligned(std::max<std::uint64_t>(end, octets.size())));
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view input = text_of(data, size);
    const std::uint64_t sector = 4096, bad = take_octet(input) % 8 * sector,
                        upto = take_octet(input) % 8 * sector;
    const std::uint64_t beyond = take_octet(input);
    for (const std::string& octets : {std::string(input), records(input)}) {
        scan(octets, octets.size(), 0, 0);
        scan(octets, octets.size() + beyond, bad, upto);
    }
    return 0;
}
