#include "relay/net/connection.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <asio/ssl/error.hpp>
#include <asio/write.hpp>
#include <cstring>

#include "relay/net/addresses.h"
#include "sync/base/ip_address.h"

namespace postern::relay::net {

namespace {

constexpr Milliseconds octets_of_tls{500};
constexpr Milliseconds last_word{10'000};  // between the end of patience and the close
constexpr std::size_t buffer_first = 4 * 1024;
constexpr std::size_t buffer_max = 64 * 1024;

/// Usages 2 and 3 only; with usage 3 neither names nor dates matter (RFC 7672 §3.1.1).
bool prove_by_dane(SSL* ssl, const PeerProof& proof) {
    if (SSL_dane_enable(ssl, proof.host.c_str()) != 1) return false;
    SSL_dane_set_flags(ssl, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
    for (const auto& name : proof.names) SSL_add1_host(ssl, name.c_str());
    // DNSSEC names the very key: an old one of 1024 bits is no weaker proof than none. Behind an authority it
    // is.
    const bool keys_alone = std::all_of(proof.tlsa.begin(), proof.tlsa.end(),
                                        [](const TlsaRecord& record) { return record.usage == 3; });
    if (keys_alone) SSL_set_security_level(ssl, 1);
    bool any = false;
    for (const auto& record : proof.tlsa) {
        const auto* data = reinterpret_cast<const unsigned char*>(record.data.data());
        any = SSL_dane_tlsa_add(ssl, record.usage, record.selector, record.matching, data,
                                record.data.size()) > 0 ||
              any;
    }
    return any;
}

}  // namespace

Connection::Connection(Socket socket, const base::Clock& clock)
    : socket_(std::move(socket)),
      clock_(clock),
      watchdog_(socket_.get_executor(), clock),
      buffer_(buffer_first) {}

std::shared_ptr<Connection> Connection::create(Socket socket, const base::Clock& clock) {
    std::error_code unknown;
    const auto found = socket.remote_endpoint(unknown);
    const int family = found.protocol().family();
    std::shared_ptr<Connection> connection(new Connection(std::move(socket), clock));
    if (unknown || (family != AF_INET && family != AF_INET6)) return connection;
    Endpoint peer;
    std::memcpy(peer.data(), found.data(), found.size());
    connection->know_peer(peer);
    return connection;
}

std::shared_ptr<Connection> Connection::create(Arrival arrival, const base::Clock& clock) {
    std::shared_ptr<Connection> connection(new Connection(std::move(arrival.socket), clock));
    connection->know_peer(arrival.client);
    return connection;
}

void Connection::know_peer(const Endpoint& peer) {
    std::error_code ignored;
    socket_.set_option(tcp::no_delay(true), ignored);
    peer_ = plain(peer.address()).to_string();
}

awaitable<std::shared_ptr<Connection>> Connection::connect(io_context& io, const base::Clock& clock,
                                                           Outside& outside, Endpoint to, std::string from,
                                                           Milliseconds timeout, std::error_code& error) {
    std::shared_ptr<Connection> connection(new Connection(Socket(io), clock));
    connection->deadline(timeout);
    error = co_await outside.connect(connection->socket_, to, std::move(from));
    error = connection->outcome(error);
    if (error) {
        connection->close();
        co_return nullptr;
    }
    connection->know_peer(to);
    co_return connection;
}

void Connection::deadline(Milliseconds timeout) {
    timed_out_ = false;
    deadline_ = clock_.now() + timeout;
    if (deadline_ < armed_) watch();
}

void Connection::watch() {
    armed_ = deadline_;
    watchdog_.expires_at(deadline_);
    watchdog_.async_wait([weak = weak_from_this()](std::error_code error) {
        auto self = weak.lock();
        if (error || !self || !self->socket_.is_open()) return;
        if (self->deadline_ > self->clock_.now()) return self->watch();
        if (self->timed_out_) return self->close();
        // What is going on ends with an error, so that a last word can be said; nothing goes on for much
        // longer.
        self->timed_out_ = true;
        self->interrupt();
        self->deadline_ += last_word;
        self->watch();
    });
}

void Connection::interrupt() {
    std::error_code ignored;
    socket_.cancel(ignored);
}

void Connection::close() {
    std::error_code ignored;
    watchdog_.cancel();
    socket_.close(ignored);
}

std::error_code Connection::outcome(std::error_code error) const {
    if (!error) return error;
    if (timed_out_) return Error::timed_out;
    if (error == asio::error::eof || error == asio::ssl::error::stream_truncated) return Error::closed;
    return error;
}

/// Behind what the buffer has, as far as it has room.
awaitable<std::error_code> Connection::read_some() {
    auto space = asio::buffer(buffer_.data() + end_, buffer_.size() - end_);
    std::error_code error;
    std::size_t octets = 0;
    if (tls_)
        std::tie(error, octets) = co_await tls_->async_read_some(space, as_value);
    else
        std::tie(error, octets) = co_await socket_.async_read_some(space, as_value);
    end_ += octets;
    co_return outcome(error);
}

awaitable<std::error_code> Connection::fill() {
    if (begin_ < end_) co_return std::error_code();
    begin_ = end_ = 0;
    const auto error = co_await read_some();
    // A peer that fills the buffer is sending content; give it room to do so in fewer calls.
    if (end_ == buffer_.size() && end_ < buffer_max) buffer_.resize(buffer_.size() * 2);
    co_return error;
}

awaitable<std::error_code> Connection::read_line(std::string_view& line, std::size_t limit) {
    for (std::size_t scanned = 0;;) {
        const char* from = buffer_.data() + begin_;
        std::size_t have = end_ - begin_;
        if (const void* lf = have > scanned ? std::memchr(from + scanned, '\n', have - scanned) : nullptr) {
            auto length = static_cast<std::size_t>(static_cast<const char*>(lf) - from);
            begin_ += length + 1;
            if (skipping_) {
                skipping_ = false;
                scanned = 0;
                continue;
            }
            if (length > 0 && from[length - 1] == '\r') --length;
            if (length > limit) co_return Error::line_too_long;
            line = {from, length};
            co_return std::error_code();
        }
        if (skipping_ || have > limit + 1) {
            bool first = !skipping_;
            skipping_ = true;
            begin_ = end_ = 0;
            if (first) co_return Error::line_too_long;
            have = 0;
        }
        scanned = have;
        if (begin_ > 0) {
            std::memmove(buffer_.data(), from, have);
            begin_ = 0;
            end_ = have;
        }
        if (end_ == buffer_.size()) buffer_.resize(buffer_.size() * 2);
        if (const auto error = co_await read_some()) co_return error;
    }
}

awaitable<std::error_code> Connection::write(std::string_view octets) {
    asio::const_buffer one(octets.data(), octets.size());
    co_return co_await write(std::span<const asio::const_buffer>(&one, 1));
}

awaitable<std::error_code> Connection::write(std::span<const asio::const_buffer> buffers) {
    std::error_code error;
    std::size_t octets = 0;
    if (tls_)
        std::tie(error, octets) = co_await asio::async_write(*tls_, buffers, as_value);
    else
        std::tie(error, octets) = co_await asio::async_write(socket_, buffers, as_value);
    co_return outcome(error);
}

awaitable<void> Connection::drain(std::size_t octets, Milliseconds timeout) {
    deadline(timeout);
    if (tls_) co_await tls_->async_shutdown(as_value);
    std::error_code error;
    socket_.shutdown(Socket::shutdown_send, error);
    // What comes now is nobody's: it need not be deciphered.
    for (std::size_t read = 0, count = 0; !error && !timed_out_ && read < octets; read += count)
        std::tie(error, count) = co_await socket_.async_read_some(asio::buffer(buffer_), as_value);
    begin_ = end_ = 0;
}

awaitable<std::error_code> Connection::handshake(asio::ssl::stream_base::handshake_type type) {
    // Clear text that arrived before the handshake must not be taken for part of the protected session.
    if (begin_ < end_) co_return Error::buffered_plaintext;
    auto [failed] = co_await tls_->async_handshake(type, as_value);
    if (!failed) co_return std::error_code();
    std::error_code error = outcome(failed);
    // Where nothing has to be proven the handshake did not fail for want of proof.
    bool proof = SSL_get_verify_mode(tls_->native_handle()) != SSL_VERIFY_NONE;
    long verified = proof ? SSL_get_verify_result(tls_->native_handle()) : X509_V_OK;
    certificate_fault_ = verified;
    if (error == Error::timed_out)
        tls_failure_ = "TLS handshake timed out";
    else if (verified != X509_V_OK && type == asio::ssl::stream_base::client)
        tls_failure_ = std::string("certificate not valid: ") + X509_verify_cert_error_string(verified);
    else
        tls_failure_ = "TLS handshake failed: " + describe(error);
    co_return error == Error::timed_out ? error : make_error_code(Error::tls_failed);
}

awaitable<std::error_code> Connection::start_tls_server(TlsContext context) {
    context_ = std::move(context);
    tls_.emplace(socket_, *context_);
    co_return co_await handshake(asio::ssl::stream_base::server);
}

awaitable<std::error_code> Connection::start_tls_client(TlsContext context, PeerProof proof) {
    context_ = std::move(context);
    tls_.emplace(socket_, *context_);
    SSL* ssl = tls_->native_handle();
    if (proof.names.empty()) proof.names.push_back(proof.host);
    if (!base::is_ip_literal(proof.host)) SSL_set_tlsext_host_name(ssl, proof.host.c_str());
    // Names stand in the alternative names alone (RFC 8461 §4.2).
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    if (proof.by == PeerProof::By::dane) {
        if (!prove_by_dane(ssl, proof)) {
            tls_failure_ = "none of the TLSA records can be used";
            co_return Error::tls_failed;
        }
    } else if (base::is_ip_literal(proof.host)) {
        X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), proof.host.c_str());
    } else {
        for (const auto& name : proof.names) SSL_add1_host(ssl, name.c_str());
    }
    // Without anything to prove the result is still there to be told.
    SSL_set_verify(ssl, proof.by == PeerProof::By::nothing ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, nullptr);
    if (auto error = co_await handshake(asio::ssl::stream_base::client)) co_return error;
    long verified = SSL_get_verify_result(ssl);
    certificate_fault_ = verified;
    unverified_ = verified == X509_V_OK ? std::string() : X509_verify_cert_error_string(verified);
    co_return std::error_code();
}

std::string Connection::own() const {
    std::error_code unknown;
    const auto found = socket_.local_endpoint(unknown);
    const int family = found.protocol().family();
    if (unknown || (family != AF_INET && family != AF_INET6)) return {};
    Endpoint here;
    std::memcpy(here.data(), found.data(), found.size());
    here.resize(found.size());
    return plain(here.address()).to_string();
}

bool Connection::ended() const {
    if (!tls_) return false;
    return (SSL_get_shutdown(const_cast<TlsStream&>(*tls_).native_handle()) & SSL_RECEIVED_SHUTDOWN) != 0;
}

std::string Connection::tls() const {
    if (!tls_) return {};
    const SSL* ssl = const_cast<TlsStream&>(*tls_).native_handle();
    return std::string(SSL_get_version(ssl)) + ' ' + SSL_get_cipher_name(ssl);
}

std::string Connection::unread(std::size_t most) {
    if (begin_ < end_) return std::string(buffered().substr(0, most));
    std::string out(most, '\0');
    if (tls_) {
        // Of TLS, what came with the last read.
        const int got = SSL_peek(tls_->native_handle(), out.data(), static_cast<int>(most));
        ERR_clear_error();
        out.resize(static_cast<std::size_t>(std::max(got, 0)));
    } else {
        const ssize_t got = ::recv(socket_.native_handle(), out.data(), most, MSG_PEEK | MSG_DONTWAIT);
        out.resize(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    }
    return out;
}

awaitable<std::string> Connection::arrived(std::size_t most) {
    if (auto out = unread(most); !out.empty() || !tls_ || at_socket() <= 0) co_return out;
    deadline(octets_of_tls);
    co_await fill();
    deadline(last_word);
    co_return unread(most);
}

/// Whether octets lie there: how many, 0 behind the end, or less.
ssize_t Connection::at_socket() {
    char octet = 0;
    return ::recv(socket_.native_handle(), &octet, 1, MSG_PEEK | MSG_DONTWAIT);
}

bool Connection::stale() {
    if (!socket_.is_open() || begin_ < end_) return true;
    const ssize_t got = at_socket();
    // Under TLS 1.3 session tickets may lie there unread; only a close can be told from outside.
    return tls_ ? got == 0 : got >= 0;
}

}  // namespace postern::relay::net
