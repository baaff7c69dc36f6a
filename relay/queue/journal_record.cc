#include "relay/queue/journal_record.h"

#include <zlib.h>

#include <charconv>

#include "relay/queue/octets.h"
#include "relay/queue/record.h"

namespace postern::relay {

namespace {

constexpr std::uint16_t version = 1;
constexpr std::size_t version_at = 10;
constexpr std::size_t summed = record_header_size - sizeof(std::uint32_t);
constexpr std::string_view suffix = ".segment";
constexpr std::size_t number_digits = 10, mark_digits = 16;

enum Flag : std::uint8_t { follows = 1, followed = 2, fresh = 4, copy = 8, first = 16, all_flags = 31 };

std::string digits(std::uint64_t value, std::size_t count, int base) {
    std::array<char, 24> text{};
    const auto end = std::to_chars(text.data(), text.data() + text.size(), value, base).ptr;
    const auto size = static_cast<std::size_t>(end - text.data());
    return std::string(count - std::min(count, size), '0') + std::string(text.data(), size);
}

template <typename T>
bool parse(std::string_view text, T& value, int base) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

std::array<char, record_header_size> encode_header(const RecordHeader& header, std::uint64_t mark,
                                                   std::uint32_t unit) {
    std::array<char, record_header_size> out;
    char* to = put_number(out.data(), mark);
    to = put_number(to, static_cast<std::uint8_t>(header.kind));
    to = put_number(to, static_cast<std::uint8_t>(
                            (header.follows ? Flag::follows : 0) | (header.followed ? Flag::followed : 0) |
                            (header.fresh ? Flag::fresh : 0) | (header.copy ? Flag::copy : 0) |
                            (header.first ? Flag::first : 0)));
    to = put_number(to, version);
    to = put_number(to, header.length);
    to = put_number(to, header.id.value);
    to = put_number(to, header.sequence);
    to = put_number(to, header.durable);
    to = put_number(to, header.sum);
    put_number(to, checksum(std::string_view(out.data(), summed), unit));
    return out;
}

std::optional<RecordHeader> decode_header(std::string_view octets, std::uint64_t mark, std::uint32_t unit) {
    if (octets.size() < record_header_size) return std::nullopt;
    std::string_view rest = octets;
    if (take_number<std::uint64_t>(rest) != mark) return std::nullopt;
    RecordHeader out;
    const auto kind = take_number<std::uint8_t>(rest);
    const auto flags = take_number<std::uint8_t>(rest);
    const auto written = take_number<std::uint16_t>(rest);
    out.length = take_number<std::uint32_t>(rest);
    out.id.value = take_number<std::uint64_t>(rest);
    out.sequence = take_number<std::uint64_t>(rest);
    out.durable = take_number<std::uint64_t>(rest);
    out.sum = take_number<std::uint32_t>(rest);
    if (take_number<std::uint32_t>(rest) != checksum(octets.substr(0, summed), unit)) return std::nullopt;
    if (written != version || flags > Flag::all_flags || kind < 1 ||
        kind > static_cast<std::uint8_t>(RecordHeader::Kind::done))
        return std::nullopt;
    out.kind = static_cast<RecordHeader::Kind>(kind);
    out.follows = (flags & Flag::follows) != 0;
    out.followed = (flags & Flag::followed) != 0;
    out.fresh = (flags & Flag::fresh) != 0;
    out.copy = (flags & Flag::copy) != 0;
    out.first = (flags & Flag::first) != 0;
    return out;
}

std::optional<std::uint64_t> mark_of(std::string_view octets) {
    if (octets.size() < sizeof(std::uint64_t)) return std::nullopt;
    return take_number<std::uint64_t>(octets);
}

std::optional<std::uint16_t> later_version(std::string_view octets, std::uint64_t mark) {
    if (octets.size() < record_header_size || mark_of(octets) != mark) return std::nullopt;
    std::string_view sum = octets.substr(summed), rest = octets.substr(version_at);
    if (take_number<std::uint32_t>(sum) != checksum(octets.substr(0, summed), 0)) return std::nullopt;
    const auto written = take_number<std::uint16_t>(rest);
    return written > version ? std::optional(written) : std::nullopt;
}

std::uint32_t joined_checksum(std::uint32_t first, std::uint32_t second, std::uint64_t second_size) {
    return static_cast<std::uint32_t>(crc32_combine(first, second, static_cast<z_off_t>(second_size)));
}

std::string counted(const std::string& description) {
    std::string out(sizeof(std::uint32_t), '\0');
    put_number(out.data(), static_cast<std::uint32_t>(description.size()));
    return out += description;
}

std::optional<MessageBody> split_message(std::string_view body) {
    if (body.size() < sizeof(std::uint32_t)) return std::nullopt;
    const auto size = take_number<std::uint32_t>(body);
    if (body.size() < size) return std::nullopt;
    return MessageBody{body.substr(0, size), body.substr(size)};
}

std::string encode_delivered(const std::vector<std::uint16_t>& recipients) {
    std::string out(recipients.size() * sizeof(std::uint16_t), '\0');
    char* to = out.data();
    for (const std::uint16_t one : recipients) to = put_number(to, one);
    return out;
}

std::optional<std::vector<std::uint16_t>> decode_delivered(std::string_view body) {
    if (body.size() % sizeof(std::uint16_t) != 0) return std::nullopt;
    std::vector<std::uint16_t> out;
    while (!body.empty()) out.push_back(take_number<std::uint16_t>(body));
    return out;
}

std::string encode_graves(const Graves& graves) {
    std::string out(2 * sizeof(std::uint32_t), '\0');
    put_number(put_number(out.data(), graves.first), graves.last);
    return out;
}

std::optional<Graves> decode_graves(std::string_view body) {
    if (body.size() != 2 * sizeof(std::uint32_t)) return std::nullopt;
    Graves out;
    out.first = take_number<std::uint32_t>(body);
    out.last = take_number<std::uint32_t>(body);
    return out;
}

std::string SegmentName::text() const {
    return digits(number, number_digits, 10) + '-' + digits(mark, mark_digits, 16) + std::string(suffix);
}

std::optional<SegmentName> SegmentName::parse(std::string_view file_name) {
    if (file_name.size() != number_digits + 1 + mark_digits + suffix.size() ||
        file_name[number_digits] != '-' || !file_name.ends_with(suffix))
        return std::nullopt;
    SegmentName out;
    if (!relay::parse(file_name.substr(0, number_digits), out.number, 10) ||
        !relay::parse(file_name.substr(number_digits + 1, mark_digits), out.mark, 16) || out.number == 0 ||
        out.text() != file_name)
        return std::nullopt;
    return out;
}

}  // namespace postern::relay
