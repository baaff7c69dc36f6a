#include "relay/mail/mime.h"

#include <algorithm>

#include "relay/mail/address.h"
#include "sync/base/ascii.h"

namespace postern::relay {

namespace {

constexpr std::string_view crlf = "\r\n";

bool is_space(char c) { return c == ' ' || c == '\t'; }

/// The line at `at`, its CRLF included.
std::string_view line_at(std::string_view text, std::size_t at) {
    std::size_t end = text.find(crlf, at);
    return text.substr(at, end == std::string_view::npos ? end : end + 2 - at);
}

bool is_token(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
        return c > ' ' && c < '\x7f' &&
               std::string_view("()<>@,;:\\\"/[]?=").find(c) == std::string_view::npos;
    });
}

/// Takes a token or a quoted string off, unquoted; "" when there is neither.
std::string take_value(std::string_view& text) {
    std::string out;
    if (!text.starts_with('"')) {
        std::size_t end = std::min(text.find_first_of("; \t"), text.size());
        out = text.substr(0, end);
        text.remove_prefix(end);
        return out;
    }
    std::size_t at = 1;
    for (; at < text.size() && text[at] != '"'; ++at) {
        if (text[at] == '\\' && at + 1 < text.size()) ++at;
        out += text[at];
    }
    if (at >= text.size()) return {};
    text.remove_prefix(at + 1);
    return out;
}

bool is_delimiter(std::string_view line, std::string_view boundary, bool& closing) {
    if (!line.starts_with("--") || !line.substr(2).starts_with(boundary)) return false;
    line.remove_prefix(2 + boundary.size());
    if (line.ends_with(crlf)) line.remove_suffix(2);
    line = base::trim(line);
    closing = line == "--";
    return line.empty() || closing;
}

}  // namespace

Entity split_entity(std::string_view text) {
    if (text.starts_with(crlf)) return {text.substr(0, 0), text.substr(2)};
    std::size_t end = text.find("\r\n\r\n");
    if (end == std::string_view::npos) return {text, text.substr(text.size())};
    return {text.substr(0, end + 2), text.substr(end + 4)};
}

std::string Field::value() const {
    std::string out;
    std::string_view rest = text;
    rest.remove_prefix(std::min(rest.find(':'), rest.size() - 1) + 1);
    for (char c : rest)
        if (c != '\r' && c != '\n') out += c;
    return std::string(base::trim(out));
}

std::vector<Field> fields_of(std::string_view header) {
    std::vector<Field> out;
    for (std::size_t at = 0; at < header.size();) {
        std::size_t begin = at;
        std::string_view first = line_at(header, at);
        at += first.size();
        while (at < header.size() && is_space(header[at])) at += line_at(header, at).size();
        std::size_t colon = first.find(':');
        if (colon == std::string_view::npos) continue;
        std::string_view name = base::trim(first.substr(0, colon));
        if (is_token(name)) out.push_back({base::lower(name), header.substr(begin, at - begin)});
    }
    return out;
}

std::optional<MediaType> parse_media_type(std::string_view value) {
    std::size_t end = std::min(value.find(';'), value.size());
    std::string_view name = base::trim(value.substr(0, end));
    std::size_t slash = name.find('/');
    if (slash == std::string_view::npos || !is_token(name.substr(0, slash)) ||
        !is_token(name.substr(slash + 1)))
        return std::nullopt;
    MediaType out{base::lower(name.substr(0, slash)), base::lower(name.substr(slash + 1)), {}};
    value.remove_prefix(end);
    while (!value.empty()) {
        value.remove_prefix(1);  // ';', or what stands where one should
        value = base::trim(value);
        std::size_t equals = value.find_first_of("=;");
        if (equals == std::string_view::npos) break;
        std::string attribute = base::lower(base::trim(value.substr(0, equals)));
        if (value[equals] == ';') {
            value.remove_prefix(equals);
            continue;
        }
        value = base::trim(value.substr(equals + 1));
        std::string text = take_value(value);
        if (attribute == "boundary" && out.boundary.empty()) out.boundary = std::move(text);
        value.remove_prefix(std::min(value.find(';'), value.size()));
    }
    return out;
}

std::optional<std::vector<MultipartSegment>> split_multipart(std::string_view body, std::string_view boundary,
                                                             std::size_t parts_max) {
    std::vector<MultipartSegment> out;
    std::size_t begin = 0, parts = 0;  // where the segment in hand begins
    bool inside = false, closed = false;
    for (std::size_t at = 0; at < body.size() && !closed;) {
        std::string_view line = line_at(body, at);
        std::size_t next = at + line.size();
        bool closing = false;
        if (is_delimiter(line, boundary, closing)) {
            // The line end in front of a delimiter belongs to it, unless that is the end of the one before.
            std::size_t end = inside && at >= begin + 2 ? at - 2 : at;
            if (inside) {
                if (++parts > parts_max) return std::nullopt;
                out.push_back({body.substr(begin, end - begin), true});
                begin = end;
            }
            out.push_back({body.substr(begin, next - begin), false});
            begin = next;
            inside = !closing;
            closed = closing;
        }
        at = next;
    }
    if (out.empty()) return std::nullopt;
    if (inside && ++parts > parts_max) return std::nullopt;
    out.push_back({body.substr(begin), inside});
    return out;
}

}  // namespace postern::relay
