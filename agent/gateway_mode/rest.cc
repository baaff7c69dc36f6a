#include "agent/gateway_mode/rest.h"

#include <array>
#include <nlohmann/json.hpp>
#include <optional>

#include "agent/http/answer.h"
#include "sync/base/json.h"
#include "sync/base/time_text.h"

namespace postern::agent::rest {
namespace {

using nlohmann::json;

constexpr std::size_t longest_credential = 200, longest_token = 1000;

constexpr std::array keys = std::to_array<std::string_view>({"username", "password", "token"});
constexpr base::JsonLimits limits{8, 100};  // whoever asks has not signed in yet

/// An object that is not larger than any request of ours needs to be.
tl::expected<base::Json, std::string> parse_object(std::string_view body) {
    auto parsed = base::Json::parse(body, keys, limits);
    if (!parsed || !parsed->root().is_object())
        return tl::unexpected<std::string>("Invalid input parameters");
    return std::move(*parsed);
}

std::optional<std::string> text(const base::Json& object, const char* key, std::size_t longest) {
    const std::string_view value = object.root().member(key).text();
    if (value.empty() || value.size() > longest) return std::nullopt;
    return std::string(value);
}

json tokens_reply(std::string_view user, const Tokens& tokens) {
    return {{"isImpersonating", false},
            {"canViewPasswords", false},
            {"accessToken", tokens.access},
            {"refreshToken", tokens.refresh},
            {"accessTokenExpiration", base::dotnet_time(tokens.access_ends)},
            {"refreshTokenExpiration", base::dotnet_time(tokens.refresh_ends)},
            {"username", std::string(user) + '@'},
            {"success", true},
            {"resultCode", 200},
            {"message", ""}};
}

}  // namespace

tl::expected<SignIn, std::string> parse_sign_in(std::string_view body) {
    const auto object = parse_object(body);
    if (!object) return tl::unexpected(object.error());
    auto user = text(*object, "username", longest_credential);
    auto password = text(*object, "password", longest_credential);
    if (!user || !password) return tl::unexpected<std::string>("Username or password is empty");
    return SignIn{std::move(*user), std::move(*password)};
}

tl::expected<std::string, std::string> parse_refresh(std::string_view body) {
    const auto object = parse_object(body);
    if (!object) return tl::unexpected(object.error());
    auto token = text(*object, "token", longest_token);
    if (!token) return tl::unexpected<std::string>("Invalid input parameters");
    return std::move(*token);
}

std::string signed_in(std::string_view user, const Tokens& tokens) {
    json reply = tokens_reply(user, tokens);
    reply.update({{"emailAddress", ""},
                  {"changePasswordNeeded", false},
                  {"passwordExpired", false},
                  {"displayWelcomeWizard", false},
                  {"isAdmin", true},
                  {"isDomainAdmin", false},
                  {"isLicensed", true},
                  {"autoLoginToken", ""},
                  {"autoLoginUrl", ""},
                  {"localeId", ""},
                  {"role", "SysAdmin"}});
    return dump(reply);
}

std::string refreshed(std::string_view user, const Tokens& tokens) {
    return dump(tokens_reply(user, tokens));
}

std::string spool_message_counts(std::uint64_t messages) {
    return dump({{"counts",
                  {{"default", messages},
                   {"waiting", 0},
                   {"virus", 0},
                   {"spam", 0},
                   {"throttledUsers", 0},
                   {"throttledMailingLists", 0},
                   {"throttledDomains", 0}}},
                 {"success", true},
                 {"resultCode", 200},
                 {"message", ""}});
}

std::string refusal(int status, std::string_view message) {
    return dump({{"success", false}, {"resultCode", status}, {"message", message}});
}

}  // namespace postern::agent::rest
