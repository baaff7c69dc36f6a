#include "agent/gateway_mode/server.h"

#include <mutex>
#include <optional>
#include <stdexcept>

#include "agent/http/answer.h"
#include "agent/http/door.h"
#include "agent/http/token.h"
#include "agent/machine/address_text.h"
#include "relay/net/address_range.h"
#include "sync/base/ascii.h"
#include "sync/base/secret.h"

namespace postern::agent {
namespace {

constexpr std::size_t longest_target = 1024, largest_body = 64 << 10;

bool is_body_type(const std::string& header) {
    const auto type = base::lower(header.substr(0, header.find_first_of("; ")));
    return type.empty() || type == "text/xml" || type == "application/soap+xml" || type == "application/json";
}

/// What is refused before a body is read.
std::optional<Answer> refused(const HttpRequest& request) {
    const bool post = request.method == "POST";
    if (!post && request.method != "GET" && request.method != "HEAD") {
        Answer answer = refusal(405, "methods are GET, HEAD and POST");
        answer.allow = "GET, HEAD, POST";
        return answer;
    }
    const std::string expected = request.field("expect");
    if (!expected.empty() && !base::equal_ignoring_case(expected, "100-continue"))
        return refusal(417, "nothing but 100-continue can be expected here");
    if (request.count("range") > 0) return refusal(416, "no ranges here");
    if (request.count("content-encoding") > 0 || !is_body_type(request.field("content-type")))
        return refusal(415, "bodies are XML or JSON, and not compressed");
    const auto length = request.body();
    if (!length || (post && request.count("content-length") == 0))
        return refusal(411, "the length of the body must be said, in one number");
    if (*length > (post ? largest_body : 0))
        return refusal(413, post ? "the body is larger than 64 KiB" : "a body belongs to a POST here");
    return std::nullopt;
}

HttpDoorLimits limits() {
    HttpDoorLimits limits;
    limits.request = limits.answer = std::chrono::seconds(8);
    limits.bounds.line = longest_target + std::string_view("POST  HTTP/1.1").size();
    return limits;
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

struct GatewayModeServer::Impl {
    Impl(const relay::HostPort& place, GatewayModeTerms given, std::function<std::uint64_t()> messages,
         std::function<void(const GatewayModeEvent&)> tell_, const base::Clock& clock)
        : address(place),
          tell(std::move(tell_)),
          terms(std::make_shared<const GatewayModeTerms>(std::move(given))),
          mode(terms->user, terms->credentials, std::move(messages), tell, clock),
          door(place, limits(), host(), clock) {
        if (!door.trouble().empty()) throw std::runtime_error("status.gateway_mode " + door.trouble());
        address.port = door.port();
    }

    HttpHost host() {
        HttpHost result;
        result.judge = [this](const auto& request, const auto& peer) { return judge(request, peer); };
        result.admit = [this](const auto& peer) { return admit(peer.address); };
        result.malformed = [this](const auto& peer, std::string_view what) {
            tell({peer.address, what, GatewayModeOutcome::malformed});
        };
        return result;
    }

    std::shared_ptr<const GatewayModeTerms> current() {
        const std::lock_guard lock(mutex);
        return terms;
    }

    std::optional<relay::net::TlsContext> admit(const std::string& client) {
        const auto in_force = current();
        for (const auto& network : in_force->clients)
            if (relay::contains(network, client)) return in_force->tls;
        tell({client, "connect", GatewayModeOutcome::stranger});
        return std::nullopt;
    }

    HttpTask judge(const HttpRequest& request, const HttpPeer& peer) {
        if (auto answer = refused(request)) {
            const std::string operation = (request.method + ' ' + request.path).substr(0, longest_target);
            tell({peer.address, operation, GatewayModeOutcome::malformed});
            return {std::move(*answer)};
        }
        const GatewayModeRequest asked{
            request.method == "HEAD" ? "GET" : request.method,
            request.path,
            request.parameters.size() == 1 && base::lower(request.parameters.begin()->first) == "wsdl",
            peer.address,
            shown_token(request),
            location(request),
            {}};
        HttpTask task{[this, asked](std::string body) { return answer(asked, std::move(body)); }};
        task.body = request.body().value_or(0);
        return task;
    }

    Answer answer(GatewayModeRequest asked, std::string body) {
        asked.body = std::move(body);
        try {
            return mode.respond(asked);
        } catch (const Stopping& stopping) {
            return refusal(503, stopping.what());
        }
    }

    /// As the client calls us, when what it says is a host with a port; else as we are bound.
    std::string location(const HttpRequest& request) {
        const bool tls = current()->tls != nullptr;
        const auto called = parse_host_port(request.field("host"), tls ? 443 : 80);
        return (tls ? "https://" : "http://") + format_host_port(called ? *called : address);
    }

    relay::HostPort address;
    const std::function<void(const GatewayModeEvent&)> tell;
    std::mutex mutex;  // over terms
    std::shared_ptr<const GatewayModeTerms> terms;
    GatewayMode mode;
    HttpDoor door;
};

GatewayModeServer::GatewayModeServer(const relay::HostPort& address, GatewayModeTerms terms,
                                     std::function<std::uint64_t()> messages,
                                     std::function<void(const GatewayModeEvent&)> tell,
                                     const base::Clock& clock)
    : impl_(std::make_unique<Impl>(address, std::move(terms), std::move(messages), std::move(tell), clock)) {}

GatewayModeServer::~GatewayModeServer() { stop(); }

void GatewayModeServer::start() { impl_->door.start(); }

void GatewayModeServer::stop() { impl_->door.stop(std::chrono::hours(1)); }

void GatewayModeServer::reload(GatewayModeTerms terms) {
    auto next = std::make_shared<const GatewayModeTerms>(std::move(terms));
    impl_->mode.reload(next->user, next->credentials);
    const std::lock_guard lock(impl_->mutex);
    impl_->terms = std::move(next);
}

std::uint16_t GatewayModeServer::port() const { return impl_->address.port; }

}  // namespace postern::agent
