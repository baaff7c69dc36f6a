// How much each sender has handed in, and whether it may hand in more.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "relay/settings.h"
#include "relay/volume/announced.h"
#include "relay/volume/judgement.h"
#include "relay/volume/shared_count.h"
#include "relay/volume/sliding_count.h"
#include "sync/base/clock.h"
#include "sync/base/cluster.h"

namespace postern::relay {

/// Whose volume it is: a user (the reverse-path, without what stands behind a "+"), a domain, a primary, or
/// all of them together.
enum class VolumeScope : std::uint8_t { user, domain, primary, all };
constexpr std::size_t volume_scopes = 4;
std::string_view text_of(VolumeScope scope);

/// Who hands in a message. A report, which has no sender, is of its primary alone.
struct VolumeSender {
    VolumeSender(std::string_view mailbox, std::string_view domain, std::string_view primary);

    std::array<std::string, volume_scopes> names;  // by scope; "": there is none, but for `all`
};

/// The user's name of such a sender.
std::string user_named(std::string_view mailbox, std::string_view domain);

/// "500 recipients an hour".
std::string in_words(const VolumeLimit& limit);

/// A limit that does not let more through.
struct LimitReached {
    VolumeScope scope = VolumeScope::all;
    std::string who;
    VolumeLimit limit;
    std::uint64_t used = 0;
    base::Time until;             // when there is room for one more, if nothing more comes
    std::uint64_t elsewhere = 0;  // of `used`, through other gateways, as far as they were heard
    bool share = false;           // they cannot be asked, and this gateway's share of it is used
};

/// What has been counted of one sender.
struct VolumeView {
    VolumeScope scope = VolumeScope::all;
    std::string who;
    struct Count {
        VolumeLimit::Unit unit;
        std::chrono::seconds period;
        std::uint64_t used = 0;
        std::optional<std::uint64_t> limit;
        std::uint64_t elsewhere = 0;  // of `used`, through other gateways
    };
    std::vector<Count> counts;
};

/// Any thread. Times are steady ones. One thing: what is counted, what may be, and what others count are
/// compared under one lock.
class Tally {
public:
    static constexpr std::size_t most_known = 50'000;
    static constexpr std::array periods{std::chrono::seconds(60), std::chrono::seconds(3600),
                                        std::chrono::seconds(86400)};

    void reload(const LimitSettings& limits);

    static std::size_t index_of(std::chrono::seconds period);  // among `periods`

    /// What one transaction has taken; given back when it goes, unless it was kept. It does not outlive the
    /// Tally.
    class Charge {
    public:
        Charge() = default;
        ~Charge() { give_back(); }
        Charge(const Charge&) = delete;
        Charge& operator=(const Charge&) = delete;

        void keep() {
            tally_ = nullptr;
            taken_.clear();
        }
        void give_back();
        std::uint32_t announced() const;  // of its recipients

    private:
        friend class Tally;
        struct Taken {
            base::Time at;
            std::string announced;  // whose mailing they belong to, "" for none
            std::uint32_t recipients = 0;
        };
        Tally* tally_ = nullptr;
        std::optional<VolumeSender> sender_;
        std::vector<Taken> taken_;  // the first is a message
    };

    /// Until then so many recipients of a user or a domain go beyond its limits, and do not count for them;
    /// they do for its primary and for all. Instead of what was announced before; 0: nothing is.
    /// `announced`: Announced::Mailing's.
    bool expect(std::string_view who, std::uint64_t recipients, base::Time until,
                std::uint64_t announced = 0);
    std::vector<Announced::Mailing> announced(base::Time now);

    /// One more recipient outside of the primaries' domains, and with the first one a message. The limit that
    /// forbids it; nothing is taken then, unless it is only `monitored`. With `tell`, nothing is taken and it
    /// is true where other gateways should be asked first: see questions().
    std::optional<LimitReached> take(Charge& charge, const VolumeSender& sender, base::Time now,
                                     bool monitored, bool* tell = nullptr);
    /// The same question, without taking.
    std::optional<LimitReached> would_exceed(const VolumeSender& sender, base::Time now);

    // Of several gateways, which share limits: what the others count is asked for, and decides here.

    void reach(const base::Company& company);
    /// What the others should be told, and asked about: at most so many. `urgent`: only what is waited for.
    std::vector<base::CountQuestion> questions(bool urgent, std::size_t most, base::Time now);
    void heard(const base::CountAnswer& answer, base::Time now);
    /// The others know nothing any more.
    void tell_all_again();
    void heard(const Announced::Mailing& theirs, base::Time now);
    std::vector<Announced::Mailing> mailings_told(base::Time now);
    /// Another gateway took so much of a user; of what was announced so much is gone.
    void heard(const VolumeSender& sender, std::uint32_t recipients, std::uint32_t announced, base::Time now);

    /// Recipients of the last hour and day, through all gateways.
    VolumeUsed used(VolumeScope scope, const std::string& who, base::Time now);

    /// Nothing was sent, from now on.
    void forget(VolumeScope scope, const std::string& who);

    /// Who has used most of what it may, or sent most, first; `who`: that one alone ("" for all).
    std::vector<VolumeView> views(std::string_view who, std::size_t most, base::Time now);
    /// How many times a limit forbade something since the start.
    std::uint64_t refused() const;

    /// As text, to be kept; nullopt when it is as it was at the last call. Takes long where there are many,
    /// and holds nobody up for long.
    std::optional<std::string> save();
    /// What save() gave could not be kept.
    void not_saved();
    /// What save() gave, at a time before `now`. Lines that cannot be read are passed over.
    void restore(std::string_view text, base::Time now);

private:
    struct Counts {
        std::array<SlidingCount, periods.size()> messages, recipients;
        base::Time last;
        // Of several gateways: limits, messages first; recipients of the last hour and day through the
        // others.
        std::array<std::unique_ptr<SharedCount>, 2 * periods.size()> shared;
        std::unique_ptr<std::array<SlidingCount, 2>> elsewhere;
    };
    using Known = std::unordered_map<std::string, Counts>;

    static std::string key_of(VolumeScope scope, const std::string& who);
    const std::vector<VolumeLimit>& limits_of(VolumeScope scope, const std::string& who) const;
    Counts* find(VolumeScope scope, const std::string& who);
    using Found = std::array<Counts*, volume_scopes>;  // looked up so far
    struct Taking {
        bool takes = false;  // it is no mere question
        bool* tell = nullptr;
    };
    std::optional<LimitReached> forbidden(const VolumeSender& sender, bool message, bool announced,
                                          base::Time now, Found& found, Taking taking);
    std::optional<LimitReached> reached(Counts* counts, const VolumeLimit& limit, base::Time now) const;
    static std::size_t shared_at(const VolumeLimit& limit);
    Counts& share(const std::string& key, const std::vector<VolumeLimit>& limits);
    bool must_tell(const Counts* counts, const VolumeLimit& limit) const;
    void count_untold(const std::string& key, Counts& counts, std::uint32_t messages,
                      std::uint32_t recipients);
    void add_questions(std::vector<base::CountQuestion>& out, const std::string& key, bool urgent,
                       base::Time now);
    void add(const VolumeSender& sender, const Charge::Taken& taken, std::uint32_t messages, Found found);
    void take_back(const VolumeSender& sender, const Charge::Taken& taken, std::uint32_t messages);
    void forget();

    mutable std::mutex mutex_;
    LimitSettings limits_;
    Known known_;
    Announced announced_;
    std::uint64_t refused_ = 0;
    bool changed_ = false;
    base::Company company_;
    std::unordered_set<std::string> untold_, urgent_;  // keys of known_ that others have to hear of
};

}  // namespace postern::relay
