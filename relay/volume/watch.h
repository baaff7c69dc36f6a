// Who sends more than is usual for him, and what is done about it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "relay/mail/reply.h"
#include "relay/settings.h"
#include "relay/volume/acquaintances.h"
#include "relay/volume/episode.h"
#include "relay/volume/history.h"
#include "relay/volume/judgement.h"
#include "relay/volume/news.h"
#include "relay/volume/sliding_count.h"
#include "relay/volume/tally.h"
#include "sync/base/clock.h"
#include "sync/base/cluster.h"

namespace postern::relay {

/// A message of a primary's that is judged, with its recipients outside of the primaries' domains.
struct WatchedMail {
    const VolumeSender& sender;
    std::span<const std::uint64_t> recipients;  // Acquaintances::recipient()
    std::uint32_t announced = 0;                // of those, that were expected
    std::string_view subject;
};

/// What is done with a message.
struct VolumeAnswer {
    VolumeLevel level = VolumeLevel::usual;  // slowed or held: what is done; monitored: usual or noted
    base::Time until{};                      // of one that is slowed: when it leaves, steady time
    base::Time::duration takes{};            // of one that is slowed: of its sender's time
    std::string why;
    std::optional<VolumeChange> change;  // of the sender, to be told
};

/// Judges each message as it is accepted, by the sender's own history, who of its recipients is new to it,
/// and what receivers answered. Nothing is learnt of a sender while its volume is unusual, but what an
/// administrator released. Any thread; `now` is steady, `wall` what the clock on the wall shows.
/// One thing: a judgement needs all of them as they are at one moment, under one lock.
class Watch {
public:
    static constexpr std::size_t most_known = 50'000;  // users, and as many domains
    static constexpr std::uint64_t held_most = 1000;   // messages of one sender, then 450
    static constexpr std::size_t most_episodes = 10'000;

    explicit Watch(Tally& tally) : tally_(tally) {}

    void reload(const UnusualSettings& settings, bool enforce);

    /// Of a message whose recipients have been charged, before it is stored.
    VolumeAnswer judge(const WatchedMail& mail, base::Time now, base::Time wall);
    /// It is stored, as `answer` says.
    void accepted(const WatchedMail& mail, const VolumeAnswer& answer, base::Time now, base::Time wall);
    /// It could not be stored.
    void not_accepted(const WatchedMail& mail, const VolumeAnswer& answer);
    /// Why nothing more is taken of the sender, "" when it is.
    std::string refuses(const VolumeSender& sender) const;
    void answered(std::string_view sender, ReceiverSays says, const Reply& reply, base::Time now);
    /// What is over since, to be told; called now and then.
    std::vector<VolumeChange> look(base::Time now, base::Time wall);

    /// It is all right: the episode is over, what came is learnt, and for a day twice as much may come.
    /// False: there is none of that name.
    /// `decided`: when that was said, `now` if not given; what began later is not meant.
    bool release(const std::string& user, base::Time now, base::Time decided = {});
    /// It is not, and all over: nothing is learnt of it. False as above.
    bool drop(const std::string& user, base::Time now = {}, base::Time decided = {});
    /// Of everybody whose volume is unusual; the strongest answers first.
    std::vector<EpisodeView> views(base::Time now) const;
    /// What is usual for a user: for whoever explains.
    struct Usual {
        UsualVolume volume;
        VolumeUsed used;
        unsigned days = 0;  // of history
        VolumeLevel level = VolumeLevel::usual;
        bool learning = false;  // the site is watched for too short a time to do anything
    };
    Usual usual(const VolumeSender& sender, base::Time now, base::Time wall) const;
    bool suspect(std::string_view user) const;  // slowed or worse
    /// A new site is only watched until then; the epoch: it is not new, or nothing is watched.
    base::Time learning_until(base::Time wall) const;

    // Of several gateways, each of which sees a part of what a sender does: what one sees the others are
    // told.

    void tell_others(bool tell);
    /// What they were not told yet, some octets of it.
    void news(std::vector<base::Fact>& out, std::size_t octets);
    /// What holds now, for one that begins; with `histories`, what is usual for whom.
    void all_news(std::vector<base::Fact>& out, bool histories, base::Time now, base::Time wall) const;
    /// What was decided in the last day.
    std::vector<VolumeDecision> decisions(base::Time now) const;
    /// What one of them was told by the gateway of that name; gives what is to be told here. Facts that are
    /// not of senders are passed over.
    std::optional<VolumeChange> hear(const std::string& gateway, const base::Fact& fact, base::Time now,
                                     base::Time wall);

    /// As text, to be kept; nullopt when nothing has changed: what is done about whom, which is little, and
    /// what is usual for whom.
    std::optional<std::string> save_episodes();
    std::optional<std::string> save_histories();
    std::optional<std::string> save_acquaintances();
    void not_saved();
    void restore(std::string_view text);  // of either
    bool restore_acquaintances(std::string_view octets);

private:
    /// Of the last hour and day.
    struct Recent {
        SlidingCount hour, hour_fresh, day, day_fresh, answered, unknown, spam;
        std::map<std::string, base::Time> strangers;  // of a domain: users that wrote to some, and when last
        std::string named_by;
        base::Time named_until{};
    };
    using Histories = std::unordered_map<std::string, History>;

    VolumeEvidence evidence_of(const std::string& who, const History& history, std::uint32_t recipients,
                               std::uint32_t fresh, base::Time now, base::Time wall) const;
    UsualVolume usual_of(const std::string& user, const History& history, base::Time now,
                         base::Time wall) const;
    const History& history_of(const Histories& in, const std::string& who) const;
    bool domain_unusual(const VolumeSender& sender, std::uint32_t fresh, base::Time now,
                        base::Time wall) const;
    VolumeJudgement judge_now(const VolumeSender& sender, std::uint32_t recipients, std::uint32_t fresh,
                              base::Time now, base::Time wall, UsualVolume& usual) const;
    std::uint32_t fresh_of(const WatchedMail& mail) const;
    void count(const WatchedMail& mail, std::uint32_t fresh, bool learnt, base::Time now, base::Time wall);
    bool learning(base::Time wall) const;
    void learn_prior();
    void forget(base::Time now);
    void withhold(Episode& episode, const std::string& user, std::uint32_t recipients, base::Time wall);
    void take_answers(const AnsweredElsewhere& some, base::Time now);
    void hear_sent(const SentElsewhere& sent, base::Time now, base::Time wall);
    std::optional<VolumeChange> hear_unusual(const std::string& gateway, const UnusualElsewhere& unusual,
                                             base::Time now, base::Time wall);
    bool decide(const std::string& user, bool released, base::Time now, base::Time decided);
    void hear_histories(std::string_view text);

    mutable std::mutex mutex_;
    Tally& tally_;
    UnusualSettings settings_;
    bool enforce_ = true;
    Histories users_, domains_;
    History prior_;
    std::unordered_map<std::string, Recent> recent_;  // users and domains
    Acquaintances acquaintances_;
    std::unordered_map<std::string, Episode> episodes_;  // of users
    std::unordered_map<std::string, Permission> permitted_;
    std::unordered_map<std::string, VolumeDecision> decided_;
    base::Time began_{};  // when the site was watched first, on the wall
    base::Time prior_learnt_{};
    bool changed_ = false, urgent_ = false, met_ = false;  // since the last save
    bool tells_ = false;
    VolumeNews news_;
};

/// "3 recipients in the last hour and 12 in the last day, where up to 28 and 80 are usual (21 days known)".
std::string in_words(const Watch::Usual& usual);

}  // namespace postern::relay
