// Whether a sender's volume is unusual, and what is done about it: pure functions of what is usual for it,
// what it has sent and what receivers answered.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "relay/mail/reply.h"
#include "relay/volume/history.h"
#include "sync/base/clock.h"

namespace postern::relay {

/// What is done about a sender, the stronger behind the weaker.
enum class VolumeLevel : std::uint8_t {
    usual,
    noted,    // it is told, nothing else
    slowed,   // its mail to the outside waits in the queue and leaves at the usual pace
    held,     // new mail to the outside is held for an administrator
    refused,  // too much is held: new mail is answered 450
};
constexpr std::size_t volume_levels = 5;
std::string_view text_of(VolumeLevel level);

/// How many recipients outside of the primaries' domains, with the message that is judged.
struct VolumeUsed {
    std::uint64_t hour = 0, day = 0;
};

/// Up to how many nobody minds, and the pace at which a slowed sender's mail leaves.
struct UsualVolume {
    double hour = 0, day = 0;
    double pace = 0;  // recipients an hour
};

/// `prior`: what is usual for the senders of the site, which say as much as there is of a new one.
UsualVolume usual_volume(const History& history, const History& prior, base::Time at);

/// Whether a sender sends when it never does, and hardly anybody of the site.
bool odd_hour(const History& history, const History& prior, base::Time at);

/// Whether more recipients in an hour are new to whom of the domain they come from than is usual for it.
bool many_strangers(const History& domain, std::uint64_t fresh, base::Time at);

/// What speaks against a sender, of the last day.
struct VolumeEvidence {
    std::uint64_t recipients = 0, fresh = 0;  // of those, never written to before
    double fresh_usual = 1;                   // the share that is usual for the sender
    std::uint64_t answered = 0, unknown = 0,
                  spam = 0;     // recipients receivers answered about; refused as no mailbox, as spam
    bool odd_hour = false;      // it has never sent at this time of the day
    bool named = false;         // a receiver says that the account itself sends spam
    bool domain = false;        // many of its domain write to strangers at once
    std::string named_by = {};  // what it says
};

/// 0: nothing. What each point means is told by the judgement's words.
unsigned points_of(const VolumeEvidence& evidence);

struct VolumeJudgement {
    VolumeLevel level = VolumeLevel::usual;
    std::string why;  // in words; "" when it is usual
    double pace = 1;  // of one that is slowed: recipients an hour
};
VolumeJudgement judge_volume(const UsualVolume& usual, const VolumeUsed& used,
                             const VolumeEvidence& evidence);

/// What a receiver's last word about one recipient says of the mail, or of the list it was sent by.
enum class ReceiverSays : std::uint8_t { taken, unknown, spam, other };
/// `dns`: it is ours, of a domain that is none.
ReceiverSays receiver_says(const Reply& reply, bool dns);

/// Whether a receiver's refusal says that the account, or whoever uses it, is the trouble.
bool names_account(const Reply& reply, std::string_view sender);

}  // namespace postern::relay
