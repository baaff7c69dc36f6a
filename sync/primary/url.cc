#include "sync/primary/url.h"

#include <algorithm>
#include <charconv>

namespace postern::sync {

std::optional<BaseUrl> BaseUrl::parse(std::string_view url, std::span<const Scheme> schemes) {
    const auto colon = std::min(url.find("://"), url.size());
    const auto scheme = std::find_if(schemes.begin(), schemes.end(),
                                     [&](const Scheme& one) { return one.name == url.substr(0, colon); });
    if (colon == url.size() || scheme == schemes.end()) return std::nullopt;
    url.remove_prefix(colon + 3);
    BaseUrl base;
    base.tls = scheme->tls;
    const bool printable = std::all_of(url.begin(), url.end(), [](char c) { return c > ' ' && c < 0x7f; });
    if (!printable || url.size() > 1000 || url.find_first_of("?#@") != url.npos) return std::nullopt;
    const auto slash = std::min(url.find('/'), url.size());
    std::string_view authority = url.substr(0, slash);
    base.prefix = url.substr(slash);
    while (base.prefix.ends_with('/')) base.prefix.pop_back();
    if (!base.prefix.empty() && !scheme->path) return std::nullopt;
    std::string_view port;
    if (authority.starts_with('[')) {
        const auto end = authority.find(']');
        if (end == authority.npos) return std::nullopt;
        base.host = authority.substr(1, end - 1);
        port = authority.substr(end + 1);
    } else {
        const auto end = std::min(authority.find(':'), authority.size());
        base.host = authority.substr(0, end);
        port = authority.substr(end);
    }
    if (base.host.empty()) return std::nullopt;
    base.port = scheme->port;
    if (!port.empty()) {
        const auto [end, error] = std::from_chars(port.data() + 1, port.data() + port.size(), base.port);
        const bool whole = port.front() == ':' && error == std::errc() && end == port.data() + port.size();
        if (!whole || base.port < 1 || base.port > 65535) return std::nullopt;
    }
    return base;
}

}  // namespace postern::sync
