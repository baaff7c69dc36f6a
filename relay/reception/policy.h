// Who may send what through us: pure functions of client, envelope, settings and directory.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "relay/mail/address.h"
#include "relay/mail/reply.h"
#include "relay/mail/srs.h"
#include "relay/settings.h"
#include "sync/snapshot.h"

namespace postern::relay {

/// A reply with what an administrator wants to know about it.
struct Decision {
    Reply reply;
    std::string_view rule;  // the key or rule that decided
    std::string reason;     // in words
    std::chrono::seconds directory_age{0};
    bool ask = false;        // the directory does not know better, but the primary may by now
    bool rewrite = false;    // a foreign sender, whose reverse-path is rewritten (SRS)
    bool monitored = false;  // a refusal that accept.mode = "monitor" turned into acceptance
};

/// The primary whose addresses contain `client` (an IPv4 or IPv6 literal; IPv4-mapped forms count as IPv4).
const PrimarySettings* primary_of(const Settings& settings, std::string_view client);

/// At MAIL. A client that is no primary is let through to RCPT, where it is refused for every recipient.
Decision judge_sender(const Settings& settings, const sync::Snapshot& directory,
                      const PrimarySettings* primary, const Address& reverse_path, sync::Time now);

/// At RCPT.
Decision judge_recipient(const PrimarySettings* primary, std::string_view client,
                         const Address& forward_path);

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
