// A segment as a test writes it, record by record, and what a scan gives of one.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "relay/queue/journal_record.h"
#include "relay/queue/journal_scan.h"
#include "relay/queue/record.h"

namespace postern::tests {

struct SegmentImage {
    struct Entry {
        relay::RecordHeader header;
        relay::Place place;
        std::string body;
    };
    relay::SegmentName name;
    std::string octets;
    std::vector<Entry> entries;
    std::uint64_t next = 1;  // sequence

    explicit SegmentImage(std::uint32_t number) : SegmentImage(number, 0x0123456789abcdee + number) {}
    SegmentImage(std::uint32_t number, std::uint64_t mark) : name{number, mark} {}

    relay::Place add(relay::RecordHeader header, std::string body) {
        header.length = static_cast<std::uint32_t>(body.size());
        header.sum = relay::checksum(body);
        header.sequence = next++;
        const relay::Place place{name.number,
                                 static_cast<std::uint32_t>(octets.size() / relay::record_alignment),
                                 static_cast<std::uint32_t>(relay::record_header_size + body.size())};
        const auto front = relay::encode_header(header, name.mark, place.unit);
        octets.append(front.data(), front.size());
        octets += body;
        octets.resize(place.end());
        entries.push_back({header, place, std::move(body)});
        return place;
    }
    relay::Place add(relay::RecordHeader::Kind kind, std::uint64_t id, std::string body) {
        relay::RecordHeader header;
        header.kind = kind;
        header.id.value = id;
        return add(header, std::move(body));
    }
};

struct ScanResult {
    struct Step {
        relay::Scanned::What what;
        relay::Place place;
        relay::RecordHeader header;
        std::string body;
    };
    std::vector<Step> steps;
    std::uint64_t position = 0;
    std::error_code error;

    std::vector<Step> of(relay::Scanned::What what) const {
        std::vector<Step> out;
        for (const auto& one : steps)
            if (one.what == what) out.push_back(one);
        return out;
    }
};

inline ScanResult scan_all(const base::DiskFile& file, const relay::SegmentName& name, std::uint64_t from,
                           std::uint64_t end) {
    relay::JournalScan scan(file, name, from, end);
    ScanResult out;
    for (;;) {
        const auto step = scan.next();
        if (!step) out.error = step.error();
        if (!step || !*step) break;
        out.steps.push_back({(*step)->what, (*step)->place, (*step)->header, std::string((*step)->body)});
    }
    out.position = scan.position();
    return out;
}

}  // namespace postern::tests
