#include "agent/http/request.h"

#include <algorithm>
#include <optional>

#include "agent/machine/address_text.h"
#include "sync/base/ascii.h"
#include "sync/base/encoding.h"

namespace postern::agent {
namespace {

constexpr std::size_t most_fields = 64, longest_target = 12 << 10;

bool is_token(std::string_view text) {
    constexpr std::string_view marks = "!#$%&'*+-.^_`|~";
    return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
        return base::is_letter_or_digit(c) || marks.find(c) != std::string_view::npos;
    });
}

bool is_visible(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < '\x7f'; });
}

/// Percent-decoded; nullopt when an escape is none.
std::optional<std::string> decoded(std::string_view text, bool form) {
    if (!form) return base::percent_decoded(text);
    std::string spaced(text);
    std::replace(spaced.begin(), spaced.end(), '+', ' ');
    return base::percent_decoded(spaced);
}

/// The next line without its end; takes it off `rest`.
std::string_view next_line(std::string_view& rest) {
    const auto end = rest.find('\n');
    auto line = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line;
}

bool read_query(std::string_view query, HttpRequest& request) {
    while (!query.empty()) {
        const auto end = query.find('&');
        const auto pair = query.substr(0, end);
        query.remove_prefix(end == std::string_view::npos ? query.size() : end + 1);
        const auto equals = pair.find('=');
        auto name = decoded(pair.substr(0, equals), true);
        auto value =
            equals == std::string_view::npos ? std::string() : decoded(pair.substr(equals + 1), true);
        if (!name || !value) return false;
        if (!pair.empty()) request.parameters.emplace(std::move(*name), std::move(*value));
    }
    return true;
}

tl::unexpected<HttpFault> fault(int status, std::string why) {
    return tl::make_unexpected(HttpFault{status, std::move(why)});
}

}  // namespace

std::size_t HttpRequest::count(std::string_view name) const {
    return static_cast<std::size_t>(
        std::count_if(fields.begin(), fields.end(), [&](const auto& each) { return each.first == name; }));
}

std::string HttpRequest::field(std::string_view name) const {
    const auto found =
        std::find_if(fields.begin(), fields.end(), [&](const auto& each) { return each.first == name; });
    return found == fields.end() ? std::string() : found->second;
}

std::size_t end_of_head(std::string_view octets) {
    for (auto at = octets.find('\n'); at != std::string_view::npos; at = octets.find('\n', at + 1)) {
        const auto rest = octets.substr(at + 1);
        if (rest.starts_with('\n')) return at + 2;
        if (rest.starts_with("\r\n")) return at + 3;
    }
    return std::string_view::npos;
}

tl::expected<HttpRequest, HttpFault> parse_http_request(std::string_view head) {
    HttpRequest request;
    const auto line = next_line(head);
    const auto first = line.find(' '), last = line.rfind(' ');
    if (first == std::string_view::npos || first == last) return fault(400, "this is no HTTP request");
    const auto method = line.substr(0, first), version = line.substr(last + 1);
    const auto target = line.substr(first + 1, last - first - 1);
    if (!is_token(method) || !version.starts_with("HTTP/") || !is_visible(target))
        return fault(400, "this is no HTTP request");
    if (!version.starts_with("HTTP/1.")) return fault(505, "HTTP/1.1 is spoken here");
    if (target.size() > longest_target) return fault(414, "the address is too long");
    request.method = method;
    const auto query = target.find('?');
    auto path = decoded(target.substr(0, query), false);
    if (!path || !path->starts_with('/') ||
        (query != std::string_view::npos && !read_query(target.substr(query + 1), request)))
        return fault(400, "the address is malformed");
    request.path = std::move(*path);
    while (!head.empty()) {
        const auto field = next_line(head);
        if (field.empty()) break;
        const auto colon = field.find(':');
        if (colon == std::string_view::npos || !is_token(field.substr(0, colon)))
            return fault(400, "a header field is malformed");
        if (request.fields.size() == most_fields) return fault(431, "too many headers");
        request.fields.emplace_back(base::lower(field.substr(0, colon)), base::trim(field.substr(colon + 1)));
    }
    return request;
}

}  // namespace postern::agent
