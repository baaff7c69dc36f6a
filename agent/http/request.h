// An HTTP request without its body (RFC 9112). Pure: octets in, values out.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tl/expected.hpp>

namespace postern::agent {

struct HttpRequest {
    std::string method, path;                                 // path decoded, without the query
    unsigned minor = 1;                                       // of the version, HTTP/1.1
    std::multimap<std::string, std::string> parameters;       // of the query, decoded
    std::vector<std::pair<std::string, std::string>> fields;  // names in lower case

    std::size_t count(std::string_view field) const;
    std::string field(std::string_view name) const;  // the first one's value, "" without
    /// Whether something is said about a body.
    bool has_body() const;
    /// Octets of the body that is announced, 0 where none is. nullopt where that is not said in one plain
    /// number: whoever guesses takes one request for two (RFC 9112 §6.3).
    std::optional<std::size_t> body() const;
};

struct HttpFault {
    int status = 400;
    std::string why;
};

/// "GET /path?a=b HTTP/1.1" without its line end.
tl::expected<HttpRequest, HttpFault> parse_request_line(std::string_view line);

/// "Name: value" without its line end: the name in lower case, and the value. nullopt when it is malformed,
/// or goes on from the line before.
std::optional<std::pair<std::string, std::string>> parse_field_line(std::string_view line);

}  // namespace postern::agent
