#include "relay/queue/set_aside.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>

#include "relay/queue/journal_record.h"
#include "relay/queue/octets.h"
#include "sync/base/file_fault.h"
#include "sync/base/kept_file.h"

namespace postern::relay {

namespace {

constexpr std::string_view message_suffix = ".message", progress_suffix = ".progress",
                           content_suffix = ".content", restored_suffix = ".restored",
                           segment_prefix = "segment-", taking_infix = ".as-";
constexpr std::size_t id_at = 16;  // in a header

tl::expected<std::string, std::error_code> whole(base::Disk& disk, const std::filesystem::path& path) {
    return base::read_file(disk, path, std::numeric_limits<std::uint32_t>::max());
}

/// nullopt when there is none, or it is not what it was.
std::optional<std::string> if_there(base::Disk& disk, const std::filesystem::path& path) {
    auto out = whole(disk, path);
    return out ? std::optional(std::move(*out)) : std::nullopt;
}

/// What a record says behind its header; whether the header is right does not matter, as the texts prove
/// themselves.
std::string_view body_of(std::string_view record) {
    return record.size() < record_header_size ? std::string_view() : record.substr(record_header_size);
}

/// Of "ID.message".
std::optional<MessageId> message_id(std::string_view file) {
    if (!file.ends_with(message_suffix)) return std::nullopt;
    return MessageId::parse(file.substr(0, file.size() - message_suffix.size()));
}

/// Of octets of a segment, which a record may begin: what its header says, though it does not prove itself.
std::optional<MessageId> likely_id(std::string_view octets) {
    if (octets.size() < record_header_size) return std::nullopt;
    octets.remove_prefix(id_at);
    return MessageId{take_number<std::uint64_t>(octets)};
}

bool pending(const SetAside& found, std::size_t recipient) {
    return found.progress[recipient].status == RecipientStatus::pending;
}

std::string what_it_is(std::string_view file) {
    if (file.ends_with(restored_suffix)) return "a message that was taken again";
    if (file.find(taking_infix) != std::string_view::npos)
        return "a message that was being taken again when postern stopped";
    if (file.ends_with(message_suffix)) return "a message";
    if (file.ends_with(progress_suffix)) return "what became of a message";
    if (file.starts_with(segment_prefix)) return "octets of a segment that prove nothing";
    if (file.find(".volume") != std::string_view::npos) return "a volume of an earlier version's spool";
    return "the content of a message";
}

}  // namespace

std::string name_while_taken(const std::string& file, MessageId as) {
    return file + std::string(taking_infix) + as.text();
}

std::string name_when_taken(const std::string& file) { return file + std::string(restored_suffix); }

std::optional<MessageId> being_taken(const std::vector<std::string>& names, const std::string& file) {
    const std::string begin = file + std::string(taking_infix);
    for (const auto& name : names)
        if (name.starts_with(begin)) return MessageId::parse(name.substr(begin.size()));
    return std::nullopt;
}

std::string as_lines(std::string_view octets) {
    std::string out;
    out.reserve(octets.size() + 2);
    for (std::size_t at = 0; at < octets.size(); ++at) {
        const char one = octets[at];
        if (one == '\0') continue;
        if (one != '\r' && one != '\n') {
            out += one;
            continue;
        }
        out += "\r\n";
        if (one == '\r' && at + 1 < octets.size() && octets[at + 1] == '\n') ++at;
    }
    if (!out.empty() && !out.ends_with("\r\n")) out += "\r\n";
    return out;
}

tl::expected<SetAside, std::string> read_set_aside(base::Disk& disk, const std::filesystem::path& folder,
                                                   const std::string& file) {
    const bool nameless = file.starts_with(segment_prefix);
    auto id = message_id(file);
    if (!id && !nameless)
        return tl::make_unexpected(file + " is no message: only ID.message can be taken again");
    const auto octets = whole(disk, folder / file);
    if (!octets) return tl::make_unexpected("cannot read " + base::file_fault(folder / file, octets.error()));
    if (nameless) id = likely_id(*octets);
    if (!id) return tl::make_unexpected(file + " does not begin with a message");
    const auto parts = split_message(body_of(*octets));
    auto message = parts ? decode_message(*id, parts->description) : std::nullopt;
    if (!message)
        return tl::make_unexpected("the envelope of " + file +
                                   " does not prove itself: nobody knows who sent it, and to whom");
    SetAside out;
    Content& content = message->content;
    // Octets of a segment go on behind it.
    std::string text(parts->content.substr(0, nameless ? content.size : std::string_view::npos));
    if (!content.file.empty()) {
        // As it was set aside with its record; or by itself, when nothing was left that names it.
        std::optional<std::string> found;
        for (const auto& name : {id->text() + std::string(content_suffix), id->text()}) {
            found = if_there(disk, folder / name);
            if (!found) continue;
            out.content = name;
            break;
        }
        if (!found) return tl::make_unexpected("the content of " + file + " is not there");
        text = std::move(*found);
        content.file.clear();
    }
    out.whole = text.size() == content.size && checksum(text) == content.checksum;
    if (!out.whole) {
        text = as_lines(text);
        content.size = text.size();
        content.checksum = checksum(text);
        content.dots = text.starts_with('.') || text.find("\n.") != std::string::npos;
        if (std::any_of(text.begin(), text.end(), [](char c) { return (c & 0x80) != 0; }))
            message->envelope.body = BodyType::eight_bit;
    }
    content.bytes = std::make_shared<const std::string>(std::move(text));
    out.message = std::move(*message);
    out.progress.resize(out.message.envelope.forward_paths.size());
    if (const auto record = if_there(disk, folder / (id->text() + std::string(progress_suffix))))
        if (auto progress = decode_progress(body_of(*record));
            progress && progress->size() == out.progress.size())
            out.progress = std::move(*progress);
    return out;
}

tl::expected<SetAsidePage, std::string> list_set_aside(base::Disk& disk, const std::filesystem::path& folder,
                                                       std::size_t most) {
    SetAsidePage out;
    const auto names = disk.names(folder);
    if (!names && names.error() == std::errc::no_such_file_or_directory) return out;
    if (!names) return tl::make_unexpected("cannot read " + base::file_fault(folder, names.error()));
    for (const auto& name : *names) {
        if (out.files.size() == most) {
            out.more = true;
            break;
        }
        SetAsideView view;
        view.file = name;
        view.what = what_it_is(name);
        if (const auto file = disk.open(folder / name, base::Disk::Access::read))
            view.size = (*file)->size().value_or(0);
        const bool nameless = name.starts_with(segment_prefix);
        if (message_id(name) || nameless) {
            const auto found = read_set_aside(disk, folder, name);
            view.restorable = found.has_value();
            if (found && nameless) view.what += ", but begin with a message";
            if (!found && !nameless) {
                view.what += "; " + found.error();
            } else if (found) {
                const Envelope& envelope = found->message.envelope;
                view.from = envelope.reverse_path.text();
                for (std::size_t at = 0; at < envelope.forward_paths.size(); ++at)
                    if (pending(*found, at)) view.to.push_back(envelope.forward_paths[at].text());
                view.arrived = found->message.arrived;
                view.what += found->whole ? ", whole" : ", its content damaged";
            }
        }
        out.files.push_back(std::move(view));
    }
    return out;
}

}  // namespace postern::relay
