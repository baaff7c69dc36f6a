#include "relay/volume/judgement.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "sync/base/ascii.h"

namespace postern::relay {

namespace {

struct Bounds {
    double hour, day;  // that nobody minds though there is no history
    double pace;       // at the least
};
constexpr Bounds least{25, 60, 12};
constexpr double slow_pace = 3,
                 trickle = 1;          // where much speaks against the sender, and others of its domain
constexpr double prior_days = 5;       // of history that the site's own speaks as loud as
constexpr double times_mean_hour = 3;  // an hour of three times the mean is nothing unusual
constexpr double times_mean_day = 3;   // nor a day

constexpr std::uint64_t few = 10;      // recipients of which no share is taken,
constexpr std::uint64_t very_few = 5;  // where the whole domain is unusual
constexpr double mostly_fresh = 0.85, much_fresh = 0.6;
constexpr double some_refused = 0.08, much_refused = 0.2;
constexpr std::uint64_t refused_few = 4, refused_several = 6, answered_enough = 20, answered_few = 8;
constexpr double quiet = 0.2;  // of the site's busiest hour
constexpr double strangers_least = 30, times_strangers = 3;

/// How many times the usual, by points: what is only much is let pass, what looks wrong is not.
constexpr std::array times_usual{5.0, 2.0, 1.4, 1.0, 1.0, 0.4, 0.2};
constexpr unsigned strong = 3;  // points with which a volume that is beyond is more than a note

double share(std::uint64_t part, std::uint64_t of) {
    return of == 0 ? 0 : static_cast<double>(part) / static_cast<double>(of);
}

double refused_share(const VolumeEvidence& evidence) {
    return share(evidence.unknown + evidence.spam, evidence.answered);
}

/// 0, 1 or 2.
unsigned fresh_points(const VolumeEvidence& evidence) {
    if (evidence.recipients < (evidence.domain ? very_few : few)) return 0;
    const double fresh = share(evidence.fresh, evidence.recipients);
    const double beyond = fresh - evidence.fresh_usual;
    if (fresh >= mostly_fresh && beyond >= 0.3) return 2;
    return fresh >= much_fresh && beyond >= 0.2 ? 1 : 0;
}

/// 0, 1 or 3.
unsigned refused_points(const VolumeEvidence& evidence) {
    const std::uint64_t refused = evidence.unknown + evidence.spam;
    if (refused >= refused_several && refused_share(evidence) >= much_refused) return 3;
    return refused >= refused_few && refused_share(evidence) >= some_refused ? 1 : 0;
}

std::string percent(double share) { return std::to_string(std::lround(share * 100)) + " %"; }

std::string in_words(const UsualVolume& usual, const VolumeUsed& used, bool by_day,
                     const VolumeEvidence& evidence) {
    std::string out = std::to_string(by_day ? used.day : used.hour) + " recipients in " +
                      (by_day ? "a day" : "an hour") + ", where up to " +
                      std::to_string(std::lround(by_day ? usual.day : usual.hour)) + " are usual";
    if (fresh_points(evidence) > 0)
        out += "; " + percent(share(evidence.fresh, evidence.recipients)) + " never written to before";
    if (refused_points(evidence) > 0)
        out += "; " + std::to_string(evidence.unknown) + " refused as unknown and " +
               std::to_string(evidence.spam) + " as spam, of " + std::to_string(evidence.answered) +
               " answered";
    if (evidence.odd_hour) out += "; at an hour that it never sends at";
    if (evidence.named) out += "; a receiver says: " + evidence.named_by;
    if (evidence.domain) out += "; many of its domain write to strangers at once";
    return out;
}

}  // namespace

std::string_view text_of(VolumeLevel level) {
    constexpr std::array<std::string_view, volume_levels> texts{"usual", "noted", "slowed", "held",
                                                                "refused"};
    return texts[static_cast<std::size_t>(level)];
}

UsualVolume usual_volume(const History& history, const History& prior, base::Time at) {
    const double days = history.days(at);
    const double own = days / (days + prior_days);
    const double hour = own * history.mean_hour(at) + (1 - own) * prior.mean_hour(at);
    // A day that is not over yet, and what is left of the one before.
    const auto mean_day = [at](const History& of) {
        return std::max(of.mean_day(at), of.mean_day(at - std::chrono::hours(24)));
    };
    const double day = own * mean_day(history) + (1 - own) * mean_day(prior);
    UsualVolume out;
    out.hour = least.hour + times_mean_hour * (hour + std::sqrt(hour));
    out.day = least.day + times_mean_day * (day + std::sqrt(day));
    out.pace = hour;
    return out;
}

bool odd_hour(const History& history, const History& prior, base::Time at) {
    return history.mean_hour(at) == 0 && prior.mean_hour(at) < quiet * prior.busiest_hour();
}

bool many_strangers(const History& domain, std::uint64_t fresh, base::Time at) {
    const double usual = domain.mean_hour(at) * domain.fresh_share();
    return static_cast<double>(fresh) > strangers_least + times_strangers * (usual + std::sqrt(usual));
}

unsigned points_of(const VolumeEvidence& evidence) {
    return fresh_points(evidence) + refused_points(evidence) + (evidence.odd_hour ? 1u : 0u) +
           (evidence.named ? 3u : 0u) + (evidence.domain && fresh_points(evidence) > 0 ? 3u : 0u);
}

VolumeJudgement judge_volume(const UsualVolume& usual, const VolumeUsed& used,
                             const VolumeEvidence& evidence) {
    const unsigned points = points_of(evidence);
    const double times = times_usual[std::min<std::size_t>(points, times_usual.size() - 1)];
    const double hour = static_cast<double>(used.hour) / usual.hour;
    const double day = static_cast<double>(used.day) / usual.day;
    const double beyond = std::max(hour, day);
    VolumeJudgement out;
    out.pace = std::max(usual.pace, points < strong ? least.pace : evidence.domain ? trickle : slow_pace);
    if (beyond > times) {
        out.level = VolumeLevel::slowed;
        const bool answers =
            evidence.named || (evidence.answered >= (evidence.domain ? answered_few : answered_enough) &&
                               refused_points(evidence) == 3);
        if (points >= strong && answers) out.level = VolumeLevel::held;
    } else if (beyond > 1) {
        out.level = VolumeLevel::noted;
    }
    if (out.level != VolumeLevel::usual) out.why = in_words(usual, used, day > hour, evidence);
    return out;
}

ReceiverSays receiver_says(const Reply& reply, bool dns) {
    if (reply.code >= 200 && reply.code < 300) return ReceiverSays::taken;
    if (dns && reply.code == 0) return ReceiverSays::unknown;
    if (!reply.permanent()) return ReceiverSays::other;
    const std::string text = base::lower(reply.text);
    const auto says = [&](const char* words) { return text.find(words) != std::string::npos; };
    constexpr std::array spam{"spam", "unsolicited", "phish", "junk", "virus", "malware", "bulk mail"};
    if (std::any_of(spam.begin(), spam.end(), says)) return ReceiverSays::spam;
    const auto& status = reply.status;
    if (status.category == 5 && status.subject == 1 &&
        (status.detail <= 3 || status.detail == 6 || status.detail == 10))
        return ReceiverSays::unknown;
    constexpr std::array unknown{"user unknown",        "unknown user",      "no such user",
                                 "no such recipient",   "does not exist",    "recipient not found",
                                 "unknown recipient",   "mailbox not found", "no mailbox",
                                 "mailbox unavailable", "invalid recipient", "account disabled"};
    return std::any_of(unknown.begin(), unknown.end(), says) ? ReceiverSays::unknown : ReceiverSays::other;
}

bool names_account(const Reply& reply, std::string_view sender) {
    if (reply.code < 400 || sender.empty()) return false;
    const std::string text = base::lower(reply.text);
    const auto says = [&](std::string_view words) { return text.find(words) != std::string::npos; };
    // Microsoft's for an account that sends spam; others say it in words.
    if (reply.status.category == 5 && reply.status.subject == 1 && reply.status.detail == 8 &&
        says("outbound sender"))
        return true;
    constexpr std::array trouble{"spam", "compromis", "abus", "suspicious", "hacked"};
    return says(base::lower(sender)) &&
           std::any_of(trouble.begin(), trouble.end(), [&](const char* word) { return says(word); });
}

}  // namespace postern::relay
