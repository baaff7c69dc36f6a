// The secret that changes over the status endpoint must show.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include <tl/expected.hpp>

#include "agent/http/request.h"
#include "sync/base/disk.h"

namespace postern::agent {

/// Reads the token, and makes one (256 random bits, mode 0600) when the file does not exist. The error says
/// in words what is wrong with the file.
tl::expected<std::string, std::string> obtain_token(base::Disk& disk, const std::filesystem::path& file);

/// Reads the token of a running gateway.
tl::expected<std::string, std::string> read_token(const std::filesystem::path& file);

/// What a request shows: "Authorization: Bearer TOKEN", the first word in any case (RFC 9110 §11.1); "" when
/// it shows none.
std::string shown_token(const HttpRequest& request);

/// Compares in a time that does not depend on where the two differ.
bool same_token(std::string_view a, std::string_view b);

}  // namespace postern::agent
