// Keeps the directory of all primaries fresh, of each with one request after the other: rounds in which a
// primary's domains are listed and then read one by one. A part that cannot be read keeps what is known of
// it.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "sync/directory/directory.h"
#include "sync/observer.h"
#include "sync/polling/correspondent.h"
#include "sync/polling/merge.h"
#include "sync/polling/pace.h"
#include "sync/polling/schedule.h"
#include "sync/primary/primary.h"
#include "sync/report.h"
#include "sync/settings.h"
#include "sync/turn.h"

namespace postern::sync {

/// Tells whether a file has been written to; all zero when it cannot be looked at.
struct FileState {
    std::filesystem::file_time_type modified{};
    std::uintmax_t size = 0;
    bool operator==(const FileState&) const = default;
};

/// Used by one thread. One thing: rounds of all primaries over one directory, an answer after the other.
class Poller final {
public:
    using Connect = std::function<std::unique_ptr<Primary>(const PrimarySettings&, std::stop_token)>;

    /// `known`: from the cache; primaries that are not in the settings are dropped. `answered` is called on
    /// another thread when step() has something to do, though nothing is due: without it, step() waits for
    /// the primary itself.
    Poller(std::vector<PrimarySettings> settings, Directory known, Observer& observer,
           const base::Clock& clock, Connect connect, std::function<void()> answered = {});

    /// A primary whose settings are the same keeps its session and its round.
    void reload(std::vector<PrimarySettings> settings);
    void poll_now();
    /// Domains with mail: read first in the rounds that begin next.
    void prefer(std::set<std::string, std::less<>> domains);
    /// Starts rounds in which what is held back is believed when it comes again.
    void accept_suspicions();

    /// Whose turn it is from now on; at first ours. While it is another's nothing is asked and nothing is
    /// wanted: a round under way ends as far as it has come, and what its last request brings is dropped.
    void take_turn(const Turn& turn);
    /// Takes over what another gateway has read, in encode()'s form, where it is newer than what was read
    /// whole here: as it is, for all is doubted where it is read. The observer is told of what cannot be
    /// taken over. True when something was.
    bool adopt(std::string_view octets);

    enum class Step : std::uint8_t { nothing, progress, round_ended };
    /// Takes what a primary has answered, or asks what is due next: at most for the list of its domains, or
    /// about one of them.
    Step step();
    /// Of primaries that are not waited for.
    base::Moment next_due() const;
    /// Interrupts all requests. Nothing is asked after it.
    void interrupt();
    /// Tells the observer of a round that went well: apart from step(), so that its fruit can be published
    /// first.
    void announce();

    const Directory& directory() const { return directory_; }
    const Turn& turn() const { return turn_; }
    /// Of which a round went well that is not announced yet; nullptr: of none.
    const PrimaryRecord* just_read() const;
    /// All that were read whole, by whomever.
    std::vector<const PrimaryRecord*> read_whole() const;
    std::vector<PrimaryReport> report() const;

private:
    /// As far as it has come.
    struct Round {
        base::Moment started;
        bool all = false;                // all domains are read
        std::uint64_t requests = 0;      // sent before it
        std::vector<std::string> queue;  // domains to read
        std::size_t next = 0, unreadable = 0;
        unsigned barren = 0;                // domains in a row of which nothing could be read
        base::Moment::duration hurried{0};  // spent on domains that were read for the first time
        std::uint64_t polite = 0;           // requests about the others
        std::string reading;                // the domain that is asked about
        Time began;                         // then
        bool first = false;                 // nothing was known of it
        std::size_t told = 0;               // domains with names that cannot be used, beyond what was known
    };
    /// A primary and what is known of it besides its directory.
    struct Source {
        PrimarySettings settings;
        Pace pace;
        std::unique_ptr<Correspondent> primary;
        Schedule schedule;
        FileState password_state;  // when the round began
        std::optional<Round> round;
        std::size_t octets = 0;  // of all its names, as octets() counts
        Time whole{};            // when the list began of what was read whole last; epoch: nothing was
        PrimaryReport report;
    };

    Step take_answer();
    void ask_for_domains(Source& source, PrimaryRecord& record);
    void ask_about_domain(Source& source, PrimaryRecord& record);
    Step domains_listed(Source& source, PrimaryRecord& record, Correspondent::Listing listed);
    Step domain_read(Source& source, PrimaryRecord& record, Correspondent::Reading reading,
                     const Correspondent::Answer& answer);
    Step end_round(Source& source, PrimaryRecord& record);
    Step fail(Source& source, const Failure& failure, std::string_view domain);
    double chance() { return std::uniform_real_distribution()(random_); }
    Source make_source(PrimarySettings settings);
    void tell_unusable_domains(Source& source, std::string words);
    Applied take_over(Source& source, DomainRecord& domain, DomainReading& reading);
    void tell_unusable_names(Source& source, const std::string& names);
    void tell(const Source& source, std::string_view domain, const std::vector<Loss>& losses);
    void note(Source& source, const std::string& domain, DomainRecord& record, std::string error);
    Time due_time(const Source& source) const;
    bool follows() const { return turn_.whose == Turn::Whose::anothers; }
    void resume(Source& source);
    bool newer(const Source& source, const PrimaryRecord& record, Time listed) const;
    bool adopt(Source& source, PrimaryRecord& record, PrimaryRecord theirs);

    Turn turn_;
    std::set<std::string, std::less<>> preferred_;
    std::vector<Source> sources_;
    Directory directory_;                  // one record per source, in the same order
    std::optional<event::Synced> synced_;  // not announced yet
    Observer& observer_;
    const base::Clock& clock_;
    Connect connect_;
    std::function<void()> answered_;
    std::minstd_rand random_{std::random_device{}()};
};

}  // namespace postern::sync
