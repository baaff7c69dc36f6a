#include "relay/queue/loss.h"

#include "relay/queue/record.h"

namespace postern::relay {

namespace {

/// " from A to B and 2 more": when the envelope still proves itself.
std::string envelope_of(const Loss& loss, std::string_view octets) {
    if (loss.header.kind != RecordHeader::Kind::message || octets.size() < record_header_size) return {};
    const auto parts = split_message(octets.substr(record_header_size));
    const auto message = parts ? decode_message(loss.header.id, parts->description) : std::nullopt;
    if (!message) return {};
    const auto& to = message->envelope.forward_paths;
    std::string out = " from <" + message->envelope.reverse_path.text() + "> to <" + to.front().text() + ">";
    if (to.size() > 1) out += " and " + std::to_string(to.size() - 1) + " more";
    return out;
}

const char* kind_of(const RecordHeader& header) {
    switch (header.kind) {
        case RecordHeader::Kind::message: return "message ";
        case RecordHeader::Kind::progress: return "what became of message ";
        case RecordHeader::Kind::delivered: return "a delivery of message ";
        case RecordHeader::Kind::done: return "the end of message ";
    }
    return "";
}

std::string octets_of(const Loss& loss) {
    return "octets " + std::to_string(loss.place.offset()) + " to " + std::to_string(loss.place.end()) +
           " of spool segment " + std::to_string(loss.place.segment);
}

}  // namespace

std::string name_of(const Loss& loss) {
    if (loss.header.sequence != 0 && loss.header.kind == RecordHeader::Kind::message)
        return loss.header.id.text() + ".message";
    return "segment-" + std::to_string(loss.place.segment) + "-octet-" + std::to_string(loss.place.offset());
}

std::string in_words(const Loss& loss, std::string_view octets) {
    const bool known = loss.header.sequence != 0;
    std::string out;
    if (known)
        out = kind_of(loss.header) + loss.header.id.text() + envelope_of(loss, octets) + " (" +
              octets_of(loss) + ")";
    else
        out = octets_of(loss) + (loss.records == 0   ? std::string()
                                 : loss.records == 1 ? " (1 record)"
                                                     : " (" + std::to_string(loss.records) + " records)");
    if (loss.what == Scanned::What::unreadable) return out + " cannot be read";
    if (loss.torn)
        out +=
            std::string(known ? " was" : " were") +
            " being written when the machine stopped, and most likely had not been acknowledged to anybody";
    else
        out += known ? " is damaged" : " are damaged";
    return out;
}

std::string in_words(const Loss& loss, std::string_view octets, bool kept,
                     const std::filesystem::path& folder, const std::filesystem::path& damaged) {
    const std::string out = in_words(loss, octets);
    if (loss.what == Scanned::What::unreadable)
        return out + " in " + folder.string() +
               "; what mail is there is not delivered until it can be, after a restart";
    if (kept) return out + "; set aside as " + (damaged / name_of(loss)).string();
    return out + "; it stays in " + folder.string() + ", since it cannot be copied to " + damaged.string();
}

}  // namespace postern::relay
