// The newer generation of the primary's web services, as its gateway mode uses it: JSON over HTTP. Pure
// functions over bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <tl/expected.hpp>

#include "agent/gateway_mode/sessions.h"

namespace postern::agent::rest {

struct SignIn {
    std::string user, password;  // at most 200 characters each, not empty
};

/// Body of auth/authenticate-user. The error says in words what is missing.
tl::expected<SignIn, std::string> parse_sign_in(std::string_view body);

/// Body of auth/refresh-token: the refresh token, at most 1000 characters.
tl::expected<std::string, std::string> parse_refresh(std::string_view body);

std::string signed_in(std::string_view user, const Tokens& tokens);
std::string refreshed(std::string_view user, const Tokens& tokens);

/// settings/sysadmin/spool-message-counts: all of our messages are in the spool called "default".
std::string spool_message_counts(std::uint64_t messages);

/// {"success":false,...} to go with the HTTP status of the same number.
std::string refusal(int status, std::string_view message);

}  // namespace postern::agent::rest
