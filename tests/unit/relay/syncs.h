// What a test asks the system about: which files were synced.
#pragma once

namespace postern::tests {

/// What files were synced through while it lives. One at a time.
class Syncs {
public:
    Syncs();
    ~Syncs();
    Syncs(const Syncs&) = delete;
    Syncs& operator=(const Syncs&) = delete;

    bool contain(int descriptor) const;
};

}  // namespace postern::tests
