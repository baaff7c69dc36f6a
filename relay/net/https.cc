#include "relay/net/https.h"

#include <algorithm>

#include "relay/net/connection.h"
#include "sync/base/file_fault.h"

namespace postern::relay::net {

namespace {

using Step = base::HttpReplyReader::Step;

/// A deadline by a clock.
struct Deadline {
    const base::Clock& clock;
    base::Moment at;
    Milliseconds left() const { return std::chrono::ceil<Milliseconds>(at - clock.now()); }
};

std::string words(const std::error_code& error) {
    if (error == Error::timed_out) return "it took too long";
    return "the connection ended before the reply was complete";
}

/// "" or why the reply is not there.
awaitable<std::string> converse(Connection& connection, const HttpsRequest& request,
                                const std::string& octets, const Deadline& until, base::HttpMessage& out) {
    if (auto error = co_await connection.write(octets)) co_return words(error);
    base::HttpReplyReader reader({request.body});
    for (;;) {
        // A server that always has something to say must not keep us from looking at the clock.
        if (until.left() <= Milliseconds(0)) co_return words(Error::timed_out);
        const auto error = co_await connection.fill();
        if (error && (error != Error::closed || !connection.ended())) co_return words(error);
        const Step step = error ? reader.end() : reader.feed(connection.buffered());
        connection.consume(connection.buffered().size());
        if (step == Step::failed) co_return reader.fault();
        if (step == Step::more) continue;
        out = reader.take();
        co_return std::string();
    }
}

/// `method` first, then what stands for this one alone.
std::string octets_of(std::string_view method, const HttpsRequest& request, std::string_view fields) {
    std::string host = request.host;
    if (request.port != 443) host += ':' + std::to_string(request.port);
    return std::string(method) + ' ' + request.path + " HTTP/1.1\r\nHost: " + host +
           "\r\nUser-Agent: postern\r\nConnection: close\r\n" + std::string(fields) + "\r\n";
}

awaitable<HttpsReply> ask(io_context& io, const base::Clock& clock, Outside& outside, TlsContext tls,
                          HttpsRequest request, std::string octets);

}  // namespace

Asked asked_after(const std::error_code& error) {
    const auto system = of_system(error);
    if (base::is_passing(system)) return Asked::not_made;
    for (const auto one : {std::errc::network_unreachable, std::errc::network_down,
                           std::errc::address_not_available, std::errc::address_family_not_supported})
        if (system == one) return Asked::unreachable;
    return Asked::failed;
}

awaitable<HttpsReply> https_get(io_context& io, const base::Clock& clock, Outside& outside, TlsContext tls,
                                HttpsRequest request) {
    std::string octets = octets_of("GET", request, "Accept: text/plain\r\n");
    return ask(io, clock, outside, std::move(tls), std::move(request), std::move(octets));
}

awaitable<HttpsReply> https_post(io_context& io, const base::Clock& clock, Outside& outside, TlsContext tls,
                                 HttpsRequest request, const HttpsContent& content) {
    std::string octets = octets_of("POST", request,
                                   "Content-Type: " + content.type + "\r\nContent-Length: " +
                                       std::to_string(content.octets.size()) + "\r\n") +
                         content.octets;
    return ask(io, clock, outside, std::move(tls), std::move(request), std::move(octets));
}

namespace {

awaitable<HttpsReply> ask(io_context& io, const base::Clock& clock, Outside& outside, TlsContext tls,
                          HttpsRequest request, std::string octets) {
    HttpsReply out{Asked::failed, {}, request.host + " has no address"};
    if (!request.addresses.empty()) out.asked = Asked::unreachable;
    const Deadline until{clock, clock.now() + request.total};
    for (const auto& address : request.addresses) {
        if (until.left() <= Milliseconds(0)) break;
        const std::string where = request.host + " (" + address.to_string() + "): ";
        const Endpoint endpoint(address, request.port);
        std::error_code error;
        std::string from;
        auto connection = co_await Connection::connect(io, clock, outside, endpoint, std::move(from),
                                                       std::min(request.connect, until.left()), error);
        if (!connection) {
            // Another address is for a server that is down, not for one that does not please.
            const Asked asked = asked_after(error);
            if (asked < out.asked) continue;
            out.asked = asked;
            out.why = where + "cannot connect: " + describe(error);
            continue;
        }
        connection->deadline(until.left());
        PeerProof proof;
        proof.by = PeerProof::By::name;
        proof.host = request.host;
        error = co_await connection->start_tls_client(tls, std::move(proof));
        out.asked = Asked::failed;
        out.untrusted = error && connection->certificate_fault() != 0;
        out.why = error ? connection->tls_failure()
                        : co_await converse(*connection, request, octets, until, out.reply);
        connection->close();
        if (out.why.empty())
            out.asked = Asked::answered;
        else
            out.why = where + out.why;
        co_return out;
    }
    co_return out;
}

}  // namespace

}  // namespace postern::relay::net
