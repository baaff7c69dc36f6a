// Header fields of our own that a message carries out of the house and is known by when it comes back:
// signed, so that nobody else can make one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "relay/mail/message.h"

namespace postern::relay {

inline constexpr std::string_view screening_field = "X-Postern-Screening";
inline constexpr std::string_view journal_field = "X-Postern-Journal";
/// The same as a header is searched for them: see value_of().
inline constexpr std::string_view screening_name = "x-postern-screening:";
inline constexpr std::string_view journal_name = "x-postern-journal:";

/// What the way through a screening gateway loses of an envelope.
struct Itinerary {
    MessageId id;  // it left as this
    std::string primary;
    /// The reverse-path that reports go to, when another was told (SRS); null otherwise.
    Address author, sent_as;
    std::string envelope_id;
    ReturnContent return_content = ReturnContent::unspecified;
    bool require_tls = false;
    struct Recipient {
        std::string address;  // as it was told
        RecipientOptions options;
    };
    std::vector<Recipient> recipients;  // those that had any

    const RecipientOptions* options_of(const Address& recipient) const;
};

/// What an envelope and some of its recipients are to get back.
Itinerary itinerary_of(const Envelope& envelope, MessageId id, const std::vector<std::uint16_t>& recipients);

/// Immutable; any thread. Compared in constant time.
class Marks {
public:
    /// `secret` of at least 16 octets.
    explicit Marks(std::string secret) : secret_(std::move(secret)) {}

    /// A journal report is known by this value of its field, and by the boundary made of it.
    std::string journal(MessageId id) const;
    bool is_journal(std::string_view value) const;

    /// The whole field, folded, with CRLF.
    std::string screening(const Itinerary& itinerary) const;
    /// Of the field's value, however it was folded since; nullopt when it was not made here, or changed.
    std::optional<Itinerary> read_screening(std::string_view value) const;

private:
    std::string seal(std::string_view what, std::string_view text) const;
    bool sealed(std::string_view what, std::string_view text, std::string_view seal) const;

    std::string secret_;
};

}  // namespace postern::relay
