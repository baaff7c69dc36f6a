// What one transaction hands in of its sender's: charged at RCPT, judged behind the data, kept with the
// commit.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "relay/mail/address.h"
#include "relay/mail/message.h"
#include "relay/reception/refusal.h"
#include "relay/reception/sender_limits.h"
#include "relay/volume/volume.h"
#include "sync/base/clock.h"

namespace postern::relay {

/// Of one session, on its thread; it does not outlive the Volume. What is not kept is given back when it
/// goes.
class SenderAccount {
public:
    SenderAccount(Volume& volume, const base::Clock& clock) : volume_(volume), clock_(clock) {}

    /// One recipient more, outside of the primaries' domains. `decision` is what it is answered so far; where
    /// a limit forbids it, or would with `monitored`, it is replaced. With `tell`, nothing is done and it is
    /// true where other gateways should be asked first.
    void charge(const VolumeSender& sender, const Address& recipient, bool monitored, Decision& decision,
                bool* tell = nullptr);
    /// What is unusual about the sender's volume, put into the envelope.
    VolumeAnswer restrain(Message& message, std::string_view subject);
    /// The message is stored, with that answer.
    void keep(const VolumeAnswer& answer, std::string_view subject);
    /// It could not be stored.
    void not_kept(const VolumeAnswer& answer);
    void give_back();

private:
    WatchedMail watched(std::string_view subject) const;

    Volume& volume_;
    const base::Clock& clock_;
    Tally::Charge charge_;
    VolumeSender sender_{{}, {}, {}};
    std::vector<std::uint64_t> recipients_;  // Acquaintances::recipient()
};

}  // namespace postern::relay
