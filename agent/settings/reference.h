// The table of keys, written out for people.
#pragma once

#include <string>

namespace postern::agent {

/// The shipped postern.toml: every key with its default and what it does; what has no default as an example.
std::string reference_toml();

/// The same as tables for the README.
std::string reference_markdown();

}  // namespace postern::agent
