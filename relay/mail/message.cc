#include "relay/mail/message.h"

namespace postern::relay {

namespace {
// Base 32 in ASCII order, without e, i, o and u, so that ids neither read as words nor as digits.
constexpr std::string_view alphabet = "0123456789abcdfghjklmnpqrstvwxyz";
constexpr std::size_t length = 13;
}  // namespace

std::string MessageId::text() const {
    std::string out(length, '0');
    std::uint64_t rest = value;
    for (std::size_t at = length; at-- > 0; rest >>= 5) out[at] = alphabet[rest & 31];
    return out;
}

MessageId MessageId::first_at(Time time) {
    auto us = std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count();
    return MessageId{us < 0 ? 0 : static_cast<std::uint64_t>(us) << 8};
}

std::optional<MessageId> MessageId::parse(std::string_view text) {
    if (text.size() != length) return std::nullopt;
    MessageId id;
    for (std::size_t at = 0; at < length; ++at) {
        std::size_t digit = alphabet.find(text[at]);
        // 13 digits hold 65 bits: the first has only four.
        if (digit == std::string_view::npos || (at == 0 && digit > 15)) return std::nullopt;
        id.value = id.value << 5 | digit;
    }
    return id;
}

}  // namespace postern::relay
