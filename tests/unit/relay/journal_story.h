// What the journal on a disk says of one message, for whoever looks why a test failed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>

#include "relay/queue/journal_scan.h"
#include "sync/base/disk.h"

namespace postern::tests {

/// A record as "octet:kind flags #sequence <durable"; with the id 0 all records.
inline std::string story_of(base::Disk& disk, const std::filesystem::path& folder, relay::MessageId id) {
    using relay::Scanned;
    std::string out;
    const auto names = disk.names(folder).value();
    for (const auto& name : names) {
        const auto segment = relay::SegmentName::parse(name);
        if (!segment) continue;
        out += "\nsegment " + std::to_string(segment->number) + ':';
        const auto file = disk.open(folder / name, base::Disk::Access::read).value();
        relay::JournalScan scan(*file, *segment, 0, file->size().value());
        for (auto step = scan.next(); step && *step; step = scan.next()) {
            const Scanned& found = **step;
            const auto& header = found.header;
            const bool record = found.what == Scanned::What::record;
            if (record && !header.first && header.id != id && id != relay::MessageId{}) continue;
            out += ' ' + std::to_string(found.place.offset()) + ':';
            if (!record) out += "lost ";
            if (header.sequence == 0) continue;
            out += std::to_string(static_cast<int>(header.kind));
            for (const auto& [set, flag] : {std::pair(header.first, 'F'), std::pair(header.copy, 'c'),
                                            std::pair(header.followed, '>'), std::pair(header.follows, '<')})
                if (set) out += flag;
            out += '#' + std::to_string(header.sequence) + '<' + std::to_string(header.durable);
            if (const auto graves = header.kind == relay::RecordHeader::Kind::done && record
                                        ? relay::decode_graves(found.body)
                                        : std::nullopt)
                out += '(' + std::to_string(graves->first) + ".." + std::to_string(graves->last) + ')';
        }
    }
    return out;
}

}  // namespace postern::tests
