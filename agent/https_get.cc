#include "agent/https_get.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <functional>
#include <stdexcept>
#include <system_error>

namespace postern::agent {

namespace {

using Steady = std::chrono::steady_clock;
using Fault = tl::unexpected<std::string>;

class Descriptor {
public:
    explicit Descriptor(int number) : number_(number) {}
    ~Descriptor() {
        if (number_ >= 0) ::close(number_);
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    int get() const { return number_; }

private:
    int number_;
};

/// "" when the descriptor is ready, else why nobody waits any longer.
std::string wait(int descriptor, short events, int stop, Steady::time_point until) {
    std::array<pollfd, 2> watched{pollfd{descriptor, events, 0}, pollfd{stop, POLLIN, 0}};
    for (;;) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Steady::now()).count();
        if (left <= 0) return "it took too long";
        const int ready =
            ::poll(watched.data(), watched.size(), static_cast<int>(std::min<std::int64_t>(left, 60'000)));
        if (ready < 0 && errno != EINTR) return std::system_category().message(errno);
        if (ready > 0) return watched[1].revents != 0 ? "interrupted" : "";
    }
}

struct Endpoint {
    sockaddr_storage storage{};
    socklen_t length = 0;
};

bool parse(const HttpsRequest& request, Endpoint& out) {
    sockaddr_in v4{};
    sockaddr_in6 v6{};
    if (::inet_pton(AF_INET, request.address.c_str(), &v4.sin_addr) == 1) {
        v4.sin_family = AF_INET;
        v4.sin_port = htons(request.port);
        out.length = sizeof v4;
        std::memcpy(&out.storage, &v4, sizeof v4);
        return true;
    }
    if (::inet_pton(AF_INET6, request.address.c_str(), &v6.sin6_addr) != 1) return false;
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(request.port);
    out.length = sizeof v6;
    std::memcpy(&out.storage, &v6, sizeof v6);
    return true;
}

std::string connect(int socket, const HttpsRequest& request, int stop) {
    Endpoint to;
    if (!parse(request, to)) return request.address + " is no address";
    if (::connect(socket, reinterpret_cast<const sockaddr*>(&to.storage), to.length) == 0) return {};
    if (errno != EINPROGRESS) return "cannot connect: " + std::system_category().message(errno);
    std::string fault = wait(socket, POLLOUT, stop, std::min(request.connected, request.deadline));
    if (!fault.empty()) return "cannot connect: " + fault;
    int error = 0;
    socklen_t length = sizeof error;
    ::getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &length);
    return error == 0 ? std::string() : "cannot connect: " + std::system_category().message(error);
}

/// One step of TLS, again and again until it is done. "" or why it is not; `closed` when the peer said
/// goodbye.
std::string drive(SSL* tls, const HttpsRequest& request, int stop, bool& closed,
                  const std::function<int()>& step) {
    for (;;) {
        // A server that always has something to say must not keep us from looking at the clock.
        if (Steady::now() >= request.deadline) return "it took too long";
        ERR_clear_error();
        const int result = step();
        if (result > 0) return {};
        const int error = SSL_get_error(tls, result);
        if (error == SSL_ERROR_ZERO_RETURN) {
            closed = true;
            return {};
        }
        if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
            return "the connection ended before the reply was complete";
        std::string fault =
            wait(SSL_get_fd(tls), error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, stop, request.deadline);
        if (!fault.empty()) return fault;
    }
}

std::string shake_hands(SSL* tls, const HttpsRequest& request, int stop) {
    X509_VERIFY_PARAM* verification = SSL_get0_param(tls);
    // The common name counts for nothing, and a wildcard only for a whole label (RFC 9525 §6.3).
    X509_VERIFY_PARAM_set_hostflags(
        verification, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (X509_VERIFY_PARAM_set1_host(verification, request.host.c_str(), request.host.size()) != 1 ||
        SSL_set_tlsext_host_name(tls, request.host.c_str()) != 1)
        return "the name cannot be used";
    bool closed = false;
    std::string fault = drive(tls, request, stop, closed, [tls] { return SSL_connect(tls); });
    if (fault.empty() && !closed) return {};
    const long verdict = SSL_get_verify_result(tls);
    if (verdict != X509_V_OK)
        return std::string("the certificate is not valid for ") + request.host + ": " +
               X509_verify_cert_error_string(verdict);
    return "the TLS handshake failed" + (fault.starts_with("the connection") ? std::string() : ": " + fault);
}

}  // namespace

std::shared_ptr<ssl_ctx_st> https_context(const std::filesystem::path& ca_file) {
    std::shared_ptr<ssl_ctx_st> context(SSL_CTX_new(TLS_client_method()), &SSL_CTX_free);
    if (!context) throw std::runtime_error("TLS cannot be started");
    SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
    SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
    if (ca_file.empty()) {
        SSL_CTX_set_default_verify_paths(context.get());
    } else if (SSL_CTX_load_verify_file(context.get(), ca_file.c_str()) != 1) {
        throw std::runtime_error("tls.ca_file " + ca_file.string() + " cannot be used");
    }
    return context;
}

tl::expected<base::HttpMessage, std::string> https_get(ssl_ctx_st& context, const HttpsRequest& request,
                                                       int stop) {
    const bool v6 = request.address.find(':') != std::string::npos;
    const Descriptor socket(::socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (socket.get() < 0) return Fault("no socket: " + std::system_category().message(errno));
    std::string fault = connect(socket.get(), request, stop);
    if (!fault.empty()) return Fault(std::move(fault));

    const std::unique_ptr<SSL, decltype(&SSL_free)> owner(SSL_new(&context), &SSL_free);
    SSL* const tls = owner.get();
    if (tls == nullptr || SSL_set_fd(tls, socket.get()) != 1) return Fault("TLS cannot be started");
    fault = shake_hands(tls, request, stop);
    if (!fault.empty()) return Fault(std::move(fault));

    const std::string out = "GET " + request.path + " HTTP/1.1\r\nHost: " + request.host +
                            "\r\nUser-Agent: postern\r\nAccept: text/plain\r\nConnection: close\r\n\r\n";
    bool closed = false;
    fault = drive(tls, request, stop, closed,
                  [tls, &out] { return SSL_write(tls, out.data(), static_cast<int>(out.size())); });
    base::HttpReplyReader reader({request.body});
    std::array<char, 4096> in{};
    while (fault.empty()) {
        int size = 0;
        fault = drive(tls, request, stop, closed, [tls, &in, &size] {
            return size = SSL_read(tls, in.data(), static_cast<int>(in.size()));
        });
        if (!fault.empty()) break;
        const auto step = closed ? reader.end() : reader.feed({in.data(), static_cast<std::size_t>(size)});
        if (step == base::HttpReplyReader::Step::complete) {
            base::HttpMessage reply = reader.take();
            if (reply.content_encoding.empty()) return reply;
            fault = "the content is compressed";
        }
        if (step == base::HttpReplyReader::Step::failed) fault = reader.fault();
    }
    return Fault(std::move(fault));
}

}  // namespace postern::agent
