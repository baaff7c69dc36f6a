#include "agent/gateway_mode/server.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <set>

#include "agent/gateway_mode/stream.h"
#include "agent/http/answer.h"
#include "agent/http/server.h"
#include "agent/machine/address_text.h"
#include "relay/net/address_range.h"
#include "sync/base/ascii.h"
#include "sync/base/ip_address.h"
#include "sync/base/secret.h"

namespace postern::agent {
namespace {

constexpr std::size_t workers = 4, most_headers = 64, longest_target = 1024, largest_body = 64 << 10;

/// The peer's address; one of IPv4 that came over a socket of IPv6 is written as IPv4.
std::string peer_of(int socket) {
    base::SocketAddress peer;
    if (getpeername(socket, peer.get(), &peer.length) != 0) return {};
    const auto address = base::IpAddress::of(peer.storage);
    return address ? address->plain().text() : std::string();
}

bool is_body_type(const std::string& header) {
    const auto type = base::lower(header.substr(0, header.find_first_of("; ")));
    return type.empty() || type == "text/xml" || type == "application/soap+xml" || type == "application/json";
}

/// The length of the body that is announced; nullopt when it is not said in one plain number.
std::optional<std::size_t> announced(const httplib::Request& request) {
    if (request.has_header("Transfer-Encoding") || request.get_header_value_count("Content-Length") != 1)
        return std::nullopt;
    const std::string text = request.get_header_value("Content-Length");
    if (!base::is_digits(text)) return std::nullopt;
    return text.size() > 9 ? largest_body + 1 : std::stoul(text);
}

/// What is refused before the library would read a body: an HTTP status, or 0.
int refused(const httplib::Request& request) {
    const bool post = request.method == "POST";
    if (!post && request.method != "GET" && request.method != "HEAD") return 405;
    if (request.headers.size() > most_headers) return 431;
    if (request.target.size() > longest_target) return 414;
    if (request.has_header("Range")) return 416;
    if (request.has_header("Content-Encoding") || !is_body_type(request.get_header_value("Content-Type")))
        return 415;
    const bool none = !request.has_header("Transfer-Encoding") && !request.has_header("Content-Length");
    if (!post && none) return 0;
    const auto length = announced(request);
    if (!length) return 411;
    return *length > (post ? largest_body : 0) ? 413 : 0;
}

std::string bearer(const httplib::Request& request) {
    const std::string header = request.get_header_value("Authorization");
    constexpr std::string_view scheme = "bearer ";
    return base::equal_ignoring_case(header.substr(0, scheme.size()), scheme) ? header.substr(scheme.size())
                                                                              : std::string();
}

}  // namespace

tl::expected<GatewayModeTerms, std::string> gateway_mode_terms(const Settings& settings) {
    const auto password = base::Secret::read(settings.gateway_mode.password_file);
    if (!password) return tl::unexpected("status.gateway_mode_password_file: " + password.error().why);
    GatewayModeTerms terms;
    terms.user = settings.gateway_mode.user;
    terms.credentials = Credentials(terms.user, password->text());
    for (const auto& primary : settings.relay.primaries)
        terms.clients.insert(terms.clients.end(), primary.addresses.begin(), primary.addresses.end());
    try {
        terms.tls = relay::net::server_context(settings.relay.tls);
    } catch (const std::runtime_error& error) {
        return tl::make_unexpected(std::string("status.gateway_mode: ") + error.what());
    }
    return terms;
}

struct GatewayModeServer::Impl final : private httplib::Server {
    Impl(const relay::HostPort& address_, GatewayModeTerms given, std::function<std::uint64_t()> messages,
         std::function<void(const GatewayModeEvent&)> tell_)
        : address(address_),
          tell(std::move(tell_)),
          terms(std::make_shared<const GatewayModeTerms>(std::move(given))),
          mode(terms->user, terms->credentials, std::move(messages), tell) {
        set_limits(*this, workers);
        set_payload_max_length(largest_body);
        set_expect_100_continue_handler([this](const httplib::Request& request, httplib::Response& response) {
            return refuse(request, response) ? response.status : 100;
        });
        set_pre_routing_handler([this](const httplib::Request& request, httplib::Response& response) {
            return refuse(request, response) ? HandlerResponse::Handled : HandlerResponse::Unhandled;
        });
        const auto handler = [this](const httplib::Request& request, httplib::Response& response) {
            answer(request, response);
        };
        Get("/.*", handler);
        Post("/.*", handler);
        address.port = bind(*this, address, "status.gateway_mode");
    }

    std::shared_ptr<const GatewayModeTerms> current() {
        const std::lock_guard lock(mutex);
        return terms;
    }

    /// False when the server is stopping.
    bool enter(int socket) {
        const std::lock_guard lock(mutex);
        if (!stopping) active.insert(socket);
        return !stopping;
    }

    void leave(int socket) {
        const std::lock_guard lock(mutex);
        active.erase(socket);
        close(socket);
    }

    /// Called by a worker for each connection, in place of the library's own, which bounds neither the time
    /// nor the octets of a connection.
    bool process_and_close_socket(socket_t socket) override {
        try {
            if (enter(socket)) converse(socket);
        } catch (const std::exception&) {  // out of memory: this connection ends, no more
        }
        leave(socket);
        return true;
    }

    void converse(int socket) {
        const std::string client = peer_of(socket);
        const auto in_force = current();
        const bool known = std::any_of(in_force->clients.begin(), in_force->clients.end(),
                                       [&](const auto& network) { return relay::contains(network, client); });
        if (!known) return tell({client, "connect", GatewayModeOutcome::stranger});
        fcntl(socket, F_SETFL, fcntl(socket, F_GETFL) | O_NONBLOCK);
        GatewayModeStream stream(socket, client, {});
        if (in_force->tls && !stream.secure(*in_force->tls->native_handle()))
            return tell({client, "TLS handshake", GatewayModeOutcome::malformed});
        bool closed = false;
        process_request(stream, true, closed, nullptr);
        stream.finish();
    }

    bool refuse(const httplib::Request& request, httplib::Response& response) {
        const int status = refused(request);
        if (status == 0) return false;
        const std::string operation = (request.method + ' ' + request.path).substr(0, longest_target);
        tell({request.remote_addr, operation, GatewayModeOutcome::malformed});
        response.status = status;
        return true;
    }

    void answer(const httplib::Request& request, httplib::Response& response) {
        GatewayModeRequest asked{
            request.method == "HEAD" ? "GET" : request.method,
            request.path,
            request.params.size() == 1 && base::lower(request.params.begin()->first) == "wsdl",
            request.remote_addr,
            bearer(request),
            location(request),
            request.body};
        Answer result;
        try {
            result = mode.respond(asked);
        } catch (const Stopping& stopping_now) {
            result = refusal(503, stopping_now.what());
        }
        response.status = result.status;
        response.set_header("X-Content-Type-Options", "nosniff");
        response.set_header("Cache-Control", "no-store");
        if (result.status == 401) response.set_header("WWW-Authenticate", "Bearer");
        response.set_content(result.body, result.type);
    }

    /// As the client calls us, when what it says is a host with a port; else as we are bound.
    std::string location(const httplib::Request& request) {
        const bool tls = current()->tls != nullptr;
        const auto host = parse_host_port(request.get_header_value("Host"), tls ? 443 : 80);
        return (tls ? "https://" : "http://") + format_host_port(host ? *host : address);
    }

    relay::HostPort address;
    const std::function<void(const GatewayModeEvent&)> tell;
    std::mutex mutex;  // over the three below
    std::shared_ptr<const GatewayModeTerms> terms;
    std::set<int> active;
    bool stopping = false;
    GatewayMode mode;
    HttpThread thread{*this};
};

GatewayModeServer::GatewayModeServer(const relay::HostPort& address, GatewayModeTerms terms,
                                     std::function<std::uint64_t()> messages,
                                     std::function<void(const GatewayModeEvent&)> tell)
    : impl_(std::make_unique<Impl>(address, std::move(terms), std::move(messages), std::move(tell))) {}

GatewayModeServer::~GatewayModeServer() { stop(); }

void GatewayModeServer::start() { impl_->thread.start(); }

void GatewayModeServer::stop() {
    {
        const std::lock_guard lock(impl_->mutex);
        impl_->stopping = true;
        for (const int socket : impl_->active) shutdown(socket, SHUT_RDWR);
    }
    impl_->thread.stop(std::chrono::hours(1));
}

void GatewayModeServer::reload(GatewayModeTerms terms) {
    auto next = std::make_shared<const GatewayModeTerms>(std::move(terms));
    impl_->mode.reload(next->user, next->credentials);
    const std::lock_guard lock(impl_->mutex);
    impl_->terms = std::move(next);
}

std::uint16_t GatewayModeServer::port() const { return impl_->address.port; }

}  // namespace postern::agent
