#include "relay/reception/acceptance.h"

#include <algorithm>

#include "relay/net/address_range.h"
#include "sync/base/ascii.h"

namespace postern::relay {

const PrimarySettings* primary_of(const Settings& settings, std::string_view client) {
    for (const auto& primary : settings.primaries)
        for (const auto& network : primary.addresses)
            if (contains(network, client)) return &primary;
    return nullptr;
}

namespace {

Reply sender_ok() { return Reply{250, {2, 1, 0}, "ok"}; }
Reply recipient_ok() { return Reply{250, {2, 1, 5}, "ok"}; }

Decision refuse_sender(const Settings& settings, const sync::Verdict& verdict, Rule rule, std::string words) {
    Decision out = refuse(rule, std::move(words));
    out.reason = sync::describe(verdict.reason);
    out.ask =
        verdict.reason != sync::Reason::user_disabled && verdict.reason != sync::Reason::domain_disabled;
    out.directory_age = verdict.age;
    if (!settings.accept.enforce) {
        out.monitored = true;
        out.reply = sender_ok();
    }
    return out;
}

/// A primary sends for its own users, and for those of the primaries it may send for, or shares the client's
/// address with.
bool speaks_for(const Settings& settings, const PrimarySettings& primary, std::string_view owner,
                std::string_view client) {
    if (owner.empty() || owner == primary.name) return true;
    if (std::find(primary.sends_for.begin(), primary.sends_for.end(), owner) != primary.sends_for.end())
        return true;
    return std::any_of(settings.primaries.begin(), settings.primaries.end(), [&](const auto& other) {
        return other.name == owner &&
               std::any_of(other.addresses.begin(), other.addresses.end(),
                           [&](const Network& network) { return contains(network, client); });
    });
}

/// Why the domain is the owner's, and the remedy where that is only what the owner says.
std::string in_words(const Settings& settings, std::string_view owner, const std::string& domain) {
    const std::string who(owner);
    for (const auto& one : settings.primaries)
        if (one.name == owner &&
            std::find(one.domains.begin(), one.domains.end(), domain) != one.domains.end())
            return "the `domains` of " + who + " name it";
    return who +
           " lists it, though its `domains` do not name it; if that is wrong, name it in the `domains` of "
           "another";
}

}  // namespace

Decision judge_sender(const Settings& settings, const sync::Snapshot& directory,
                      const PrimarySettings* primary, const Address& reverse_path, sync::Time now,
                      std::string_view client) {
    using sync::Reason;
    Decision yes;
    yes.reply = sender_ok();
    const AcceptSettings& accept = settings.accept;
    if (primary == nullptr || reverse_path.null()) return yes;
    bool any = accept.sender == Check::any;
    if (any && accept.foreign_sender != ForeignSender::rewrite) return yes;

    sync::Verdict verdict = accept.sender == Check::user
                                ? directory.address(reverse_path.mailbox(), reverse_path.domain, now)
                                : directory.domain(reverse_path.domain, now);
    yes.directory_age = verdict.age;
    yes.rewrite =
        accept.foreign_sender == ForeignSender::rewrite && verdict.reason == sync::Reason::no_such_domain;
    if (any) return yes;
    if (verdict.standing != sync::Standing::unknown &&
        !speaks_for(settings, *primary, verdict.primary, client)) {
        constexpr std::string_view why = "another primary has the domain";
        Decision no = refuse_sender(settings, verdict, Rule::other_primary,
                                    "sender domain " + reverse_path.domain + ": " + std::string(why));
        no.reason = std::string(why) + ": " + in_words(settings, verdict.primary, reverse_path.domain);
        no.ask = false;
        return no;
    }
    if (verdict.standing == sync::Standing::good) return yes;

    std::string why(sync::describe(verdict.reason));
    switch (verdict.reason) {
        case Reason::no_such_user:
        case Reason::user_disabled:
            return refuse_sender(settings, verdict, Rule::unknown_user,
                                 "sender <" + reverse_path.text() + ">: " + why);
        case Reason::no_such_domain:
            if (accept.foreign_sender != ForeignSender::refuse) return yes;
            return refuse_sender(settings, verdict, Rule::foreign_domain,
                                 "sender domain " + reverse_path.domain + ": " + why);
        case Reason::domain_disabled:
            return refuse_sender(settings, verdict, Rule::domain_disabled,
                                 "sender domain " + reverse_path.domain + ": " + why);
        case Reason::never_synced:
        case Reason::domain_not_read:
        case Reason::stale:
            return refuse_sender(settings, verdict, Rule::directory_unknown, why + ", try again later");
        case Reason::user:
        case Reason::alias:
        case Reason::mailing_list:
        case Reason::list_command:
        case Reason::catch_all:
        case Reason::role:
        case Reason::domain: break;  // good, dealt with above
    }
    return yes;
}

void not_answered(const Settings& settings, Decision& decision) {
    if (decision.rule != Rule::unknown_user || !decision.ask) return;
    decision.rule = Rule::not_answered;
    if (settings.accept.enforce) decision.reply = refuse(Rule::not_answered).reply;
    decision.reason += ", and the primary could not be asked";
}

Decision judge_recipient(const PrimarySettings* primary, std::string_view client,
                         const Address& forward_path) {
    Decision out;
    out.reply = recipient_ok();
    if (primary != nullptr) return out;
    out = refuse(Rule::relaying, "relaying to <" + forward_path.text() + "> denied: " + std::string(client) +
                                     " is not a primary of this gateway");
    out.reason = "the client is none of the primaries";
    return out;
}

bool for_postmaster(const Settings& settings, const Address& path) {
    return path.domain == base::lower(settings.hostname) && base::lower(path.mailbox()) == "postmaster";
}

std::optional<Address> postmaster_of(const Settings& settings, const sync::Snapshot& directory,
                                     const PrimarySettings* client, sync::Time now) {
    if (!settings.accept.postmaster.empty()) return parse_address(settings.accept.postmaster);
    const std::string host = base::lower(settings.hostname);
    std::string_view domain = host;
    for (std::size_t dot; (dot = domain.find('.')) != std::string_view::npos;) {
        if (directory.domain(domain, now).standing == sync::Standing::good)
            return Address{"postmaster", std::string(domain)};
        domain.remove_prefix(dot + 1);
    }
    // Not back to the primary that did not keep it: that would be a loop.
    const bool there = std::any_of(settings.primaries.begin(), settings.primaries.end(),
                                   [](const auto& one) { return !one.deliver_to.host.empty(); });
    if (client != nullptr || !there) return std::nullopt;
    return Address{"postmaster", host};
}

std::optional<RecipientDecision> judge_return(const Srs& srs, const PrimarySettings* primary,
                                              const Address& reverse_path, const Address& forward_path,
                                              Time now) {
    Srs::Origin origin = srs.reverse(forward_path, now);
    RecipientDecision out;
    out.addressee = RecipientDecision::Addressee::author;
    Decision& decision = out.decision;
    auto no = [&](Rule rule, std::string reason) {
        decision = refuse(rule, "<" + forward_path.text() + ">: " + reason);
        decision.reason = std::move(reason);
    };
    switch (origin.fault) {
        case Srs::Fault::not_ours: return std::nullopt;
        case Srs::Fault::forged: no(Rule::rewritten_wrong, "the rewritten address was not made here"); break;
        case Srs::Fault::expired: no(Rule::rewritten_wrong, "the rewritten address has expired"); break;
        case Srs::Fault::none: break;
    }
    if (origin.fault != Srs::Fault::none) return out;
    if (primary == nullptr && !reverse_path.null()) {
        // Anything else would make of every address ever rewritten an open relay to its origin.
        no(Rule::reports_only, "a rewritten address takes reports only, which have no sender");
    } else {
        decision.reply = recipient_ok();
        decision.reason = "a rewritten address of ours, which leads back to " + origin.address.text();
        out.instead = std::move(origin.address);
    }
    return out;
}

std::uint64_t size_limit(const Settings& settings, bool stranger) {
    const std::uint64_t limit = settings.queue.message_size;
    return stranger && (limit == 0 || limit > stranger_size_max) ? stranger_size_max : limit;
}

Decision too_large(const Settings& settings, bool stranger) {
    const std::uint64_t limit = size_limit(settings, stranger);
    return refuse(limit == settings.queue.message_size ? Rule::message_size : Rule::stranger_size,
                  "message larger than " + std::to_string(limit) + " bytes");
}

Decision judge_content(const Settings& settings, bool stranger, const Seen& seen) {
    const std::uint64_t limit = size_limit(settings, stranger);
    const bool strict = stranger || settings.accept.bare_newline == BareNewline::refuse;
    if (limit > 0 && seen.size > limit) return too_large(settings, stranger);
    if (seen.bare_newlines && strict) return refuse(Rule::bare_newline);
    if (seen.nuls && strict) return refuse(Rule::nul);
    if (seen.hops > hops_max)
        return refuse(Rule::hops,
                      "the message has passed more than " + std::to_string(hops_max) + " hosts: a mail loop");
    Decision out;
    out.reply = Reply{250, {2, 0, 0}, "ok"};
    return out;
}

RecipientDecision decide_recipient(const Caller& caller, const Address& reverse_path,
                                   const Address& forward_path, sync::Time now) {
    if (caller.srs != nullptr)
        if (auto back = judge_return(*caller.srs, caller.primary, reverse_path, forward_path, now))
            return std::move(*back);
    RecipientDecision out;
    if (!for_postmaster(caller.settings, forward_path)) {
        out.decision = judge_recipient(caller.primary, caller.client, forward_path);
        return out;
    }
    out.addressee = RecipientDecision::Addressee::postmaster;
    auto whom = postmaster_of(caller.settings, caller.directory, caller.primary, now);
    if (!whom) {
        out.decision = refuse(Rule::postmaster);
        return out;
    }
    out.decision.reply = recipient_ok();
    out.decision.reason = "the postmaster of this host is " + whom->text();
    out.instead = std::move(*whom);
    return out;
}

}  // namespace postern::relay
