#include "relay/queue/spool_reader.h"

#include <mutex>
#include <set>
#include <shared_mutex>
#include <system_error>
#include <utility>

#include "relay/queue/checkpoint.h"
#include "relay/queue/journal.h"

namespace postern::relay {

namespace {

/// Of a message's record, read at once; most descriptions are shorter.
constexpr std::size_t description_usually = 4096;

}  // namespace

std::vector<MessageId> SpoolReader::fresh(MessageId after, std::size_t limit) const {
    std::shared_lock lock(holdings_.mutex);
    return holdings_.index.fresh(after, limit);
}

std::vector<MessageId> SpoolReader::messages(MessageId after, std::size_t limit) const {
    std::shared_lock lock(holdings_.mutex);
    return holdings_.index.messages(after, limit);
}

std::vector<WaitEntry> SpoolReader::due(const RouteKey& route, Time until, std::size_t limit,
                                        const std::function<bool(MessageId)>& skip) const {
    std::shared_lock lock(holdings_.mutex);
    return holdings_.index.due(route, until, limit, skip);
}

std::vector<WaitKey> SpoolReader::routes() const {
    std::shared_lock lock(holdings_.mutex);
    return holdings_.index.routes();
}

bool SpoolReader::waits(const WaitKey& key, MessageId id) const {
    std::shared_lock lock(holdings_.mutex);
    return holdings_.index.waits(key, id);
}

bool SpoolReader::contains(MessageId id) const {
    std::shared_lock lock(holdings_.mutex);
    return holdings_.index.contains(id);
}

std::uint64_t SpoolReader::count() const {
    std::shared_lock lock(holdings_.mutex);
    return holdings_.index.size() + holdings_.coming;
}

std::uint64_t SpoolReader::waiting(const RouteKey& route) const {
    std::shared_lock lock(holdings_.mutex);
    return holdings_.index.waiting(route);
}

std::uint64_t SpoolReader::bytes() const {
    std::uint64_t out = 0;
    {
        std::shared_lock lock(holdings_.mutex);
        for (const auto& [segment, octets] : holdings_.index.live()) out += octets;
    }
    const auto names = disk_.names(contents_);
    if (!names) return out;
    for (const auto& name : *names)
        if (const auto file = disk_.open(contents_ / name, base::Disk::Access::read))
            out += (*file)->size().value_or(0);
    return out;
}

tl::expected<Loaded, ContentFault> SpoolReader::read(MessageId id, const Place& at,
                                                     const Place& progress) const {
    auto record = journal_.read_beginning(at, description_usually);
    if (!record) return tl::make_unexpected(record.error());
    auto parts = split_message(record->body);
    if (!parts && record->body.size() < record->header.length) {
        record = journal_.read(at);
        if (!record) return tl::make_unexpected(record.error());
        parts = split_message(record->body);
    }
    auto message = parts && record->header.id == id ? decode_message(id, parts->description) : std::nullopt;
    if (!message) return tl::make_unexpected(ContentFault::proven("its record cannot be read"));
    if (!message->content.file.empty()) message->content.file = contents_ / message->content.file;
    Loaded out;
    out.progress.resize(message->envelope.forward_paths.size());
    if (progress) {
        const auto written = journal_.read(progress);
        if (!written) return tl::make_unexpected(written.error());
        auto decoded = written->header.id == id ? decode_progress(written->body) : std::nullopt;
        if (!decoded || decoded->size() != out.progress.size())
            return tl::make_unexpected(ContentFault::proven("what became of it cannot be read"));
        out.progress = std::move(*decoded);
    }
    out.stored = std::make_shared<Stored>(Stored{std::move(*message)});
    return out;
}

std::optional<Loaded> SpoolReader::load(MessageId id) const {
    Index::Entry last;
    for (;;) {
        std::optional<Index::Entry> entry;
        std::set<std::uint16_t> delivered;
        {
            std::shared_lock lock(holdings_.mutex);
            entry = holdings_.index.find(id);
            if (const auto* noted = holdings_.index.delivered(id)) delivered = *noted;
        }
        if (!entry) return std::nullopt;
        // What cannot be read may have been moved meanwhile; where it was not, it is damaged.
        if (entry->message == last.message && entry->progress == last.progress) return Loaded{};
        last = *entry;
        auto out = read(id, entry->message, entry->progress);
        if (!out && !out.error().damaged()) throw std::system_error(out.error().error, out.error().why);
        if (!out) continue;
        for (const std::uint16_t recipient : delivered)
            if (recipient < out->progress.size() && out->progress[recipient].pending())
                out->progress[recipient].status = RecipientStatus::delivered;
        return std::move(*out);
    }
}

tl::expected<std::shared_ptr<const std::string>, ContentFault> SpoolReader::load_content(
    const Message& message) const {
    const Content& content = message.content;
    if (content.bytes) return content.bytes;
    if (!content.file.empty()) return read_content(disk_, content);
    ContentFault fault = ContentFault::proven("its content is missing");
    for (Place last;;) {
        std::optional<Index::Entry> entry;
        {
            std::shared_lock lock(holdings_.mutex);
            entry = holdings_.index.find(message.id);
        }
        if (!entry || entry->message == last) return tl::make_unexpected(fault);
        last = entry->message;
        if (last.length < content.size) return tl::make_unexpected(fault);
        // It ends the record, and proves itself.
        auto octets = journal_.raw(last.segment, last.offset() + last.length - content.size,
                                   static_cast<std::size_t>(content.size));
        if (!octets)
            fault = octets.error();
        else if (octets->size() == content.size && checksum(*octets) == content.checksum)
            return std::make_shared<const std::string>(std::move(*octets));
        else
            fault = ContentFault::proven("its content does not match its checksum");
        if (!fault.damaged()) return tl::make_unexpected(fault);
    }
}

}  // namespace postern::relay
