// The sender rewriting scheme: a reverse-path of our own that leads back to a foreign sender.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "relay/mail/address.h"
#include "relay/mail/message.h"

namespace postern::relay {

/// Immutable; any thread. Local parts are compared without regard to case, since hosts on the way may change
/// it.
class Srs {
public:
    /// `secret` of at least 16 octets; `domain` is that of the addresses made.
    Srs(std::string secret, std::string_view domain);

    /// SRS0=hash=day=domain=local@ours, or SRS1=hash=host=… for an address that another host has rewritten.
    /// nullopt for one of our own domain, and when the local part would be longer than 256 octets: then the
    /// mail keeps its own reverse-path.
    std::optional<Address> rewrite(const Address& sender, Time now) const;

    enum class Fault : std::uint8_t { none, not_ours, forged, expired };
    struct Origin {
        Address address;  // where a report to the rewritten path goes; null with a fault
        Fault fault = Fault::none;
    };
    /// The hash is compared in constant time; SRS0 is valid for 21 days, SRS1 as long as the host it leads to
    /// takes it.
    Origin reverse(const Address& rewritten, Time now) const;

private:
    std::string secret_, domain_;
};

}  // namespace postern::relay
