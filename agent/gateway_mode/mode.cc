#include "agent/gateway_mode/mode.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <algorithm>

#include "agent/gateway_mode/rest.h"
#include "agent/gateway_mode/soap.h"
#include "agent/machine/address_text.h"
#include "sync/base/ascii.h"
#include "sync/base/time_text.h"

namespace postern::agent {
namespace {

constexpr std::size_t longest_operation = 128;
constexpr std::string_view services = "/services/", suffix = ".asmx", api = "/api/v1/";
constexpr std::string_view plain_text = "text/plain; charset=utf-8";

/// The primary takes paths in any case, with doubled slashes and with one at the end; so do we.
std::string normal_path(std::string_view path) {
    std::string result;
    for (const char c : path)
        if (c != '/' || !result.ends_with('/')) result += c;
    if (result.size() > 1 && result.ends_with('/')) result.pop_back();
    return base::lower(result);
}

Answer xml(int status, soap::Version version, std::string body) {
    return {status, std::move(body), std::string(soap::media_type(version)), ""};
}

Answer json(int status, std::string body) { return {status, std::move(body), "application/json", ""}; }

Answer json_refusal(int status, std::string_view message) {
    return json(status, rest::refusal(status, message));
}

}  // namespace

Credentials::Credentials(std::string_view user, std::string_view password) {
    const auto octets = [](std::string_view text) {
        return reinterpret_cast<const unsigned char*>(text.data());
    };
    SHA256(octets(user), user.size(), digests_.data());
    SHA256(octets(password), password.size(), digests_.data() + SHA256_DIGEST_LENGTH);
}

bool operator==(const Credentials& a, const Credentials& b) {
    return CRYPTO_memcmp(a.digests_.data(), b.digests_.data(), a.digests_.size()) == 0;
}

GatewayMode::GatewayMode(std::string user, Credentials credentials, std::function<std::uint64_t()> messages,
                         std::function<void(const GatewayModeEvent&)> tell, const base::Clock& clock)
    : messages_(std::move(messages)),
      tell_(std::move(tell)),
      clock_(clock),
      user_(std::move(user)),
      credentials_(credentials) {}

void GatewayMode::reload(std::string user, const Credentials& credentials) {
    const std::lock_guard lock(mutex_);
    if (credentials == credentials_) return;
    user_ = std::move(user);
    credentials_ = credentials;
    sessions_.clear();
}

Answer GatewayMode::told(const GatewayModeRequest& request, std::string_view operation,
                         GatewayModeOutcome outcome, Answer answer) const {
    tell_({request.client, operation, outcome});
    return answer;
}

Answer GatewayMode::respond(const GatewayModeRequest& request) {
    const std::string path = normal_path(request.path);
    if (path.starts_with(services) && path.ends_with(suffix)) {
        const auto begin = path.size() - suffix.size();
        const auto name = path.substr(services.size(), begin - services.size());
        return soap(request, name);
    }
    if (path.starts_with(api)) return rest(request, path.substr(api.size()));
    return told(request, request.method + ' ' + request.path, GatewayModeOutcome::not_served,
                {404, "not served by this gateway\n", std::string(plain_text), ""});
}

GatewayMode::Login GatewayMode::login(const std::string& client, const Credentials& shown) {
    const auto now = clock_.now();
    const std::lock_guard lock(mutex_);
    if (throttle_.wait(client, now).count() > 0) return Login::too_often;
    if (shown == credentials_) {
        throttle_.succeeded(client);
        return Login::good;
    }
    throttle_.failed(client, now);
    return Login::refused;
}

Answer GatewayMode::soap(const GatewayModeRequest& request, const std::string& service) {
    const bool ours = service == "svcserveradmin";
    if (request.method != "POST") {
        const bool served = ours && request.description;
        const auto location = request.location + "/Services/svcServerAdmin.asmx";
        return told(request, request.method + ' ' + service + (request.description ? "?wsdl" : ""),
                    served ? GatewayModeOutcome::served : GatewayModeOutcome::not_served,
                    served ? Answer{200, soap::service_description(location),
                                    std::string(soap::media_type(soap::Version::v1_1)), ""}
                           : Answer{404, "not served by this gateway\n", std::string(plain_text), ""});
    }
    const auto call = soap::parse_call(request.body);
    if (!call)
        return told(request, service, GatewayModeOutcome::malformed,
                    xml(500, soap::Version::v1_1, soap::fault(soap::Version::v1_1, call.error())));
    const std::string operation = service + '.' + call->operation;
    const bool counts = call->operation == "GetSpoolMessageCount",
               states = call->operation == "RequestStatus";
    if (!ours || (!counts && !states))
        return told(request, operation, GatewayModeOutcome::not_served,
                    xml(500, call->version,
                        soap::fault(call->version, "The gateway does not serve the operation " + operation)));
    const Login login_result = login(request.client, Credentials(call->user, call->password));
    if (login_result != Login::good)
        return told(request, operation, GatewayModeOutcome::login_refused,
                    xml(200, call->version,
                        soap::failure(*call, login_result == Login::refused ? "Failed to log in."
                                                                            : "Too many login attempts.")));
    return told(request, operation, GatewayModeOutcome::served,
                xml(200, call->version,
                    counts ? soap::spool_message_count(call->version, messages_())
                           : soap::request_status(call->version, status(call->wanted))));
}

std::vector<std::pair<std::string, std::string>> GatewayMode::status(
    const std::vector<std::string>& wanted) const {
    const auto up = clock_.now() - started_;
    std::vector<std::pair<std::string, std::string>> all{
        {"SMTP_IsRunning", "True"},  // one thread takes mail
        {"SMTP_ThreadCount", "1"},
        {"IMAP_IsRunning", "False"},
        {"IMAP_ThreadCount", "0"},
        {"POP_IsRunning", "False"},
        {"POP_ThreadCount", "0"},
        {"Spool_IsRunning", "True"},
        {"Spool_MessageCount", std::to_string(messages_())},
        {"Server_Uptime", base::dotnet_span(std::chrono::floor<std::chrono::seconds>(up))}};
    if (wanted.empty()) return all;
    std::vector<std::pair<std::string, std::string>> result;
    for (const auto& name : wanted)
        for (const auto& pair : all)
            if (base::equal_ignoring_case(pair.first, name)) result.push_back(pair);
    return result;
}

Answer GatewayMode::rest(const GatewayModeRequest& request, const std::string& endpoint) {
    const std::string operation = request.method + ' ' + endpoint;
    if (operation == "POST auth/authenticate-user") return sign_in(request);
    if (operation == "POST auth/refresh-token") return renew(request);
    if (operation != "GET settings/sysadmin/spool-message-counts")
        return told(request, operation, GatewayModeOutcome::not_served,
                    json_refusal(404, "The gateway does not serve " + endpoint.substr(0, longest_operation)));
    bool valid = false;
    {
        const std::lock_guard lock(mutex_);
        valid = sessions_.valid(request.bearer, clock_.wall());
    }
    if (!valid)
        return told(request, operation, GatewayModeOutcome::login_refused,
                    json_refusal(401, "Token has expired"));
    return told(request, operation, GatewayModeOutcome::served,
                json(200, rest::spool_message_counts(messages_())));
}

Answer GatewayMode::sign_in(const GatewayModeRequest& request) {
    constexpr std::string_view operation = "POST auth/authenticate-user";
    const auto given = rest::parse_sign_in(request.body);
    if (!given)
        return told(request, operation, GatewayModeOutcome::malformed, json_refusal(400, given.error()));
    const Login login_result = login(request.client, Credentials(given->user, given->password));
    if (login_result != Login::good)
        return told(request, operation, GatewayModeOutcome::login_refused,
                    json_refusal(401, login_result == Login::refused ? "USERNAME_OR_PASSWORD_INCORRECT"
                                                                     : "Too many login attempts"));
    Answer answer;
    {
        const std::lock_guard lock(mutex_);
        answer.body = rest::signed_in(user_, sessions_.begin(clock_.wall()));
    }
    return told(request, operation, GatewayModeOutcome::served, std::move(answer));
}

Answer GatewayMode::renew(const GatewayModeRequest& request) {
    constexpr std::string_view operation = "POST auth/refresh-token";
    const auto token = rest::parse_refresh(request.body);
    if (!token)
        return told(request, operation, GatewayModeOutcome::malformed, json_refusal(400, token.error()));
    Answer answer;
    {
        const std::lock_guard lock(mutex_);
        if (const auto tokens = sessions_.renew(*token, clock_.wall()))
            answer.body = rest::refreshed(user_, *tokens);
    }
    if (answer.body.empty())
        return told(request, operation, GatewayModeOutcome::login_refused,
                    json_refusal(401, "Refresh token rejected"));
    return told(request, operation, GatewayModeOutcome::served, std::move(answer));
}

}  // namespace postern::agent
