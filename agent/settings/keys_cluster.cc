#include "agent/settings/keys_cluster.h"

#include <string>

#include "agent/machine/address_text.h"
#include "agent/settings/key_types.h"
#include "sync/cluster/redis_url.h"

namespace postern::agent {
namespace {

std::string set_url(Settings& settings, const Value& value) {
    const auto& text = std::get<std::string>(value);
    settings.cluster.redis.url = text;
    if (text.empty()) return {};
    const auto url = sync::RedisUrl::parse(text);
    return url ? std::string() : url.error();
}

/// Empty, or as names of things are.
std::string set_name(Settings& settings, const Value& value) {
    if (std::get<std::string>(value).empty()) return {};
    return key::name(
               "name", "", [](Settings& s) -> auto& { return s.cluster.name; }, "")
        .set(settings, value);
}

}  // namespace

Section cluster_section() {
    return {
        .name = "cluster",
        .help =
            "Several gateways for the same primaries: they share limits, what is usual for whom, what is "
            "known "
            "of addresses and what operators set, and one of them polls.",
        .keys = {Key{"url", "redis:// or rediss:// URL", std::string(),
                     "the Redis or Valkey that all of them use, as \"rediss://redis.example.com:6379/0\"; "
                     "empty: there is "
                     "no other gateway",
                     set_url}
                     .at_start(),
                 Key{"name", "name", std::string(), "of this gateway among them; empty: hostname", set_name}
                     .at_start(),
                 key::name(
                     "prefix", "postern", [](Settings& s) -> auto& { return s.cluster.prefix; },
                     "of all keys there: the same for all of them, another for other sites")
                     .at_start(),
                 key::text(
                     "username", "", [](Settings& s) -> auto& { return s.cluster.redis.username; },
                     "there; empty: the default user")
                     .at_start(),
                 key::path(
                     "password_file", "", [](Settings& s) -> auto& { return s.cluster.redis.password_file; },
                     "holds the password there and nothing else; read at each connection")
                     .at_start(),
                 key::path(
                     "ca_file", "", [](Settings& s) -> auto& { return s.cluster.redis.ca_file; },
                     "PEM of whom its certificate is trusted for; empty: the system's")
                     .at_start(),
                 key::boolean(
                     "verify_tls", true, [](Settings& s) -> auto& { return s.cluster.redis.verify_tls; },
                     "false: whoever answers is believed")
                     .at_start(),
                 key::boolean(
                     "plain", false, [](Settings& s) -> auto& { return s.cluster_plain; },
                     "true: redis:// may leave the machine, where anybody on the way can read and change "
                     "what is shared")
                     .at_start()}};
}

void check_cluster(ParsedConfiguration& parsed) {
    const auto& cluster = parsed.settings.cluster;
    if (!cluster.on()) {
        const auto of_no_use = [&](const char* key, bool given) {
            if (given) parsed.fault(key, "is of no use without cluster.url");
        };
        of_no_use("cluster.name", !cluster.name.empty());
        of_no_use("cluster.username", !cluster.redis.username.empty());
        of_no_use("cluster.password_file", !cluster.redis.password_file.empty());
        of_no_use("cluster.ca_file", !cluster.redis.ca_file.empty());
        return;
    }
    if (!cluster.redis.username.empty() && cluster.redis.password_file.empty())
        parsed.fault("cluster.username", "needs cluster.password_file");
    const auto url = sync::RedisUrl::parse(cluster.redis.url);
    if (!url || url->tls || parsed.settings.cluster_plain) return;
    if (!is_loopback(url->host) && url->host != "localhost")
        parsed.fault("cluster.url",
                     "would share who writes to whom unencrypted: write rediss://, or set cluster.plain "
                     "= true where the network is closed");
}

}  // namespace postern::agent
