// What can go wrong on a connection, besides what the operating system reports.
#pragma once

#include <string>
#include <system_error>

namespace postern::relay::net {

enum class Error {
    timed_out = 1,       // the deadline passed
    closed,              // the peer closed the connection
    line_too_long,       // more than the given limit without a line end
    tls_failed,          // the handshake failed; `Connection::tls_failure()` says why
    no_such_address,     // of our own, to leave from
    not_understood,      // what came is no reply
    unasked,             // something came that nothing had asked for
    buffered_plaintext,  // octets behind STARTTLS, a command injection (RFC 3207, CVE-2011-0411)
};

const std::error_category& error_category();
inline std::error_code make_error_code(Error error) { return {static_cast<int>(error), error_category()}; }

/// Words for people: "connection timed out", "the peer closed the connection" …
std::string describe(const std::error_code& error);

/// The same as the standard library knows it: Asio has a category of its own for errors of the system, and
/// they equal no std::errc.
std::error_code of_system(const std::error_code& error);

}  // namespace postern::relay::net

template <>
struct std::is_error_code_enum<postern::relay::net::Error> : std::true_type {};
