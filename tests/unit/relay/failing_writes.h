// A disk that does not take some of what is written.
#pragma once

#include <filesystem>

namespace postern::tests {

/// While it lives, the next `times` writes that begin in the first `octets` of a file whose name ends in
/// `suffix` fail with `error`, an errno. One at a time.
class FailingWrites {
public:
    FailingWrites(std::filesystem::path suffix, long octets, int error, int times);
    ~FailingWrites();
    FailingWrites(const FailingWrites&) = delete;
    FailingWrites& operator=(const FailingWrites&) = delete;

    int failed() const;  // so far
};

/// What files were synced through while it lives.
class Syncs {
public:
    Syncs();
    ~Syncs();
    Syncs(const Syncs&) = delete;
    Syncs& operator=(const Syncs&) = delete;

    bool contain(int descriptor) const;
};

}  // namespace postern::tests
