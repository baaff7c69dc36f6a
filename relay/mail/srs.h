// The sender rewriting scheme: a reverse-path of our own that leads back to a foreign sender.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "relay/mail/address.h"
#include "relay/mail/message.h"

namespace postern::relay {

/// Immutable; any thread.
class Srs {
public:
    /// `secret` of at least 16 octets; `domain` is that of the addresses made.
    Srs(std::string secret, std::string domain);

    /// SRS0=hash=day=domain=local@ours; of an address that is rewritten already SRS1. nullopt when the result would
    /// be longer than 256 octets of local part... then the mail keeps its own reverse-path.
    std::optional<Address> rewrite(const Address& sender, Time now) const;

    enum class Fault : std::uint8_t { none, not_ours, forged, expired };
    struct Origin {
        Address address;  // where a report to the rewritten path goes; null with a fault
        Fault fault = Fault::none;
    };
    /// Compared in constant time; valid for 21 days. Hash and prefix without regard to case (some hosts change it).
    Origin reverse(const Address& rewritten, Time now) const;

private:
    std::string secret_, domain_;
};

/// The secret in `file`, made at the first start with mode 0600. Throws std::runtime_error naming the file.
std::string obtain_srs_secret(const std::filesystem::path& file);

}  // namespace postern::relay
