#include "relay/reception/policy.h"

#include "relay/net/address_range.h"

namespace postern::relay {

const PrimarySettings* primary_of(const Settings& settings, std::string_view client) {
    for (const auto& primary : settings.primaries)
        for (const auto& network : primary.addresses)
            if (contains(network, client)) return &primary;
    return nullptr;
}

namespace {

Reply accepted() { return Reply{250, {2, 1, 0}, "ok"}; }

Decision refuse(const Settings& settings, const sync::Verdict& verdict, Reply reply, std::string_view rule) {
    Decision out;
    out.rule = rule;
    out.reason = sync::describe(verdict.reason);
    out.ask =
        verdict.reason != sync::Reason::user_disabled && verdict.reason != sync::Reason::domain_disabled;
    out.directory_age = verdict.age;
    out.reply = std::move(reply);
    if (!settings.accept.enforce) {
        out.monitored = true;
        out.reply = accepted();
    }
    return out;
}

}  // namespace

Decision judge_sender(const Settings& settings, const sync::Snapshot& directory,
                      const PrimarySettings* primary, const Address& reverse_path, sync::Time now) {
    using sync::Reason;
    Decision yes;
    yes.reply = accepted();
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
    if (verdict.standing == sync::Standing::good) return yes;

    std::string why(sync::describe(verdict.reason));
    switch (verdict.reason) {
        case Reason::no_such_user:
        case Reason::user_disabled:
            return refuse(settings, verdict,
                          Reply{550, {5, 1, 8}, "sender <" + reverse_path.text() + ">: " + why},
                          "accept.sender");
        case Reason::no_such_domain:
            if (accept.foreign_sender != ForeignSender::refuse) return yes;
            return refuse(settings, verdict,
                          Reply{550, {5, 7, 1}, "sender domain " + reverse_path.domain + ": " + why},
                          "accept.foreign_sender");
        case Reason::domain_disabled:
            return refuse(settings, verdict,
                          Reply{550, {5, 7, 1}, "sender domain " + reverse_path.domain + ": " + why},
                          "accept.sender");
        case Reason::never_synced:
        case Reason::domain_not_read:
        case Reason::stale:
            return refuse(settings, verdict, Reply{451, {4, 3, 0}, why + ", try again later"},
                          "accept.sender");
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

Decision judge_recipient(const PrimarySettings* primary, std::string_view client,
                         const Address& forward_path) {
    Decision out;
    out.reply = Reply{250, {2, 1, 5}, "ok"};
    if (primary != nullptr) return out;
    out.reply = Reply{550,
                      {5, 7, 1},
                      "relaying to <" + forward_path.text() + "> denied: " + std::string(client) +
                          " is not a primary of this gateway"};
    out.rule = "primary.addresses";
    out.reason = "the client is none of the primaries";
    return out;
}

std::optional<ReturnDecision> judge_return(const Srs& srs, const PrimarySettings* primary,
                                           const Address& reverse_path, const Address& forward_path,
                                           Time now) {
    Srs::Origin origin = srs.reverse(forward_path, now);
    ReturnDecision out;
    Decision& decision = out.decision;
    decision.rule = "accept.foreign_sender";
    switch (origin.fault) {
        case Srs::Fault::not_ours: return std::nullopt;
        case Srs::Fault::forged: decision.reason = "the rewritten address was not made here"; break;
        case Srs::Fault::expired: decision.reason = "the rewritten address has expired"; break;
        case Srs::Fault::none: break;
    }
    if (origin.fault != Srs::Fault::none) {
        decision.reply = Reply{550, {5, 1, 1}, "<" + forward_path.text() + ">: " + decision.reason};
    } else if (primary == nullptr && !reverse_path.null()) {
        // Anything else would make of every address ever rewritten an open relay to its origin.
        decision.reason = "a rewritten address takes reports only, which have no sender";
        decision.reply = Reply{550, {5, 7, 1}, "<" + forward_path.text() + ">: " + decision.reason};
    } else {
        decision.reply = Reply{250, {2, 1, 5}, "ok"};
        out.origin = std::move(origin.address);
    }
    return out;
}

}  // namespace postern::relay
