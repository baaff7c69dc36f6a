// What kind of trouble there is with a primary: the words of a failure tell it to people, this to whoever
// knows a remedy for each.
#pragma once

#include <cstdint>

namespace postern::sync {

enum class Trouble : std::uint8_t {
    other,
    // The way to the server.
    name_unknown,     // the host name of the url does not exist
    name_unanswered,  // or could not be looked up
    refused,          // nothing listens there
    no_route,
    connect_timeout,
    reply_timeout,
    closed,  // in the middle of a reply
    // TLS.
    ca_file,
    authority_unknown,  // self-signed, or from an authority that is not trusted
    name_mismatch,
    expired,  // or not valid yet
    certificate,
    handshake,
    not_tls,    // https:// to a port that speaks plain HTTP
    needs_tls,  // http:// to a port that speaks TLS
    // What answers there.
    not_http,
    redirected,
    compressed,
    too_large,
    not_web_service,
    busy,
    // The account.
    password_file,
    password_format,  // the file has more in it than the password
    credentials,      // user or password are wrong
    second_factor,
    address_restricted,
    not_administrator,
    password_change,
    account_disabled,
    attempts,  // too many
};

}  // namespace postern::sync
