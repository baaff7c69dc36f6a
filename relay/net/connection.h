// One connection, of TCP or a Unix socket, with or without TLS: buffered lines in, whole writes out, one
// deadline over everything.
#pragma once

#include <array>
#include <asio/ssl/stream.hpp>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "relay/net/asio.h"
#include "relay/net/error.h"
#include "relay/net/outside.h"
#include "relay/net/timer.h"
#include "relay/net/tls.h"
#include "relay/net/tlsa.h"

namespace postern::relay::net {

/// What a server must prove in a TLS handshake.
struct PeerProof {
    enum class By : std::uint8_t { nothing, name, dane };
    By by = By::nothing;             // nothing: whatever the certificate, verified() still tells
    std::string host;                // sent as SNI when it is a name
    std::vector<std::string> names;  // the certificate must have one of them; empty: `host`
    std::vector<TlsaRecord> tlsa;    // with By::dane
};

/// Used from one thread. At most one read and one write at a time. An operation that goes on at the deadline
/// ends with Error::timed_out; unless a new deadline is set, the connection closes soon after. One watchdog
/// does that for all of them, which is cheaper than a timer per read. One thing: reading, writing and
/// TLS end by that one deadline and with that one socket.
class Connection : public std::enable_shared_from_this<Connection> {
public:
    static std::shared_ptr<Connection> create(Arrival arrival, const base::Clock& clock);
    /// Where the socket knows best who is at its other end.
    static std::shared_ptr<Connection> create(Socket socket, const base::Clock& clock);
    /// Connects within `timeout`, see Outside::connect(). Null with `error` set when that fails.
    static awaitable<std::shared_ptr<Connection>> connect(io_context& io, const base::Clock& clock,
                                                          Outside& outside, Endpoint to, std::string from,
                                                          Milliseconds timeout, std::error_code& error);

    /// From now on each operation must be over within `timeout`, counted anew by each call of this function.
    void deadline(Milliseconds timeout);

    /// The next line without its line end (CRLF; a lone LF ends a line too, so that a peer that sends one
    /// gets an answer). Valid until the next read. At most `limit` octets, else Error::line_too_long: the
    /// rest of that line is skipped by the next call.
    awaitable<std::error_code> read_line(std::string_view& line, std::size_t limit);

    /// At least one octet into the buffer, unless some are there already.
    awaitable<std::error_code> fill();
    std::string_view buffered() const { return {buffer_.data() + begin_, end_ - begin_}; }
    void consume(std::size_t octets) { begin_ += octets; }
    /// The first octets, at most `most`, of what has come and nobody has read; does not wait.
    std::string unread(std::size_t most);
    /// The same, and of TLS what lies at the socket too: where there are octets that may be TLS's own it
    /// waits for what they are, a moment. Sets the deadline.
    awaitable<std::string> arrived(std::size_t most);

    awaitable<std::error_code> write(std::string_view octets);
    awaitable<std::error_code> write(std::span<const asio::const_buffer> buffers);

    awaitable<std::error_code> start_tls_server(TlsContext context);
    awaitable<std::error_code> start_tls_client(TlsContext context, PeerProof proof);

    /// After Error::closed: whether the peer ended TLS properly, so that what came before is whole.
    bool ended() const;
    std::string tls() const;  // "TLSv1.3 with cipher …", "" for clear text
    const std::string& tls_failure() const { return tls_failure_; }  // in words, after Error::tls_failed
    /// "" when the server's certificate was valid for its name (or by DANE), else why not, in words.
    const std::string& unverified() const { return unverified_; }
    /// The same as the TLS library numbers it, 0 for none; also where the handshake failed for it.
    long certificate_fault() const { return certificate_fault_; }
    std::string peer() const { return peer_; }  // address literal; "" of a Unix socket

    std::string own() const;  // our address, as peer()

    /// Whether the peer has closed or sent something while nobody was reading: such a connection is not
    /// reused.
    bool stale();
    /// Ends our side, TLS too, and reads away what the peer still sends, within these bounds: octets that
    /// nobody reads would take our last words back.
    awaitable<void> drain(std::size_t octets, Milliseconds timeout);
    void interrupt();  // what is going on ends with an error
    void close();

private:
    using TlsStream = asio::ssl::stream<Socket&>;

    Connection(Socket socket, const base::Clock& clock);
    void watch();
    ssize_t at_socket();
    void know_peer(const Endpoint& peer);
    awaitable<std::error_code> read_some();
    awaitable<std::error_code> handshake(asio::ssl::stream_base::handshake_type type);
    std::error_code outcome(std::error_code error) const;

    Socket socket_;
    std::optional<TlsStream> tls_;
    TlsContext context_;
    const base::Clock& clock_;
    Timer watchdog_;
    base::Moment deadline_ = base::Moment::max(), armed_ = base::Moment::max();
    std::vector<char> buffer_;
    std::size_t begin_ = 0, end_ = 0;
    bool skipping_ = false, timed_out_ = false;
    long certificate_fault_ = 0;
    std::string peer_, tls_failure_, unverified_ = "no TLS";
};

}  // namespace postern::relay::net
