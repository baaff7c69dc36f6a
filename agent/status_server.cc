#include "agent/status_server.h"

#include "agent/address_text.h"
#include "agent/http_server.h"
#include "agent/status_api.h"
#include "agent/token.h"

namespace postern::agent {
namespace {

constexpr std::size_t workers = 4, most_headers = 64, longest_target = 4096;

/// A name a browser was tricked into resolving to us shows in Host (DNS rebinding); ours are literals and
/// localhost.
bool is_our_host(const std::string& header) {
    const auto parsed = parse_host_port(header, std::uint16_t{80});
    return parsed && (is_loopback(parsed->host) || lower_case(parsed->host) == "localhost");
}

bool has_body(const httplib::Request& request) {
    if (request.has_header("Transfer-Encoding")) return true;
    if (!request.has_header("Content-Length")) return false;
    return request.get_header_value_count("Content-Length") > 1 ||
           request.get_header_value("Content-Length") != "0";
}

bool shows_token(const httplib::Request& request, const std::string& token) {
    const std::string header = request.get_header_value("Authorization");
    constexpr std::string_view scheme = "Bearer ";
    return header.starts_with(scheme) && same_token(std::string_view(header).substr(scheme.size()), token);
}

/// Everything is decided and answered here, before the library would read a body.
Answer answer(const Operations& operations, const std::string& token, const httplib::Request& request) {
    const auto& method = request.method;
    if (method != "GET" && method != "HEAD" && method != "POST" && method != "DELETE")
        return refusal(405, "methods are GET, HEAD, POST and DELETE");
    if (has_body(request)) return refusal(413, "requests have no body here: parameters go into the query");
    if (request.headers.size() > most_headers) return refusal(431, "too many headers");
    if (request.target.size() > longest_target) return refusal(414, "the address is too long");
    if (request.has_header("Range")) return refusal(416, "no ranges here");
    if (request.has_header("Host") &&
        (request.get_header_value_count("Host") > 1 || !is_our_host(request.get_header_value("Host"))))
        return refusal(421, "the Host header must be a loopback address or localhost");
    const bool authorised = shows_token(request, token);
    if (request.has_header("Authorization") && !authorised)
        return refusal(401, "the token is not the right one");
    try {
        return respond(operations,
                       {method, request.path, {request.params.begin(), request.params.end()}, authorised});
    } catch (const Stopping& stopping) {
        return refusal(503, stopping.what());
    }
}

}  // namespace

struct StatusServer::Impl {
    httplib::Server server;
    std::string token;
    Operations operations;
    std::uint16_t port = 0;
    HttpThread thread{server};
};

StatusServer::StatusServer(const relay::HostPort& address, std::string token, Operations operations)
    : impl_(std::make_unique<Impl>()) {
    auto& server = impl_->server;
    impl_->token = std::move(token);
    impl_->operations = std::move(operations);
    set_limits(server, workers);
    server.set_payload_max_length(0);
    server.set_expect_100_continue_handler([](const httplib::Request&, httplib::Response&) { return 417; });
    server.set_pre_routing_handler(
        [impl = impl_.get()](const httplib::Request& request, httplib::Response& response) {
            auto result = answer(impl->operations, impl->token, request);
            response.status = result.status;
            response.set_header("X-Content-Type-Options", "nosniff");
            response.set_header("Cache-Control", "no-store");
            if (result.status == 401) response.set_header("WWW-Authenticate", "Bearer");
            if (!result.allow.empty()) response.set_header("Allow", result.allow);
            response.set_content(result.body, result.type);
            return httplib::Server::HandlerResponse::Handled;
        });
    impl_->port = bind(server, address, "status.address");
}

StatusServer::~StatusServer() { stop(std::chrono::hours(1)); }

void StatusServer::start() { impl_->thread.start(); }

bool StatusServer::stop(std::chrono::milliseconds grace) { return impl_->thread.stop(grace); }

std::uint16_t StatusServer::port() const { return impl_->port; }

}  // namespace postern::agent
