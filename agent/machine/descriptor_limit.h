// How many files and sockets the process may have open.
#pragma once

#include <string>

#include <tl/expected.hpp>

namespace postern::agent {

/// To what the system allows. The error says in words that it stays as it is.
tl::expected<void, std::string> raise_descriptor_limit();

}  // namespace postern::agent
