#include "relay/net/tls.h"

#include <openssl/ssl.h>

#include <stdexcept>

namespace postern::relay::net {

namespace {

void harden(SSL_CTX* context) {
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_options(context,
                        SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF);
    // Idle connections are many; their buffers go back until the next record.
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
}

void check(const std::error_code& error, const std::string& what) {
    if (error) throw std::runtime_error(what + ": " + error.message());
}

}  // namespace

TlsContext server_context(const TlsSettings& settings) {
    if (settings.certificate.empty()) return nullptr;
    auto context = std::make_shared<asio::ssl::context>(asio::ssl::context::tls_server);
    harden(context->native_handle());
    std::error_code error;
    context->use_certificate_chain_file(settings.certificate.string(), error);
    check(error, "tls.certificate " + settings.certificate.string());
    context->use_private_key_file(settings.private_key.string(), asio::ssl::context::pem, error);
    check(error, "tls.private_key " + settings.private_key.string());
    if (SSL_CTX_check_private_key(context->native_handle()) != 1)
        throw std::runtime_error("tls.private_key " + settings.private_key.string() +
                                 " does not belong to tls.certificate");
    // A ticket of one listener must not open another's session, and a mail session is too short to resume.
    SSL_CTX_set_options(context->native_handle(), SSL_OP_NO_TICKET | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_session_cache_mode(context->native_handle(), SSL_SESS_CACHE_OFF);
    return context;
}

TlsContext client_context(const TlsSettings& settings) {
    auto context = std::make_shared<asio::ssl::context>(asio::ssl::context::tls_client);
    harden(context->native_handle());
    std::error_code error;
    if (settings.ca_file.empty()) {
        context->set_default_verify_paths(error);
        check(error, "the system's certificate store");
    } else {
        context->load_verify_file(settings.ca_file.string(), error);
        check(error, "tls.ca_file " + settings.ca_file.string());
    }
    SSL_CTX_dane_enable(context->native_handle());
    return context;
}

PreparedTls prepare(TlsContext (*make)(const TlsSettings&), const TlsSettings& settings) {
    try {
        return make(settings);
    } catch (const std::exception& fault) {
        return tl::unexpected(std::string(fault.what()));
    }
}

}  // namespace postern::relay::net
