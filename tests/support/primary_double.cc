#include "tests/support/primary_double.h"

#include <algorithm>
#include <cctype>
#include <ctime>
#include <random>
#include <stdexcept>
#include <utility>

#include "tests/support/primary_payload.h"
#include "tests/support/primary_recipients.h"

namespace postern::tests {

using namespace std::chrono_literals;
using SystemClock = std::chrono::system_clock;

namespace {

constexpr std::size_t remembered_requests = 20000;

std::string lower(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
    return text;
}

std::vector<std::string> split_path(const std::string& path) {
    std::vector<std::string> parts;
    std::string part;
    for (const char c : path + "/") {
        if (c != '/') {
            part += c;
        } else if (!part.empty()) {
            parts.push_back(std::exchange(part, {}));
        }
    }
    return parts;
}

std::string join(const std::vector<std::string>& parts, std::size_t from) {
    std::string path;
    for (std::size_t i = from; i < parts.size(); ++i) path += (path.empty() ? "" : "/") + parts[i];
    return path;
}

std::string http_time(SystemClock::time_point time) {
    const std::time_t seconds = SystemClock::to_time_t(time);
    char text[64];
    std::tm parts{};
    gmtime_r(&seconds, &parts);  // of threads that answer at once
    return {text, std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts)};
}

}  // namespace

PrimaryDouble::PrimaryDouble(Json world, int port, std::optional<Tls> tls) : tls_(tls.has_value()) {
    set_world(std::move(world));
    if (tls) {
        server_ = std::make_unique<httplib::SSLServer>(tls->certificate.c_str(), tls->private_key.c_str());
        if (!server_->is_valid()) throw std::runtime_error("certificate or key cannot be used");
    } else {
        server_ = std::make_unique<httplib::Server>();
    }
    const auto serve = [this](const httplib::Request& request, httplib::Response& response) {
        handle(request, response);
    };
    server_->Get("/[^]*", serve);
    server_->Post("/[^]*", serve);
    server_->set_keep_alive_max_count(1'000'000);
    server_->set_tcp_nodelay(true);
    server_->set_payload_max_length(64u << 20);
    port_ = port == 0                                  ? server_->bind_to_any_port("127.0.0.1")
            : server_->bind_to_port("127.0.0.1", port) ? port
                                                       : -1;
    if (port_ < 0) throw std::runtime_error("cannot bind 127.0.0.1");
    thread_ = std::thread([this] { server_->listen_after_bind(); });
    while (!server_->is_running()) std::this_thread::yield();
}

PrimaryDouble::~PrimaryDouble() {
    set_switches({{"delay_ms", 0}});
    server_->stop();
    thread_.join();
}

std::string PrimaryDouble::url() const {
    return (tls_ ? "https://127.0.0.1:" : "http://127.0.0.1:") + std::to_string(port_);
}

void PrimaryDouble::set_world(Json world) {
    const std::lock_guard lock(mutex_);
    world_ = std::move(world);
    if (world_.contains("switches")) switches_ = world_["switches"];
    if (!switches_.is_object()) switches_ = Json::object();
}

void PrimaryDouble::set_switches(const Json& changes) {
    const std::lock_guard lock(mutex_);
    switches_.update(changes);
}

void PrimaryDouble::restart() {
    const std::lock_guard lock(mutex_);
    access_.clear();
    refresh_.clear();
}

Json PrimaryDouble::requests() const {
    const std::lock_guard lock(mutex_);
    return {{"count", count_}, {"sign_ins", sign_ins_}, {"refreshes", refreshes_}, {"requests", log_}};
}

void PrimaryDouble::forget_requests() {
    const std::lock_guard lock(mutex_);
    count_ = sign_ins_ = refreshes_ = 0;
    log_ = Json::array();
}

SystemClock::time_point PrimaryDouble::now() const {
    return SystemClock::now() + std::chrono::seconds(switches_.value("clock_skew", 0));
}

bool PrimaryDouble::listed(const char* name, const std::string& path) const {
    const Json list = switches_.value(name, Json::array());
    if (list.is_boolean()) return list.get<bool>();
    return std::any_of(list.begin(), list.end(), [&](const Json& prefix) {
        return path.starts_with(lower(prefix.get<std::string>()));
    });
}

const Json* PrimaryDouble::find_domain(const std::string& name) const {
    if (!world_.contains("domains")) return nullptr;
    for (const Json& domain : world_["domains"])
        if (a_labels(domain.at("name")) == a_labels(name)) return &domain;
    return nullptr;
}

PrimaryDouble::Answer PrimaryDouble::success(Json payload) const {
    payload["success"] = true;
    if (switches_.value("envelope", "new") == "old") {
        payload["resultCode"] = 200;
        payload["message"] = nullptr;
        payload["debugInfo"] = nullptr;
    }
    for (const Json& key : switches_.value("missing_keys", Json::array()))
        payload.erase(key.get<std::string>());
    return {200, std::move(payload), {}};
}

PrimaryDouble::Answer PrimaryDouble::failure(const std::string& message, const char* status_switch) const {
    const int status = switches_.value(status_switch, switches_.value("failure_status", 400));
    Json body{{"success", false}, {"message", message}};
    if (switches_.value("envelope", "new") == "old") {
        body["resultCode"] = status == 200 ? 400 : status;
        body["debugInfo"] = nullptr;
    }
    return {status, std::move(body), {}};
}

PrimaryDouble::Answer PrimaryDouble::sysadmin(const Call& call) {
    const std::string& what = call.parts.at(2);
    const std::string subject = call.parts.size() > 3 ? call.parts[3] : "";
    if (what == "domains" || what == "domain-names")
        return success({{"data", what == "domains" ? payload::domains(world_, switches_)
                                                   : payload::domain_names(world_)}});
    if (what == "get-version") return success({{"version", "100.0.9504"}});
    if (what == "get-user") {
        const std::string email = call.body.value("email", "");
        const auto at = email.find('@');
        const Json* domain = at == std::string::npos ? nullptr : find_domain(email.substr(at + 1));
        if (domain == nullptr) return failure("Domain does not exist");
        const Json* user = payload::find_user(*domain, email.substr(0, at));
        return user == nullptr ? failure("User does not exist.")
                               : success({{"userData", payload::user(*user, domain->at("name"))}});
    }
    const Json* domain = find_domain(subject);
    if (domain == nullptr) return failure("Domain does not exist");
    if (what == "domain") return success({{"domainData", payload::domain_data(*domain)}});
    if (what == "domain-settings") return success({{"domainSettings", payload::domain_settings(*domain)}});
    if (what == "domain-admins")
        return success({{"domainAdmins", domain->value("admins", Json{"admin@" + subject})}});
    if (what == "list-users") return success({{"userData", payload::users(*domain)}});
    if (what == "list-usernames") return success({{"usernames", payload::user_names(*domain)}});
    if (what == "manage-domain" && call.method == "POST")
        return on("manage_context", true) ? impersonation(subject) : failure("PERMISSION_DENIED");
    return {404, {{"success", false}, {"message", "Not found"}}, {}};
}

PrimaryDouble::Answer PrimaryDouble::account_search(const Call& call, const Json& domain) {
    for (const char* key : {"searchFlags", "skip", "take", "sortField", "sortDescending"})
        if (!call.body.contains(key)) return failure("Invalid input parameters");
    if (!on("account_search", true)) return {404, {{"success", false}, {"message", "Not found"}}, {}};
    const Json all = payload::accounts(domain, call.body["searchFlags"], on("mixed_types", false));
    const auto skip = on("ignore_skip", false) ? 0 : call.body["skip"].get<std::size_t>();
    const auto take =
        std::min(call.body["take"].get<std::size_t>(), switches_.value("page_cap", std::size_t{100000}));
    Json results = Json::array();
    for (std::size_t i = skip; i < all.size() && results.size() < take; ++i) results.push_back(all[i]);
    return success({{"results", std::move(results)}});
}

PrimaryDouble::Answer PrimaryDouble::domain_call(const Call& call, const std::string& name) {
    const std::string& what = call.parts.at(2);
    if (what == "impersonate-user" && call.method == "POST") {
        const std::string email = call.parts.size() > 3 ? call.parts[3] : call.body.value("email", "");
        const auto at = email.find('@');
        if (!on("impersonate_context", true)) return failure("PERMISSION_DENIED");
        if (at == std::string::npos || find_domain(email.substr(at + 1)) == nullptr)
            return failure("User does not exist.");
        return impersonation(lower(email.substr(at + 1)));
    }
    const Json* domain = name.empty() ? nullptr : find_domain(name);
    if (domain == nullptr) return failure("The domain was not found.");
    if (what == "data") return success({{"domainData", payload::domain_data(*domain)}});
    if (what == "domain") return success({{"domainSettings", payload::domain_settings(*domain)}});
    if (what == "list-users") return success({{"userData", payload::users(*domain)}});
    if (what == "account-list-search" && call.method == "POST") return account_search(call, *domain);
    if (what == "aliases") return success({{"gridInfo", payload::aliases(*domain, switches_)}});
    if (what == "domain-aliases")
        return success({{"domainAliasData", payload::domain_aliases(*domain, switches_)}});
    if (what == "mailing-lists" && call.parts.size() > 3 && call.parts[3] == "list")
        return success({{"items", payload::lists(*domain)}});
    if (what == "shared-resources" && on("resources", true))
        return success({{"virtualFolders", payload::resources(*domain)}});
    if (what == "user-mail" || what == "user" || what == "get-user-mail" || what == "get-user") {
        const std::string email = call.parts.size() > 3 ? call.parts[3] : call.body.value("email", "");
        const Json* user = payload::find_user(*domain, email.substr(0, email.find('@')));
        if (user == nullptr) return failure("User does not exist.");
        if (what.ends_with("user-mail")) return success({{"userMailSettings", payload::user_mail(*user)}});
        return success({{"userData", payload::user(*user, domain->at("name"))}});
    }
    return {404, {{"success", false}, {"message", "Not found"}}, {}};
}

PrimaryDouble::Answer PrimaryDouble::answer(const Call& call) {
    if (call.path == "auth/authenticate-user" && call.method == "POST") return sign_in(call);
    if (call.path == "auth/authenticate-two-factor-code" && call.method == "POST") return second_factor(call);
    if (call.path == "auth/refresh-token" && call.method == "POST") return refresh(call);
    const auto token = token_of(call.bearer);
    if (!token)
        return on("bare_401", false)
                   ? Answer{401, {}, " ", "text/plain"}
                   : Answer{401, {{"success", false}, {"message", "Token has expired"}}, {}};
    if (token->step) return {403, {{"success", false}, {"message", "TWO_FACTOR_REQUIRED"}}, {}};
    if (call.path == "auth/logout-user") {
        drop_tokens(token->user, token->client_id);
        return success(Json::object());
    }
    if (call.parts.size() >= 3 && call.parts[0] == "settings" && call.parts[1] == "sysadmin") {
        if (!token->domain.empty() || on("not_admin", false))
            return {403, {{"success", false}, {"message", "Forbidden"}}, {}};
        return sysadmin(call);
    }
    if (call.parts.size() >= 3 && call.parts[0] == "settings" && call.parts[1] == "domain") {
        if (!token->domain.empty()) return domain_call(call, token->domain);
        const Json* named = on("header_context", true) ? find_domain(call.domain_header) : nullptr;
        if (named == nullptr) return domain_call(call, "");
        const std::string name = named->at("name");
        const bool literal = lower(name) == lower(call.domain_header);
        return domain_call(call, literal || on("header_a_labels", true) ? name : "");
    }
    return {404, {{"success", false}, {"message", "Not found"}}, {}};
}

PrimaryDouble::Answer PrimaryDouble::answer_soap(const soap::Request& request, const std::string& remote) {
    int& failed = failed_logins_[remote];
    if (const int limit = switches_.value("ids_after", 0); limit > 0 && failed >= limit)
        return {401, {}, "Too many login attempts", "text/plain"};
    const soap::Answer answer = soap::answer(request, world_, switches_);
    failed += answer.login_failed ? 1 : 0;
    return {answer.status, {}, answer.text.empty() ? " " : answer.text, answer.type};
}

void PrimaryDouble::control(const httplib::Request& request, httplib::Response& response) {
    const Json body = Json::parse(request.body, nullptr, false);
    const std::string what = request.path.substr(request.path.rfind('/') + 1);
    response.set_content("{}", "application/json");
    if (request.method == "GET" && what == "requests") {
        response.set_content(requests().dump(), "application/json");
    } else if (request.method == "POST" && what == "forget") {
        forget_requests();
    } else if (request.method == "POST" && what == "restart") {
        restart();
    } else if (request.method == "POST" && what == "world" && body.is_object()) {
        set_world(body);
    } else if (request.method == "POST" && what == "switches" && body.is_object()) {
        set_switches(body);
    } else {
        response.status = 400;
    }
}

void PrimaryDouble::handle(const httplib::Request& request, httplib::Response& response) {
    if (request.path.starts_with("/__control/")) return control(request, response);
    std::vector<std::string> parts = split_path(lower(request.path));
    std::unique_lock lock(mutex_);
    ++count_;
    const auto api = std::search_n(parts.begin(), parts.end(), 1, "api");
    const soap::Request older{request.method,
                              parts,
                              request.has_param("wsdl"),
                              request.get_header_value("Content-Type"),
                              request.get_header_value("SOAPAction"),
                              request.body};
    const std::string operation = on("soap", false) ? soap::target(older) : "";
    const bool ours = on("rest", true) && parts.end() - api >= 3 && api[1] == "v1";
    Call call{request.method,     {}, {}, Json::object(), {}, request.get_header_value("X-SmarterMailDomain"),
              request.remote_addr};
    if (ours) call.parts.assign(api + 2, parts.end());
    call.path = operation.empty() ? join(call.parts, 0) : operation;
    if (const std::string field = request.get_header_value("Authorization"); field.starts_with("Bearer "))
        call.bearer = field.substr(7);
    bool readable = true;
    if (!request.body.empty() && operation.empty()) {
        const std::string type = request.get_header_value("Content-Type");
        if (type.starts_with("application/json")) {
            Json body = Json::parse(request.body, nullptr, false);
            readable = body.is_object() || (body.is_array() && body.empty());
            if (body.is_object()) call.body = std::move(body);
        } else if (on("form_bodies", false) && type.starts_with("application/x-www-form-urlencoded")) {
            for (const auto& [name, value] : request.params) call.body[name] = value;
        } else {
            readable = false;
        }
    }

    Answer reply;
    try {
        const Json canned = switches_.value("canned", Json::object());
        const auto raw = std::find_if(canned.items().begin(), canned.items().end(), [&](const auto& item) {
            return call.path.starts_with(lower(item.key()));
        });
        if (on("starting", false)) {
            reply = {503, {}, "<html><body>Service starting</body></html>", "text/html"};
        } else if (!ours && operation.empty()) {
            reply = {404, {}, "<html><body>Not found</body></html>", "text/html"};
        } else if (raw != canned.items().end()) {
            reply = {raw.value().value("status", 200),
                     {},
                     raw.value().value("body", ""),
                     raw.value().value("type", "application/json")};
            const Json fields = raw.value().value("headers", Json::object());
            for (const auto& field : fields.items())
                response.set_header(field.key(), field.value().get<std::string>());
        } else if (listed("html", call.path)) {
            reply = {
                switches_.value("html_status", 200), {}, "<html><body>Welcome</body></html>", "text/html"};
        } else {
            reply = !operation.empty() ? answer_soap(older, call.remote)
                    : readable         ? answer(call)
                                       : failure("Invalid input parameters");
        }
    } catch (const std::exception& error) {
        reply = {500, {{"success", false}, {"message", error.what()}}, {}};
    }

    if (log_.size() < remembered_requests)
        log_.push_back({{"method", call.method},
                        {"path", call.path},
                        {"status", reply.status},
                        {"domain", call.domain_header},
                        {"client_id", call.body.value("clientId", "")}});
    if (const int seconds = switches_.value("retry_after", 0);
        seconds > 0 && (reply.status == 503 || reply.status == 429))
        response.set_header("Retry-After", std::to_string(seconds));
    response.set_header("Date", http_time(now()));
    response.status = reply.status;
    std::string body = reply.text.empty() ? reply.body.dump() : reply.text;
    if (listed("cut", call.path)) body.resize(body.size() / 2);
    const bool truncate = listed("truncate", call.path);
    const bool delayed = listed("delay", call.path) || !switches_.contains("delay");
    lock.unlock();

    const auto wait_until = std::chrono::steady_clock::now();
    for (;;) {  // short looks, so that clearing the switch (or destruction) ends the wait
        lock.lock();
        const auto delay = std::chrono::milliseconds(delayed ? switches_.value("delay_ms", 0) : 0);
        lock.unlock();
        if (std::chrono::steady_clock::now() >= wait_until + delay) break;
        std::this_thread::sleep_for(5ms);
    }
    if (!truncate) return response.set_content(body, reply.type);
    response.set_content_provider(body.size(), reply.type,
                                  [body](std::size_t offset, std::size_t, httplib::DataSink& sink) {
                                      if (offset > 0) return false;
                                      sink.write(body.data(), body.size() / 2);
                                      return true;
                                  });
}

}  // namespace postern::tests
