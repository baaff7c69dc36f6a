// Who asks the primaries about single addresses, an Asker for each of them, and which is to ask about what.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sync/base/clock.h"
#include "sync/directory/publication.h"
#include "sync/polling/asker.h"
#include "sync/primary/primary.h"
#include "sync/report.h"
#include "sync/settings.h"

namespace postern::sync {

/// What is learned goes to the publication. Any thread, but for keep().
class Askers final {
public:
    using Connect = std::function<std::unique_ptr<Primary>(const PrimarySettings&, std::stop_token)>;

    Askers(Publication& publication, Connect connect, const base::Clock& clock)
        : publication_(publication), connect_(std::move(connect)), clock_(clock) {}

    /// One for each primary; those whose settings are the same go on, the others end and tell who waits. One
    /// thread at a time.
    void keep(const std::vector<PrimarySettings>& settings);
    /// What the readings of the directory have shown; those of another gateway show nothing of our
    /// credentials.
    void heard(const std::vector<PrimaryReport>& primaries);

    /// See Sync::ask().
    void ask(std::string local_part, std::string domain, const std::function<void(bool answered)>& done);
    /// There is mail of this address. Where addresses are only asked about, it is asked about again when that
    /// is long ago.
    void refresh(std::string_view local_part, std::string_view domain);

private:
    using ByName = std::map<std::string, std::pair<PrimarySettings, std::shared_ptr<Asker>>, std::less<>>;

    std::shared_ptr<Asker> make(PrimarySettings settings);
    std::vector<std::shared_ptr<Asker>> whom_to_ask(std::string_view local_part, std::string_view domain,
                                                    const Snapshot& current);

    Publication& publication_;
    Connect connect_;
    const base::Clock& clock_;
    std::atomic<bool> several_{false};  // primaries

    std::mutex mutex_;  // guards what follows
    ByName askers_;     // by the primary's name
};

}  // namespace postern::sync
