// Whether a volume can be used: looked at before it is, by a process of its own, since LMDB trusts its pages.
#pragma once

#include <cstdint>
#include <filesystem>
#include <system_error>

#include <tl/expected.hpp>

namespace postern::relay {

enum class Soundness : std::uint8_t { sound, damaged };

/// Walks through all tables, and opens them as Volume does. `size` as for Volume. Damage is what the octets
/// of the file prove; that they could not be had (no permission, no descriptor, no memory, a disk that cannot
/// read) is the error, and says nothing about them. Any thread.
tl::expected<Soundness, std::error_code> inspect_volume(const std::filesystem::path& file,
                                                        std::uint64_t size);

}  // namespace postern::relay
