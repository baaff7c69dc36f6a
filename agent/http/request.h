// The head of an HTTP request (RFC 9112): what status and commands are asked. Pure: octets in, values out.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tl/expected.hpp>

namespace postern::agent {

/// How much of a request is read, its line and fields together.
inline constexpr std::size_t largest_request_head = 16 << 10;

struct HttpRequest {
    std::string method, path;                                 // path decoded, without the query
    std::multimap<std::string, std::string> parameters;       // of the query, decoded
    std::vector<std::pair<std::string, std::string>> fields;  // names in lower case

    std::size_t count(std::string_view field) const;
    std::string field(std::string_view name) const;  // the first one's value, "" without
};

struct HttpFault {
    int status = 400;
    std::string why;
};

/// Where the head ends, behind its empty line; npos when it does not yet.
std::size_t end_of_head(std::string_view octets);

/// `head` with or without its empty line. At most 64 fields.
tl::expected<HttpRequest, HttpFault> parse_http_request(std::string_view head);

}  // namespace postern::agent
