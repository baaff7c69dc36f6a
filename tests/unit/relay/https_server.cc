#include "tests/unit/relay/https_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <stdexcept>

namespace postern::tests {

namespace {

void ensure(bool done) {
    if (!done) throw std::runtime_error("the HTTPS server cannot be started");
}

}  // namespace

bool HttpsServer::Client::write(std::string_view octets) {
    return SSL_write(tls_, octets.data(), static_cast<int>(octets.size())) > 0;
}

void HttpsServer::Client::wait_until_gone() {
    char octet = 0;
    while (SSL_read(tls_, &octet, 1) > 0) {
    }
    ::shutdown(socket_, SHUT_RDWR);
}

void HttpsServer::Client::cut_off() {
    SSL_set_quiet_shutdown(tls_, 1);
    ::shutdown(socket_, SHUT_RDWR);
}

HttpsServer::HttpsServer(const std::string& address, const std::filesystem::path& certificate,
                         const std::filesystem::path& key, Say say)
    : context_(SSL_CTX_new(TLS_server_method()), &SSL_CTX_free), say_(std::move(say)) {
    std::signal(SIGPIPE, SIG_IGN);
    ensure(SSL_CTX_use_certificate_chain_file(context_.get(), certificate.c_str()) == 1);
    ensure(SSL_CTX_use_PrivateKey_file(context_.get(), key.c_str(), SSL_FILETYPE_PEM) == 1);
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in own{};
    own.sin_family = AF_INET;
    ensure(::inet_pton(AF_INET, address.c_str(), &own.sin_addr) == 1);
    ensure(::bind(listener_, reinterpret_cast<const sockaddr*>(&own), sizeof own) == 0);
    ensure(::listen(listener_, 16) == 0);
    socklen_t length = sizeof own;
    ensure(::getsockname(listener_, reinterpret_cast<sockaddr*>(&own), &length) == 0);
    port_ = ntohs(own.sin_port);
    thread_ = std::thread([this] { serve(); });
}

HttpsServer::~HttpsServer() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
}

std::vector<std::string> HttpsServer::requests() {
    const std::lock_guard lock(mutex_);
    return requests_;
}

std::vector<std::string> HttpsServer::names_asked() {
    const std::lock_guard lock(mutex_);
    return names_;
}

void HttpsServer::serve() {
    for (;;) {
        const int socket = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
        if (socket < 0) return;
        serve(socket);
        ::close(socket);
    }
}

void HttpsServer::note_name(SSL* tls) {
    const char* name = SSL_get_servername(tls, TLSEXT_NAMETYPE_host_name);
    const std::lock_guard lock(mutex_);
    names_.emplace_back(name == nullptr ? "" : name);
}

void HttpsServer::serve(int socket) {
    const std::unique_ptr<SSL, decltype(&SSL_free)> tls(SSL_new(context_.get()), &SSL_free);
    SSL_set_fd(tls.get(), socket);
    const bool shaken = SSL_accept(tls.get()) == 1;
    note_name(tls.get());
    if (!shaken) return;
    std::string request;
    char octet = 0;
    while (!request.ends_with("\r\n\r\n")) {
        if (SSL_read(tls.get(), &octet, 1) <= 0) return;
        request += octet;
    }
    {
        const std::lock_guard lock(mutex_);
        requests_.push_back(request);
    }
    Client client(tls.get(), socket);
    say_(client);
    SSL_shutdown(tls.get());
}

}  // namespace postern::tests
