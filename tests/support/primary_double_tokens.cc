// How the double lets users in: tokens, their renewal, the second factor.
#include <algorithm>
#include <cctype>
#include <ctime>
#include <utility>

#include "tests/support/primary_double.h"
#include "tests/support/primary_payload.h"
#include "tests/support/primary_recipients.h"

namespace postern::tests {

using namespace std::chrono_literals;
using SystemClock = std::chrono::system_clock;

namespace {

std::string lower(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
    return text;
}

std::string base64url(const std::string& bytes) {
    static constexpr char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    std::string text;
    unsigned value = 0;
    int bits = -6;
    for (const char c : bytes) {
        value = (value << 8) + static_cast<unsigned char>(c);
        for (bits += 8; bits >= 0; bits -= 6) text += digits[(value >> bits) & 63];
    }
    if (bits > -6) text += digits[((value << 8) >> (bits + 8)) & 63];
    return text;
}

std::string iso_time(SystemClock::time_point time) {  // 7 decimals and Z, as the primary writes it
    const auto ticks = std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count();
    const auto seconds = static_cast<std::time_t>(ticks / 1'000'000);
    char text[64];
    std::tm parts{};
    gmtime_r(&seconds, &parts);  // of threads that answer at once
    const std::size_t length = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
    const std::string fraction = std::to_string(ticks % 1'000'000);
    return std::string(text, length) + "." + std::string(6 - fraction.size(), '0') + fraction + "2Z";
}

}  // namespace

void PrimaryDouble::drop_tokens(const std::string& user, const std::string& client_id) {
    const auto same = [&](const auto& entry) {
        return entry.second.user == user && entry.second.client_id == client_id;
    };
    std::erase_if(access_, same);
    std::erase_if(refresh_, same);
}

void PrimaryDouble::issue(Json& reply, const std::string& prefix, const Token& token) {
    static thread_local std::mt19937_64 random{std::random_device{}()};
    const auto key = [&](std::string name) {
        if (!prefix.empty()) name[0] = static_cast<char>(std::toupper(name[0]));
        return prefix + name;
    };
    const std::string number = std::to_string(++serial_);
    const std::string role = token.domain.empty() ? "SysAdmin" : "DomainAdmin";
    const std::string claims = Json{{"sub", token.user}, {"role", role}, {"jti", number}}.dump();
    const std::string access = base64url(R"({"alg":"HS256","typ":"JWT"})") + "." + base64url(claims) + "." +
                               std::to_string(random());
    access_[access] = token;
    reply[key("accessToken")] = access;
    reply[key("accessTokenExpiration")] = iso_time(token.expires);
    if (token.step) {
        reply[key("refreshToken")] = "";
        return;
    }
    const std::string again = "r" + number + "-" + std::to_string(random());
    refresh_[again] = token;
    reply[key("refreshToken")] = again;
}

std::optional<PrimaryDouble::Token> PrimaryDouble::token_of(const std::string& bearer) const {
    const auto found = access_.find(bearer);
    if (found == access_.end() || found->second.expires <= now()) return std::nullopt;
    return found->second;
}

PrimaryDouble::Answer PrimaryDouble::sign_in(const Call& call) {
    ++sign_ins_;
    const std::string user = call.body.value("username", ""), password = call.body.value("password", "");
    const std::string client_id = call.body.value("clientId", "");
    int& failed = failed_logins_[call.remote];
    if (const int limit = switches_.value("ids_after", 0); limit > 0 && failed >= limit)
        return {401, {}, "Too many login attempts", "text/plain"};
    if (user.empty() || password.empty())
        return failure("Username or password is empty", "auth_failure_status");
    const Json admin = world_.value("admin", Json::object());
    if (lower(user) != lower(admin.value("user", "gateway"))) {
        ++failed;
        return failure("USER_NOT_FOUND", "auth_failure_status");
    }
    if (password != admin.value("password", "secret")) {
        ++failed;
        return failure("USERNAME_OR_PASSWORD_INCORRECT", "auth_failure_status");
    }
    if (const std::string message = switches_.value("sign_in_refusal", ""); !message.empty())
        return failure(message, "auth_failure_status");
    const std::string two_factor = switches_.value("two_factor", "off");
    const std::string asks = "TWO_FACTOR_REQUIRED|rfc6238|" + user;
    if (two_factor == "old" && call.body.value("twoFactorCode", "").empty())
        return {401, {{"success", false}, {"message", asks}}, {}};

    drop_tokens(user, client_id);
    Json reply{{"emailAddress", ""},
               {"changePasswordNeeded", on("password_change", false)},
               {"isAdmin", !on("not_admin", false)},
               {"isDomainAdmin", on("not_admin", false)},
               {"isLicensed", true},
               {"isImpersonating", false},
               {"canViewPasswords", false},
               {"username", user + "@"}};
    if (on("password_expired", false)) reply["passwordExpired"] = true;
    const bool step = two_factor == "new";
    const auto life = step ? 600s : std::chrono::seconds(switches_.value("token_life", 900));
    issue(reply, "", {user, client_id, "", now() + life, step});
    Answer answer = success(std::move(reply));
    if (step) answer.body["message"] = asks;
    return answer;
}

PrimaryDouble::Answer PrimaryDouble::second_factor(const Call& call) {
    const auto token = token_of(call.bearer);
    if (!token || !token->step) return failure("INVALID_TWO_FACTOR_CODE", "auth_failure_status");
    access_.erase(call.bearer);
    if (call.body.value("twoFactorCode", "") != world_["admin"].value("two_factor_code", "123456"))
        return failure("INVALID_TWO_FACTOR_CODE", "auth_failure_status");
    Json reply{{"isAdmin", true}, {"username", token->user + "@"}};
    issue(reply, "",
          {token->user, token->client_id, "",
           now() + std::chrono::seconds(switches_.value("token_life", 900))});
    return success(std::move(reply));
}

PrimaryDouble::Answer PrimaryDouble::refresh(const Call& call) {
    ++refreshes_;
    const auto found = refresh_.find(call.body.value("token", ""));
    if (found == refresh_.end() || on("refuse_refresh", false))
        return failure("Refresh token rejected", "auth_failure_status");
    Token token = found->second;  // the client is the one the token names, whatever the body says
    drop_tokens(token.user, token.client_id);
    token.expires = now() + std::chrono::seconds(switches_.value("token_life", 900));
    Json reply{{"isImpersonating", false}, {"canViewPasswords", false}, {"username", token.user + "@"}};
    issue(reply, "", token);
    return success(std::move(reply));
}

PrimaryDouble::Answer PrimaryDouble::impersonation(const std::string& domain) {
    Json reply{{"username", "admin"}, {"email", "admin@" + domain}};  // never a `false` in this reply
    issue(reply, "impersonate",
          {"admin@" + domain, "impersonated", domain,
           now() + std::chrono::seconds(switches_.value("token_life", 900))});
    return success(std::move(reply));
}

}  // namespace postern::tests
