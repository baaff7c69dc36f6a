// One process per state_dir.
#pragma once

#include <filesystem>

#include "sync/base/descriptor.h"

namespace postern::relay {

/// Holds `dir`/lock for its lifetime. Throws std::runtime_error naming the process that has it.
class Lock {
public:
    explicit Lock(const std::filesystem::path& dir);

private:
    base::Descriptor file_;
};

}  // namespace postern::relay
