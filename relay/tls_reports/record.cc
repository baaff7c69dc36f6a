#include "relay/tls_reports/record.h"

#include <algorithm>

#include "sync/base/ascii.h"
#include "sync/base/domain_name.h"
#include "sync/base/encoding.h"
#include "sync/base/ip_address.h"
#include "sync/base/utf8.h"
#include "sync/base/words.h"

namespace postern::relay {

namespace {

constexpr std::string_view version = "v=TLSRPTv1";
constexpr std::size_t readers_max = 5, uri_max = 1000, extension_max = 32;

bool is_space(char c) { return c == ' ' || c == '\t'; }

bool is_letter_or_digit(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

std::string_view strip(std::string_view text) {
    while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
    while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
    return text;
}

bool is_uri_text(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) {
        return c > ' ' && c <= '~' && std::string_view("\"<>\\^`{|}!;,").find(c) == std::string_view::npos;
    });
}

std::optional<Address> mailbox_of(std::string_view rest) {
    const auto text = base::percent_decoded(rest.substr(0, rest.find('?')));
    if (!text || !base::is_ascii(*text)) return std::nullopt;
    // A local part in quotes could have what ends an address in a header field.
    if (text->find_first_of("\"<>\\ \t\r\n,;()") != std::string::npos) return std::nullopt;
    auto out = parse_address(*text);
    if (!out || out->null() || !base::is_domain_name(out->domain)) return std::nullopt;
    return out;
}

std::optional<HttpsPlace> place_of(std::string_view rest) {
    rest = rest.substr(0, rest.find('#'));
    const std::size_t end = std::min(rest.find_first_of("/?"), rest.size());
    std::string_view authority = rest.substr(0, end);
    HttpsPlace out;
    out.path = rest.substr(end);
    if (!out.path.starts_with('/')) out.path.insert(0, "/");
    if (const std::size_t colon = authority.find(':'); colon != std::string_view::npos) {
        const auto port = authority.substr(colon + 1);
        authority = authority.substr(0, colon);
        if (!base::parse_number(port, out.port) || out.port == 0) return std::nullopt;
    }
    out.host = base::lower(authority);
    if (!base::is_host_name(out.host) || base::is_ip_literal(out.host)) return std::nullopt;
    return out;
}

/// False when it is not as the RFC has it.
bool take_readers(std::string_view list, ReportReaders& out) {
    for (;;) {
        const bool more = list.find(',') != std::string_view::npos;
        const auto uri = strip(base::take_part(list, ','));
        if (uri.empty() || uri.size() > uri_max || !is_uri_text(uri)) return false;
        const std::size_t colon = uri.find(':');
        if (colon == std::string_view::npos) return false;
        const auto scheme = base::lower(uri.substr(0, colon));
        const auto rest = uri.substr(colon + 1);
        if (scheme == "mailto") {
            if (auto one = mailbox_of(rest);
                one && out.mail.size() < readers_max &&
                std::find(out.mail.begin(), out.mail.end(), *one) == out.mail.end())
                out.mail.push_back(std::move(*one));
        } else if (scheme == "https" && rest.starts_with("//")) {
            if (auto one = place_of(rest.substr(2)); one && out.https.size() < readers_max)
                out.https.push_back(std::move(*one));
        }
        if (!more) return true;
    }
}

bool is_extension(std::string_view name, std::string_view value) {
    if (name.empty() || name.size() > extension_max || !is_letter_or_digit(name.front())) return false;
    if (!std::all_of(name.begin(), name.end(),
                     [](char c) { return is_letter_or_digit(c) || c == '_' || c == '-' || c == '.'; }))
        return false;
    return !value.empty() && std::all_of(value.begin(), value.end(),
                                         [](char c) { return c > ' ' && c <= '~' && c != '=' && c != ';'; });
}

std::optional<ReportReaders> parse(std::string_view record) {
    record.remove_prefix(version.size());
    ReportReaders out;
    bool named = false;
    base::take_part(record, ';');
    while (!record.empty()) {
        const auto field = strip(base::take_part(record, ';'));
        if (field.empty()) {
            if (record.empty()) break;  // behind the last
            return std::nullopt;
        }
        const std::size_t equals = field.find('=');
        if (equals == std::string_view::npos) return std::nullopt;
        const auto name = field.substr(0, equals), value = field.substr(equals + 1);
        if (name != "rua") {
            if (!is_extension(name, value)) return std::nullopt;
            continue;
        }
        named = true;
        if (!take_readers(value, out)) return std::nullopt;
    }
    return named ? std::optional(std::move(out)) : std::nullopt;
}

}  // namespace

std::string HttpsPlace::text() const {
    return "https://" + host + (port == 443 ? std::string() : ':' + std::to_string(port)) + path;
}

std::optional<ReportReaders> parse_report_record(const std::vector<std::string>& texts) {
    const std::string* found = nullptr;
    for (const auto& text : texts) {
        if (!text.starts_with(version)) continue;
        if (!strip(std::string_view(text).substr(version.size())).starts_with(';')) continue;
        if (found != nullptr) return std::nullopt;
        found = &text;
    }
    if (found == nullptr) return std::nullopt;
    return parse(*found);
}

}  // namespace postern::relay
