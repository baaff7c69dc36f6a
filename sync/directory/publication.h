// The snapshot in force: the directory as read, and over it what was asked for by itself.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

#include "sync/base/clock.h"
#include "sync/directory/directory.h"
#include "sync/directory/learned.h"
#include "sync/directory/snapshot.h"

namespace postern::sync {

/// All members may be called from any thread. `publish` gets each new snapshot in order, one at a time.
class Publication final {
public:
    using Publish = std::function<void(std::shared_ptr<const Snapshot>)>;

    Publication(const Directory& directory, Publish publish, const base::Clock& clock);

    /// The directory has been read anew; answers older than the reading of their domain go.
    void replace(const Directory& directory);
    void learn(Answer answer);
    /// False when nothing was known of it but from reading. `domain` may be an alias.
    bool forget(std::string_view local_part, std::string_view domain);

    std::shared_ptr<const Snapshot> snapshot() const;

private:
    std::vector<Answer> answers() const;
    void put(std::shared_ptr<const Snapshot> snapshot);

    Publish publish_;
    const base::Clock& clock_;
    std::mutex order_;          // held while a snapshot is changed and given out
    mutable std::mutex mutex_;  // guards snapshot_
    std::shared_ptr<const Snapshot> snapshot_;
};

}  // namespace postern::sync
