// Who may send what through us: pure functions of client, envelope, settings and directory.
#pragma once

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

/// At RCPT, of mail for a rewritten reverse-path of ours: reports from anyone, whatever from a primary.
struct ReturnDecision {
    Decision decision;
    Address origin;  // where the mail goes when it is accepted
};
/// nullopt when `forward_path` is none, and judge_recipient() decides.
std::optional<ReturnDecision> judge_return(const Srs& srs, const PrimarySettings* primary,
                                           const Address& reverse_path, const Address& forward_path,
                                           Time now);

}  // namespace postern::relay
