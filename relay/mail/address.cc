#include "relay/mail/address.h"

#include "relay/limits.h"
#include "sync/base/ascii.h"
#include "sync/base/domain_name.h"
#include "sync/base/utf8.h"

namespace postern::relay {

namespace {

bool is_atext(char c) {
    if (base::is_letter_or_digit(c)) return true;
    return std::string_view("!#$%&'*+-/=?^_`{|}~").find(c) != std::string_view::npos;
}

bool is_beyond_ascii(char c) { return static_cast<unsigned char>(c) > 0x7f; }

/// The length of the dot-string or quoted-string that `text` starts with, 0 if there is none.
std::size_t local_part(std::string_view text) {
    std::size_t at = 0;
    if (!text.empty() && text[0] == '"') {
        for (at = 1; at < text.size(); ++at) {
            char c = text[at];
            if (c == '"') return at + 1;
            if (c == '\\' && ++at == text.size()) return 0;
            if (!is_beyond_ascii(text[at]) && (text[at] < ' ' || text[at] > '~')) return 0;
        }
        return 0;
    }
    // Dots at odd places ("a..b@", ".a@") are outside the grammar but do exist as mailboxes, so they pass.
    while (at < text.size() && (is_atext(text[at]) || text[at] == '.' || is_beyond_ascii(text[at]))) ++at;
    return at;
}

/// The length of what may be a domain or an address literal at the start of `text`, 0 if there is none.
std::size_t domain(std::string_view text) {
    if (text.empty()) return 0;
    std::size_t at = 0;
    if (text[0] == '[') {
        for (at = 1; at < text.size() && text[at] != ']'; ++at)
            if (!base::is_letter_or_digit(text[at]) && text[at] != '.' && text[at] != ':' && text[at] != '-')
                return 0;
        return at < text.size() && at > 1 ? at + 1 : 0;
    }
    while (at < text.size() && (base::is_letter_or_digit(text[at]) || is_beyond_ascii(text[at]) ||
                                std::string_view("-._").find(text[at]) != std::string_view::npos))
        ++at;
    return at;
}

std::optional<Address> mailbox(std::string_view text, std::size_t& used) {
    std::size_t local = local_part(text);
    if (local == 0 || local > limits::local_part || local >= text.size() || text[local] != '@')
        return std::nullopt;
    std::size_t length = domain(text.substr(local + 1));
    if (length == 0 || length > limits::domain) return std::nullopt;
    used = local + 1 + length;
    std::string name(text.substr(local + 1, length));
    if (!base::is_ascii(text.substr(0, used))) {
        if (!base::is_printable_utf8(text.substr(0, used))) return std::nullopt;
    }
    if (name.starts_with('[')) return Address{std::string(text.substr(0, local)), base::lower(name)};
    auto parsed = base::DomainName::parse(name);
    if (!parsed) return std::nullopt;
    return Address{std::string(text.substr(0, local)), std::move(*parsed).text()};
}

}  // namespace

std::string Address::text() const { return null() ? std::string() : local + '@' + domain; }

std::string Address::mailbox() const {
    if (local.size() < 2 || local.front() != '"') return local;
    std::string out;
    for (std::size_t at = 1; at + 1 < local.size(); ++at) {
        if (local[at] == '\\' && at + 2 < local.size()) ++at;
        out += local[at];
    }
    return out;
}

std::string quoted_local_part(std::string_view mailbox) {
    if (!mailbox.empty() && local_part(mailbox) == mailbox.size() && mailbox[0] != '"')
        return std::string(mailbox);
    std::string out = "\"";
    for (char c : mailbox) {
        if (c == '"' || c == '\\') out += '\\';
        out += c;
    }
    return out + '"';
}

std::optional<Path> parse_path(std::string_view text) {
    if (text.empty() || text[0] != '<') return std::nullopt;
    text.remove_prefix(1);
    if (text.starts_with('>')) return Path{Address(), text.substr(1)};
    if (text.starts_with('@')) {
        std::size_t colon = text.find(':');
        if (colon == std::string_view::npos || colon > limits::domain) return std::nullopt;
        for (char c : text.substr(0, colon))
            if (!base::is_letter_or_digit(c) && std::string_view("@.,-_[]").find(c) == std::string_view::npos)
                return std::nullopt;
        text.remove_prefix(colon + 1);
    }
    std::size_t used = 0;
    auto address = mailbox(text, used);
    if (!address || used >= text.size() || text[used] != '>') return std::nullopt;
    return Path{std::move(*address), text.substr(used + 1)};
}

std::optional<Address> parse_address(std::string_view text) {
    std::size_t used = 0;
    auto address = mailbox(text, used);
    if (!address || used != text.size()) return std::nullopt;
    return address;
}

std::string account_of(std::string_view mailbox, std::string_view domain) {
    const std::string local = base::lower(mailbox.substr(0, mailbox.find('+')));
    return (local.empty() ? base::lower(mailbox) : local) + '@' + base::lower(domain);
}

bool is_meant(const std::vector<std::string>& of, const Address& address) {
    return std::any_of(of.begin(), of.end(), [&](const std::string& one) {
        if (one == "*" || one == address.domain) return true;
        return one == base::lower(address.text()) || one == account_of(address.mailbox(), address.domain);
    });
}

}  // namespace postern::relay
