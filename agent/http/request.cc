#include "agent/http/request.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "sync/base/ascii.h"
#include "sync/base/encoding.h"

namespace postern::agent {
namespace {

bool is_token(std::string_view text) {
    constexpr std::string_view marks = "!#$%&'*+-.^_`|~";
    return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
        return base::is_letter_or_digit(c) || marks.find(c) != std::string_view::npos;
    });
}

bool is_visible(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < '\x7f'; });
}

/// What a field's value may hold (RFC 9110 §5.5); octets beyond ASCII too.
bool is_value(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) {
        return c == '\t' || (static_cast<unsigned char>(c) >= ' ' && c != '\x7f');
    });
}

/// Percent-decoded; nullopt when an escape is none.
std::optional<std::string> decoded(std::string_view text, bool form) {
    if (!form) return base::percent_decoded(text);
    std::string spaced(text);
    std::replace(spaced.begin(), spaced.end(), '+', ' ');
    return base::percent_decoded(spaced);
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

bool HttpRequest::has_body() const {
    return count("transfer-encoding") > 0 || count("content-length") > 1 ||
           (count("content-length") == 1 && body() != 0u);
}

std::optional<std::size_t> HttpRequest::body() const {
    if (count("transfer-encoding") > 0 || count("content-length") > 1) return std::nullopt;
    if (count("content-length") == 0) return 0;
    const std::string text = field("content-length");
    std::size_t length = 0;
    if (!base::is_digits(text)) return std::nullopt;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), length);
    return error == std::errc() ? length : std::numeric_limits<std::size_t>::max();
}

tl::expected<HttpRequest, HttpFault> parse_request_line(std::string_view line) {
    HttpRequest request;
    const auto first = line.find(' '), last = line.rfind(' ');
    if (first == std::string_view::npos || first == last) return fault(400, "this is no HTTP request");
    const auto method = line.substr(0, first), target = line.substr(first + 1, last - first - 1);
    const auto version = line.substr(last + 1);
    constexpr std::string_view form = "HTTP/1.1";
    if (!is_token(method) || !is_visible(target) || version.size() != form.size() ||
        !version.starts_with("HTTP/") || !base::is_digit(version[5]) || version[6] != '.' ||
        !base::is_digit(version[7]))
        return fault(400, "this is no HTTP request");
    if (version[5] != '1') return fault(505, "HTTP/1.1 is spoken here");
    request.minor = static_cast<unsigned>(version[7] - '0');
    request.method = method;
    const auto query = target.find('?');
    auto path = decoded(target.substr(0, query), false);
    if (!path || !path->starts_with('/') ||
        (query != std::string_view::npos && !read_query(target.substr(query + 1), request)))
        return fault(400, "the address is malformed");
    request.path = std::move(*path);
    return request;
}

std::optional<std::pair<std::string, std::string>> parse_field_line(std::string_view line) {
    const auto colon = line.find(':');
    if (colon == std::string_view::npos || !is_token(line.substr(0, colon)) ||
        !is_value(line.substr(colon + 1)))
        return std::nullopt;
    return std::pair(base::lower(line.substr(0, colon)), std::string(base::trim(line.substr(colon + 1))));
}

}  // namespace postern::agent
