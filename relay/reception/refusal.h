// Why something is refused: every rule by which a 4xx or 5xx leaves here, with the reply it makes.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "relay/mail/reply.h"

namespace postern::relay {

enum class Rule : std::uint8_t {
    none,  // nothing was refused
    connections,
    stranger_connections,
    shutdown,
    timeout,
    errors,
    other_protocol,
    line_length,
    command,
    not_utf8,
    syntax,
    sender_syntax,
    recipient_syntax,
    parameter,
    sequence,
    no_recipients,
    no_starttls,
    starttls_first,
    requiretls,
    sender_utf8,
    recipient_utf8,
    message_size,
    stranger_size,
    endless,
    recipients,
    envelope_size,
    memory,
    disk_fails,
    minimum_free,
    no_space,
    shortage,
    not_stored,
    unknown_user,
    domain_disabled,
    other_primary,
    foreign_domain,
    directory_unknown,
    not_answered,
    relaying,
    rewritten_wrong,
    reports_only,
    reports_often,
    postmaster,
    postmaster_often,
    limit_user,
    limit_domain,
    limit_primary,
    limit_all,
    unusual,
    bare_newline,
    nul,
    hops,
};

/// README's table "What it answers, and why" has a line for each.
struct RuleText {
    Rule rule;
    /// In events and counters: the configuration key that decides, or the RFC's section.
    std::string_view name;
    std::string_view when;  // the situation
    std::uint16_t code;
    EnhancedStatus status;
    std::string_view words;  // of the reply, where nothing more is known
};
std::span<const RuleText> rules();  // in the order of the enumeration, without `none`
const RuleText& text_of(Rule rule);

/// A reply with what an administrator wants to know about it.
struct Decision {
    Reply reply;
    Rule rule = Rule::none;  // that refuses, or would
    std::string reason;      // in words
    std::chrono::seconds directory_age{0};
    bool ask = false;        // the directory does not know better, but the primary may by now
    bool rewrite = false;    // a foreign sender, whose reverse-path is rewritten (SRS)
    bool monitored = false;  // a refusal that accept.mode = "monitor" turned into acceptance
};

/// The only way to a reply that refuses. `words` instead of the rule's own, when they are not "".
Decision refuse(Rule rule, std::string words = {});

}  // namespace postern::relay
