// One process per state_dir.
#pragma once

#include <filesystem>

namespace postern::relay {

/// Holds `dir`/lock for its lifetime. Throws std::runtime_error naming the process that has it.
class Lock {
public:
    explicit Lock(const std::filesystem::path& dir);
    ~Lock();
    Lock(const Lock&) = delete;
    Lock& operator=(const Lock&) = delete;

private:
    int fd_ = -1;
};

}  // namespace postern::relay
