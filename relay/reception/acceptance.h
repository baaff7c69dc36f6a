// Who may send what through us: pure functions of client, envelope, settings and directory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "relay/mail/address.h"
#include "relay/mail/reply.h"
#include "relay/mail/srs.h"
#include "relay/reception/refusal.h"
#include "relay/settings.h"
#include "sync/directory/snapshot.h"

namespace postern::relay {

/// The primary whose addresses contain `client` (an IPv4 or IPv6 literal; IPv4-mapped forms count as IPv4).
const PrimarySettings* primary_of(const Settings& settings, std::string_view client);

/// At MAIL. `client`: the primary's address, which others may have too. A client that is no primary is let
/// through to RCPT, where it is refused for every recipient.
Decision judge_sender(const Settings& settings, const sync::Snapshot& directory,
                      const PrimarySettings* primary, const Address& reverse_path, sync::Time now,
                      std::string_view client = {});

/// A refusal of judge_sender() where the primary could not be asked: a user of a known domain may have been
/// made a moment ago, and is to try again.
void not_answered(const Settings& settings, Decision& decision);

/// At RCPT.
Decision judge_recipient(const PrimarySettings* primary, std::string_view client,
                         const Address& forward_path);

/// Whether `path` is the postmaster of this host, for whom anybody's mail is taken (RFC 5321 §4.5.1).
bool for_postmaster(const Settings& settings, const Address& path);
/// Where that mail goes: accept.postmaster; or the postmaster of the domain this host is named in, when a
/// primary has it; or, of a stranger's, the postmaster of this host at the first primary that has a
/// deliver_to. nullopt: nowhere.
std::optional<Address> postmaster_of(const Settings& settings, const sync::Snapshot& directory,
                                     const PrimarySettings* client, sync::Time now);

/// Whom mail is for, as it is decided at RCPT.
struct RecipientDecision {
    enum class Addressee : std::uint8_t {
        usual,
        author,  // of forwarded mail, by a rewritten reverse-path of ours
        postmaster,
    };
    Addressee addressee = Addressee::usual;
    Decision decision;
    Address instead;  // where the mail goes when it is accepted; null: to the path itself
};

/// At RCPT, of mail for a rewritten reverse-path of ours: reports from anyone, whatever from a primary.
/// nullopt when `forward_path` is none.
std::optional<RecipientDecision> judge_return(const Srs& srs, const PrimarySettings* primary,
                                              const Address& reverse_path, const Address& forward_path,
                                              Time now);

constexpr std::uint64_t stranger_size_max = 1ull << 20;    // of a message a stranger hands over
constexpr std::uint64_t stranger_excess_max = 1ull << 20;  // that is read, and not kept, of a larger one
constexpr unsigned stranger_recipients_max = 100;
constexpr std::size_t hops_max = 100;  // RFC 5321 §6.3

/// Octets of a message that a client may hand over; 0: any amount.
std::uint64_t size_limit(const Settings& settings, bool stranger);
/// What a larger one is answered.
Decision too_large(const Settings& settings, bool stranger);

/// What was seen of a content.
struct Seen {
    std::uint64_t size = 0;
    bool bare_newlines = false, nuls = false;
    std::size_t hops = 0;  // Received fields
};
/// Behind the content. What is put right for a primary is refused from anybody else.
Decision judge_content(const Settings& settings, bool stranger, const Seen& seen);

/// Who hands mail over, and what that is judged by.
struct Caller {
    const Settings& settings;
    const sync::Snapshot& directory;
    const Srs* srs;                  // null where foreign senders are not rewritten
    const PrimarySettings* primary;  // null for a stranger
    std::string_view client;
};

/// The whole of what is known at RCPT, in this order: judge_return(), the postmaster of this host,
/// judge_recipient(). What depends on the hour, or on room, comes on top of it.
RecipientDecision decide_recipient(const Caller& caller, const Address& reverse_path,
                                   const Address& forward_path, sync::Time now);

}  // namespace postern::relay
