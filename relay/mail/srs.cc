#include "relay/mail/srs.h"

#include <array>

#include "relay/limits.h"
#include "relay/mail/hmac.h"
#include "sync/base/ascii.h"

namespace postern::relay {

namespace {

constexpr std::string_view base32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
constexpr std::size_t hash_length = 12;  // 60 bits: not to be found by trying
constexpr unsigned day_wraps = 1024;     // two digits
constexpr unsigned valid_days = 21;

unsigned day_of(Time now) {
    auto days = std::chrono::duration_cast<std::chrono::days>(now.time_since_epoch()).count();
    return static_cast<unsigned>(days % day_wraps);
}

std::string day_text(Time now) {
    unsigned day = day_of(now);
    return {base32[day >> 5], base32[day & 31]};
}

std::optional<unsigned> parse_day(std::string_view text) {
    if (text.size() != 2) return std::nullopt;
    auto digit = [](char c) {
        return base32.find(c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c);
    };
    std::size_t high = digit(text[0]), low = digit(text[1]);
    if (high == std::string_view::npos || low == std::string_view::npos) return std::nullopt;
    return static_cast<unsigned>(high << 5 | low);
}

/// What is signed ignores case, because hosts on the way may change that of the whole local part.
std::string hash_of(std::string_view secret, std::string_view text) {
    std::string folded = base::lower(text);
    const std::string digest = hmac_sha256(secret, folded);
    std::string out;
    std::uint64_t bits = 0;
    for (std::size_t at = 0; at < 8; ++at) bits = bits << 8 | static_cast<unsigned char>(digest[at]);
    for (std::size_t at = 0; at < hash_length; ++at) out += base32[bits >> (59 - 5 * at) & 31];
    return out;
}

bool same(std::string_view a, std::string_view b) { return same_octets(base::lower(a), base::lower(b)); }

/// 0 or 1 when `mailbox` begins as one of the scheme does, else nothing.
std::optional<int> form_of(std::string_view mailbox) {
    if (mailbox.size() < 5 || std::string_view("=+-").find(mailbox[4]) == std::string_view::npos)
        return std::nullopt;
    std::string prefix = base::lower(mailbox.substr(0, 4));
    if (prefix == "srs0") return 0;
    if (prefix == "srs1") return 1;
    return std::nullopt;
}

/// Takes what stands in front of the next '=' off, and the '='; nullopt when there is none.
std::optional<std::string_view> take_field(std::string_view& text) {
    std::size_t end = text.find('=');
    if (end == std::string_view::npos) return std::nullopt;
    std::string_view out = text.substr(0, end);
    text.remove_prefix(end + 1);
    return out;
}

struct Rewritten {
    std::string_view host, rest;  // who rewrote first, and what stands behind its "SRS0"
};

/// Taken apart, SRS1=hash=host=rest; nullopt for what only looks like one (an SRS0 whose "0" was lost on the
/// way, as old rewriters made them): it is an address like any other.
std::optional<Rewritten> rewritten_twice(std::string_view mailbox) {
    std::string_view rest = mailbox.substr(5);
    auto hash = take_field(rest);
    auto host = take_field(rest);
    if (!hash || !host || !is_domain_name(*host)) return std::nullopt;
    if (rest.empty() || std::string_view("=+-").find(rest[0]) == std::string_view::npos) return std::nullopt;
    return Rewritten{*host, rest};
}

std::optional<Address> address_of(std::string_view mailbox, std::string_view domain) {
    return parse_address(quoted_local_part(mailbox) + '@' + std::string(domain));
}

}  // namespace

Srs::Srs(std::string secret, std::string_view domain)
    : secret_(std::move(secret)), domain_(base::lower(domain)) {}

std::optional<Address> Srs::rewrite(const Address& sender, Time now) const {
    if (sender.null() || sender.domain == domain_) return std::nullopt;
    std::string mailbox = sender.mailbox(), out;
    auto form = form_of(mailbox);
    std::optional<Rewritten> twice;
    if (form == 1) twice = rewritten_twice(mailbox);
    if (!form || (form == 1 && !twice)) {
        std::string day = day_text(now);
        out = "SRS0=" + hash_of(secret_, day + '=' + sender.domain + '=' + mailbox) + '=' + day + '=' +
              sender.domain + '=' + mailbox;
    } else {
        // The host that rewrote first is named, whoever came in between: the way back is two hops at most.
        std::string_view rest = std::string_view(mailbox).substr(4), host = sender.domain;
        if (twice) {
            host = twice->host;
            rest = twice->rest;
        }
        std::string tail = std::string(host) + '=' + std::string(rest);
        out = "SRS1=" + hash_of(secret_, tail) + '=' + tail;
    }
    out = quoted_local_part(out);
    if (out.size() > limits::local_part) return std::nullopt;
    return Address{std::move(out), domain_};
}

Srs::Origin Srs::reverse(const Address& rewritten, Time now) const {
    Origin forged{{}, Fault::forged};
    std::string mailbox = rewritten.mailbox();
    auto form = form_of(mailbox);
    if (!form || rewritten.domain != domain_) return {{}, Fault::not_ours};
    std::string_view rest = std::string_view(mailbox).substr(5);
    auto hash = take_field(rest);
    if (!hash || !same(*hash, hash_of(secret_, rest))) return forged;
    if (*form == 1) {
        auto host = take_field(rest);
        auto origin = host ? address_of("SRS0" + std::string(rest), *host) : std::nullopt;
        return origin ? Origin{std::move(*origin), Fault::none} : forged;
    }
    auto day_field = take_field(rest), domain = take_field(rest);
    auto day = day_field ? parse_day(*day_field) : std::nullopt;
    auto origin = domain ? address_of(rest, *domain) : std::nullopt;
    if (!day || !origin) return forged;
    unsigned age = (day_of(now) + day_wraps - *day) % day_wraps;
    // A day ahead is one of a clock that has been set back.
    if (age > valid_days && age != day_wraps - 1) return {{}, Fault::expired};
    return {std::move(*origin), Fault::none};
}

}  // namespace postern::relay
