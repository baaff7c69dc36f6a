#include "agent/gateway_mode/sessions.h"

#include <algorithm>
#include <iterator>

#include "agent/http/token.h"
#include "sync/base/encoding.h"
#include "sync/base/random.h"

namespace postern::agent {
namespace {

constexpr unsigned free_failures = 3;
constexpr std::chrono::seconds longest_wait{30};
constexpr std::chrono::minutes forgotten{10};

std::string secret() { return base::base64url(base::random_octets(32)); }

/// The first two parts are for clients that read the role and the end from them; the third is the secret.
std::string access_token(Sessions::Time ends) {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(ends.time_since_epoch()).count();
    return base::base64url(R"({"alg":"HS256","typ":"JWT"})") + '.' +
           base::base64url(R"({"role":"SysAdmin","exp":)" + std::to_string(seconds) + '}') + '.' + secret();
}

}  // namespace

Tokens Sessions::begin(Time now) {
    std::erase_if(sessions_, [now](const Tokens& tokens) { return tokens.refresh_ends <= now; });
    if (sessions_.size() == most) sessions_.pop_front();
    const Time ends = now + access_life;
    sessions_.push_back({access_token(ends), secret(), ends, now + refresh_life});
    return sessions_.back();
}

bool Sessions::valid(std::string_view access, Time now) const {
    bool found = false;  // every one is compared, so that time tells nothing
    for (const auto& tokens : sessions_)
        if (same_token(tokens.access, access)) found = tokens.access_ends > now;
    return found;
}

std::optional<Tokens> Sessions::renew(std::string_view refresh, Time now) {
    auto found = sessions_.end();
    for (auto tokens = sessions_.begin(); tokens != sessions_.end(); ++tokens)
        if (same_token(tokens->refresh, refresh)) found = tokens;
    if (found == sessions_.end() || found->refresh_ends <= now) return std::nullopt;
    sessions_.erase(found);
    return begin(now);
}

std::chrono::seconds LoginThrottle::wait(const std::string& client, Time now) const {
    const auto found = clients_.find(client);
    if (found == clients_.end() || found->second.until <= now) return std::chrono::seconds(0);
    return std::chrono::ceil<std::chrono::seconds>(found->second.until - now);
}

void LoginThrottle::failed(const std::string& client, Time now) {
    if (clients_.size() >= most_clients && !clients_.contains(client))
        clients_.erase(std::min_element(clients_.begin(), clients_.end(), [](const auto& a, const auto& b) {
            return a.second.last < b.second.last;
        }));
    Record& record = clients_[client];
    if (now - record.last > forgotten) record.failures = 0;
    record.failures += 1;
    record.last = record.until = now;
    if (record.failures <= free_failures) return;
    const unsigned doublings = std::min(record.failures - free_failures - 1, 5u);
    record.until += std::min(std::chrono::seconds(1u << doublings), longest_wait);
}

}  // namespace postern::agent
