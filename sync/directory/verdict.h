// What the directory says about an address or a domain.
#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>

namespace postern::sync {

using Time = std::chrono::system_clock::time_point;

enum class Standing : std::uint8_t { good, bad, unknown };

/// What a verdict rests on. Closed on purpose: relay chooses the SMTP reply by it, switched without a
/// default.
enum class Reason : std::uint8_t {
    user,             // good
    alias,            // good
    mailing_list,     // good
    list_command,     // good: the domain's list command address
    catch_all,        // good: the domain takes every local part
    role,             // good: postmaster or abuse of a known domain (RFC 5321 §4.5.1, RFC 2142)
    domain,           // good: asked about the domain only
    no_such_user,     // bad: the domain is known and fresh enough, the local part is not in it
    user_disabled,    // bad: the primary says the user may neither sign in nor receive
    domain_disabled,  // bad
    no_such_domain,   // bad: no primary has it
    never_synced,     // unknown: nothing has been learned yet
    domain_not_read,  // unknown: the domain exists, its users have not been read yet
    stale,            // unknown: older than trust_for, so absence proves nothing
};

/// The answer about one address or domain, with what an administrator asks next: why, whose, how old.
struct Verdict {
    Standing standing = Standing::unknown;
    Reason reason = Reason::never_synced;
    std::string_view primary;  // name of the primary it concerns, "" when none; lives as long as the Snapshot
    std::chrono::seconds age{0};  // of the data the verdict rests on; 0 when there is none
};

/// One short English clause, e.g. "no such user" or "directory not yet known". Never contains network input.
std::string_view describe(Reason reason);

}  // namespace postern::sync
