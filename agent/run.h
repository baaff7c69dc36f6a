// `postern run`: the process around the gateway.
#pragma once

#include <filesystem>

namespace postern::agent {

/// Reads the file, opens, becomes the configured account, serves until SIGTERM or SIGINT. Gives the exit
/// code.
int run(const std::filesystem::path& config);

/// `postern check`: the same reading without starting anything; true for JSON. Gives the exit code.
int check(const std::filesystem::path& config, bool json);

}  // namespace postern::agent
