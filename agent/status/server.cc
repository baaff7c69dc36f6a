#include "agent/status/server.h"

#include <optional>

#include "agent/http/door.h"
#include "agent/http/token.h"
#include "agent/machine/address_text.h"
#include "agent/machine/privileges.h"
#include "agent/status/endpoints.h"
#include "sync/base/ascii.h"

namespace postern::agent {
namespace {

/// A name a browser was tricked into resolving to us shows in Host (DNS rebinding); ours are literals and
/// localhost.
bool is_our_host(const std::string& header) {
    const auto parsed = parse_host_port(header, std::uint16_t{80});
    return parsed && (is_loopback(parsed->host) || base::lower(parsed->host) == "localhost");
}

/// A page of another site may make a browser on this machine ask; it says so.
bool is_cross_site(const HttpRequest& request) {
    const auto site = request.field("sec-fetch-site");
    if (!site.empty() && site != "same-origin" && site != "none") return true;
    return request.count("origin") > 0 && request.field("origin") != "http://" + request.field("host");
}

std::optional<Answer> refused(const HttpRequest& request) {
    const auto& method = request.method;
    if (method != "GET" && method != "HEAD" && method != "POST" && method != "DELETE") {
        Answer answer = refusal(405, "methods are GET, HEAD, POST and DELETE");
        answer.allow = "GET, HEAD, POST, DELETE";
        return answer;
    }
    if (request.count("expect") > 0) return refusal(417, "nothing can be expected here");
    if (request.has_body()) return refusal(413, "requests have no body here: parameters go into the query");
    if (request.count("range") > 0) return refusal(416, "no ranges here");
    if (request.count("host") > 0 && !is_our_host(request.field("host")))
        return refusal(421, "the Host header must be a loopback address or localhost");
    if (is_cross_site(request)) return refusal(403, "pages of other sites may not ask here");
    return std::nullopt;
}

}  // namespace

struct StatusServer::Impl {
    Impl(StatusPlaces given, StatusTerms in_force, Control what, const Trouble& trouble,
         const base::Clock& clock)
        : places(std::move(given)),
          control(what),
          terms(std::make_shared<const StatusTerms>(std::move(in_force))),
          endpoint(places.address, {},
                   {[this](const auto& request, const auto&) { return over_tcp(request); },
                    [trouble](const std::string& text) {
                        trouble("status.address", text.empty() ? "is open now" : text);
                    }},
                   clock) {
        if (places.socket.empty()) return;
        const auto open = [&](std::optional<HttpDoor>& door, UnixPlace place) {
            door.emplace(
                std::move(place), HttpDoorLimits(),
                HttpHost{[this](const auto& request, const auto& peer) { return over_socket(request, peer); },
                         [trouble](const std::string& text) {
                             trouble("status.socket", text.empty() ? "is open now" : text);
                         }},
                clock);
        };
        open(commands, {places.socket});
        open(readers, {everybodys_socket(places.socket), true});
    }

    std::shared_ptr<const StatusTerms> current() {
        const std::lock_guard lock(mutex);
        return terms;
    }

    HttpTask over_tcp(const HttpRequest& request) {
        if (auto answer = refused(request)) return {std::move(*answer)};
        const auto in_force = current();
        const bool authorised = !in_force->token.empty() && same_token(shown_token(request), in_force->token);
        if (!request.field("authorization").empty() && !authorised)
            return {refusal(401, in_force->token.empty() ? "the gateway has no token: " + in_force->no_token
                                                         : "the token is not the right one")};
        const bool open = is_for_everybody(request.path);
        if (in_force->reads_need_token && !authorised && !open)
            return {refusal(401, "this needs the token (status.reads)")};
        return work(request, authorised, authorised ? "token" : "");
    }

    HttpTask over_socket(const HttpRequest& request, const HttpPeer& peer) {
        if (auto answer = refused(request)) return {std::move(*answer)};
        const bool authorised = peer.user && (*peer.user == 0 || *peer.user == places.account);
        if (!authorised && current()->reads_need_token)
            return {refusal(403, "only root and the gateway's account may ask here (status.reads)")};
        return work(request, authorised, !authorised ? "" : *peer.user == 0 ? "root" : account);
    }

    HttpTask work(const HttpRequest& asked, bool authorised, std::string who) {
        Request request{asked.method, asked.path, asked.parameters, authorised, std::move(who)};
        return {[this, request = std::move(request)](const std::string&) {
                    try {
                        return respond(control, request);
                    } catch (const Stopping& stopping) {
                        return refusal(503, stopping.what());
                    } catch (const Busy& busy) {
                        return refusal(503, busy.what());
                    }
                },
                authorised};
    }

    const StatusPlaces places;
    const std::string account = account_name(places.account);
    const Control control;
    std::mutex mutex;  // over terms
    std::shared_ptr<const StatusTerms> terms;
    HttpDoor endpoint;
    std::optional<HttpDoor> commands, readers;
};

StatusServer::StatusServer(StatusPlaces places, StatusTerms terms, Control control, const Trouble& trouble,
                           const base::Clock& clock)
    : impl_(std::make_unique<Impl>(std::move(places), std::move(terms), control, trouble, clock)) {}

StatusServer::~StatusServer() { stop(std::chrono::hours(1)); }

void StatusServer::start() {
    impl_->endpoint.start();
    for (auto* door : {&impl_->commands, &impl_->readers})
        if (*door) (*door)->start();
}

bool StatusServer::stop(std::chrono::milliseconds grace) {
    bool all = impl_->endpoint.stop(grace);
    for (auto* door : {&impl_->commands, &impl_->readers})
        if (*door) all = (*door)->stop(grace) && all;
    return all;
}

void StatusServer::reload(StatusTerms terms) {
    auto next = std::make_shared<const StatusTerms>(std::move(terms));
    const std::lock_guard lock(impl_->mutex);
    impl_->terms = std::move(next);
}

std::vector<std::string> StatusServer::troubles() const {
    std::vector<std::string> found;
    if (auto why = impl_->endpoint.trouble(); !why.empty()) found.push_back("status.address " + why);
    for (const auto* door : {&impl_->commands, &impl_->readers})
        if (*door)
            if (auto why = (*door)->trouble(); !why.empty()) found.push_back("status.socket " + why);
    if (const auto why = impl_->current()->no_token; !why.empty())
        found.push_back("status.token_file " + why);
    return found;
}

std::uint16_t StatusServer::port() const { return impl_->endpoint.port(); }

}  // namespace postern::agent
