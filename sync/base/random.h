// Octets that nobody can foretell: for tokens, secrets, nonces and names.
#pragma once

#include <cstddef>
#include <string>

namespace postern::base {

/// From the system's generator. Throws std::runtime_error when it gives none. Any thread.
std::string random_octets(std::size_t count);

}  // namespace postern::base
