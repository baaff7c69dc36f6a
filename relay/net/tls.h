// TLS contexts for the server's and the client's side.
#pragma once

#include <asio/ssl/context.hpp>
#include <memory>
#include <string>
#include <tl/expected.hpp>

#include "relay/settings.h"

namespace postern::relay::net {

using TlsContext = std::shared_ptr<asio::ssl::context>;

/// For listeners; null when no certificate is configured. TLS 1.2 and newer, no renegotiation, no
/// compression. Throws std::runtime_error naming the file that cannot be used.
TlsContext server_context(const TlsSettings& settings);

/// For deliveries. Certificates are looked at per connection, so that an opportunistic one may go on
/// regardless.
TlsContext client_context(const TlsSettings& settings);

/// Either, made where waiting for a disk holds up nobody; or why it could not be, in words.
using PreparedTls = tl::expected<TlsContext, std::string>;
PreparedTls prepare(TlsContext (*make)(const TlsSettings&), const TlsSettings& settings);

}  // namespace postern::relay::net
