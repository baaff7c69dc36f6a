#include "sync/cluster/redis_url.h"

#include <array>

#include "sync/base/ip_address.h"
#include "sync/base/words.h"
#include "sync/primary/url.h"

namespace postern::sync {

namespace {

constexpr std::array<Scheme, 2> schemes{{{"rediss", 6379, true}, {"redis", 6379, false}}};

}  // namespace

tl::expected<RedisUrl, std::string> RedisUrl::parse(std::string_view text) {
    const auto wrong = [](const char* words) { return tl::make_unexpected(std::string(words)); };
    if (!text.starts_with("redis://") && !text.starts_with("rediss://"))
        return wrong("begins neither with redis:// nor with rediss://");
    if (text.find('@') != text.npos)
        return wrong("has a user or a password in it, which have settings of their own");
    const auto base = BaseUrl::parse(text, schemes);
    if (!base) return wrong("is not redis://HOST[:PORT][/DATABASE]");
    if (text.find('[') != text.npos && !base::is_ip_literal(base->host))
        return wrong("has something else than an IPv6 address in brackets");
    RedisUrl url{base->tls, base->host, static_cast<std::uint16_t>(base->port)};
    if (!base->prefix.empty() && !base::parse_number(std::string_view(base->prefix).substr(1), url.database))
        return wrong("has something else than the number of a database behind the host");
    return url;
}

}  // namespace postern::sync
