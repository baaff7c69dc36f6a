#include "relay/net/dns_message.h"

#include <cstdint>

#include "relay/mail/address.h"
#include "sync/base/ascii.h"

namespace postern::relay::net {

namespace {

constexpr std::uint16_t type_rrsig = 46;

}  // namespace

std::string name_of(std::string_view wire) {
    std::string out;
    for (std::size_t at = 0; at < wire.size();) {
        const auto length = static_cast<unsigned char>(wire[at]);
        if (length == 0) {
            if (out.empty()) return ".";
            return is_domain_name(out) ? base::lower(out) : std::string();
        }
        if (length > 63 || at + 1 + length > wire.size()) return {};
        const std::string_view label = wire.substr(at + 1, length);
        if (label.find('.') != std::string_view::npos) return {};
        if (!out.empty()) out += '.';
        out += label;
        at += 1u + length;
    }
    return {};
}

bool is_signed(std::string_view message) {
    std::size_t at = 12;
    const auto number = [&](std::size_t from) -> std::size_t {
        if (from + 2 > message.size()) return 0;
        return std::size_t{static_cast<unsigned char>(message[from])} << 8 |
               static_cast<unsigned char>(message[from + 1]);
    };
    const auto skip_name = [&] {
        while (at < message.size() && message[at] != 0) {
            const auto length = static_cast<unsigned char>(message[at]);
            if (length >= 0xc0) {  // the rest is elsewhere
                at += 2;
                return;
            }
            at += 1u + length;
        }
        ++at;
    };
    for (std::size_t questions = number(4); questions > 0 && at < message.size(); --questions) {
        skip_name();
        at += 4;
    }
    for (std::size_t records = number(6); records > 0 && at < message.size(); --records) {
        skip_name();
        if (number(at) == type_rrsig) return true;
        at += 10 + number(at + 8);
    }
    return false;
}

}  // namespace postern::relay::net
