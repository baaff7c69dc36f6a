// The addresses mail leaves from: which one for which mail, which are refused where, and how new ones are
// warmed up. Pure but for its own memory; the clock is the caller's.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "relay/egress/history.h"
#include "relay/egress/receiver_steps.h"
#include "relay/egress/state.h"
#include "relay/egress/verdicts.h"
#include "relay/mail/message.h"
#include "relay/mail/reply.h"
#include "relay/settings.h"
#include "relay/views.h"

namespace postern::relay {

/// A local address with its EHLO name. `address` is "" for the system's choice.
struct Source {
    std::string address, hostname;

    bool operator==(const Source&) const = default;
};

/// Which address families a site can be reached by.
struct Families {
    bool four = true, six = true;
};

/// The verdict about a reply, found by the rules.
struct Judgement {
    ReplyMeaning meaning = ReplyMeaning::unknown;
    std::string rule;  // its name, "" when none matched
    std::chrono::seconds hold{0};
};

/// Whose mail it is.
struct MailOf {
    std::string_view domain;
    bool suspect = false;  // it leaves from DeliverySettings::suspects

    MailOf() = default;
    template <class Text>
    MailOf(const Text& sender_domain, bool is_suspect = false) : domain(sender_domain), suspect(is_suspect) {}
};

/// Used from one thread. A site is named as delivery names it (its mail exchangers). One thing: each choice
/// goes by all that is known of all addresses.
class EgressPool {
public:
    /// `state` is what save() gave, "" at the first start. What cannot be read of it is passed over.
    EgressPool(SettingsPtr settings, std::string_view state, Time now);

    void reload(SettingsPtr settings, Time now);

    struct Choice {
        std::optional<Source> source;  // none: mail for this site waits
        bool probe = false;            // the source is on probation here, and this message tries it
        std::string why;               // in words, for `explain`, or why there is none
        Time again{};                  // without a source: when it is worth asking again
    };
    /// Which address this mail leaves from. The rules, in the order in which they are tried:
    ///  1. Of the pool, those that have a family the site can be reached by; of suspects' mail their address
    ///     alone, which is for no other, if it has one.
    ///  2. Without any, the system's choice, which is judged like any other.
    ///  3. `except`, an address, only when no other can be chosen.
    ///  4. In the order of settings.rotation. On listing: as they are configured, those that warm up first.
    ///  5. Whoever has used its warm-up's allowance of the day, in all or for this site, or is held back by
    ///  the
    ///     site, comes after all others.
    ///  6. Suspended, absent or listed ones not at all.
    ///  7. The first that nothing is said against, or whose next probe is due, with some allowance left.
    ///  8. Else the best there is: with allowance left; nothing said against it; the larger allowance.
    ///  9. Else none, and mail waits.
    /// Does not count a message, but remembers whose turn it was, and a probe.
    Choice choose(const SitePart& place, MailOf sender, Families families, Time now,
                  std::string_view except = {});
    /// What choose() would answer, for `explain`: remembers nothing.
    Choice preview(const SitePart& place, MailOf sender, Families families, Time now,
                   std::string_view except = {}) const;
    /// Whether it warms up and has used its allowance of the day.
    bool spent(std::string_view source, Time now) const;
    bool spent(std::string_view source, std::string_view site, Time now) const;  // there

    /// Whether `source` may be used for `site` now (not listed there or everywhere, not suspended); a
    /// probation is no obstacle.
    bool usable(const std::string& source, const SitePart& place, Time now) const;

    using Verdict = EgressVerdict;
    /// Who refused an address, and what it had been told before.
    struct Refuser {
        SitePart place;       // its domain is "" as long as no recipient was named
        std::string witness;  // "NETWORK OWNER": whose word it is
        Refuser(SitePart where, std::string who = {}) : place(std::move(where)), witness(std::move(who)) {}
        Refuser(std::string_view site) : place(site) {}
        Refuser(const char* site) : place(site) {}
        Refuser(const std::string& site) : place(site) {}
    };
    /// The receiver's reply said so. The verdict, when it is news (new, or back from probation). What is said
    /// about named recipients holds for their domain, and for the site when the domain of another owner was
    /// refused there too. An address is listed everywhere when two witnesses say so that have neither network
    /// nor owner in common, or the list itself (blocklisted()); one witness brings at most one address down,
    /// and never the last that can be used of its family.
    std::optional<Verdict> refused(const std::string& source, const Refuser& who, const Judgement& judgement,
                                   const Reply& reply, Time now);
    /// The same site took from another address what this one was refused (signal b). As above.
    std::optional<Verdict> compared(const std::string& source, std::string_view site, const Reply& reply,
                                    Time now);
    /// A message was taken by the site. Gives the verdicts that are over with it. Counts towards warm-up.
    std::vector<Verdict> accepted(const std::string& source, const SitePart& place, Time now);
    /// The site wants less of it, or doubts its mail: that holds a warm-up back.
    void put_off(const std::string& source, const SitePart& place, Time now);
    /// What the operator's DNSBLs say of an address now: `text` by zone, for those that list it; `checked`
    /// are the zones that gave an answer at all (the others leave things as they are). Gives what is new and
    /// what is over.
    struct Change {
        std::vector<Verdict> listed, unlisted;
    };
    Change blocklisted(const std::string& source, const std::map<std::string, std::string>& text,
                       const std::set<std::string>& checked, Time now);
    /// It cannot be bound at present: as if suspended until then.
    void absent(const std::string& source, Time until);
    /// By the operator; site "" drops everything against the address.
    bool forget(const std::string& source, std::string_view site);

    std::vector<EgressView> views(Time now) const;
    /// Everything learnt; as of which change.
    EgressState state() const { return {history_.all(), verdicts_.all(), receivers_.all()}; }
    std::uint64_t version() const;
    /// What another gateway knows, and what it knows to be over.
    void learn(EgressState known, EgressState over, Time now);
    /// Everything learnt, as text; bounded (verdicts at most 10,000, the oldest go first).
    std::string save();
    /// Whether save() would differ from what it gave last; warm-up counts alone do not make it so within a
    /// minute.
    bool changed(Time now) const;

private:
    struct Candidate {
        Source source;
        Verdicts::Finding finding;
        std::optional<AddressHistory::WarmUpDay> warm_up;  // for the site
        bool suspended = false, absent = false, spent = false, held_back = false;
    };
    std::optional<AddressHistory::WarmUpDay> warm_up(const EgressSettings& egress, std::string_view site,
                                                     Time now) const;
    std::vector<Candidate> candidates(const SitePart& place, bool suspect, Families families, Time now) const;
    void put_in_order(std::vector<Candidate>& candidates, std::string_view sender_domain) const;
    Choice wait(const std::vector<Candidate>& candidates, Time now) const;
    bool is_absent(std::string_view source, Time now) const;
    bool another_remains(const std::string& source, Time now) const;
    EgressView view(const Source& source, const EgressSettings* egress, Time now) const;
    bool in_use(std::string_view address) const;

    SettingsPtr settings_;
    Verdicts verdicts_;
    AddressHistory history_;
    ReceiverSteps receivers_;                          // of the addresses that warm up
    std::map<std::string, Time, std::less<>> absent_;  // addresses that this machine lacks, until when
    std::map<std::string, std::uint64_t, std::less<>> turns_;  // the turn an address had last
    std::uint64_t turn_ = 0;
    std::uint64_t saved_revision_ = 0, saved_count_ = 0;
    Time clock_{}, saved_at_{};
};

}  // namespace postern::relay
