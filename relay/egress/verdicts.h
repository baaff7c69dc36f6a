// What speaks against our addresses: refused by a site, or listed as a whole, for how long, and how it ends.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "relay/mail/message.h"

namespace postern::relay {

struct EgressVerdict {
    std::string address, site;  // site "": everywhere; "@DOMAIN": mail to that domain
    std::string zone;           // the DNSBL that lists the address, "" when receivers told us
    std::string by, text;       // "reply RULE", "blocklist ZONE" or "comparison"; what was said
    std::string witness;        // who said that the address is listed everywhere: networks and owners
    std::string at;             // the site, of a verdict about one domain's mail
    Time since{}, until{};
    unsigned times = 1;     // in a row, each twice as long as the one before, at most a day
    unsigned accepted = 0;  // on probation

    /// Else it is on probation: little mail is let through until it is over.
    bool holds(Time now) const { return now < until; }
};

/// The name somebody has registered that a domain stands below, as far as its shape tells ("a.example.co.uk":
/// "example.co.uk").
std::string owner_of(std::string_view domain);

/// Where mail goes to, as far as verdicts tell it apart: a site, and there the mail of one domain ("" for
/// any).
struct SitePart {
    SitePart(std::string_view of_site, std::string_view of_domain = {})
        : site(of_site), domain(of_domain.empty() ? std::string() : '@' + std::string(of_domain)) {}
    SitePart(const char* of_site) : SitePart(std::string_view(of_site)) {}
    SitePart(const std::string& of_site) : SitePart(std::string_view(of_site)) {}

    std::string_view site;
    std::string domain;  // "@DOMAIN"
};

/// At most 10,000 verdicts, the oldest go first. One stays on probation for 30 days when no mail comes by
/// that could end it. Survives a clock that is set back: what began in the future begins now.
class Verdicts {
public:
    enum class Standing : std::uint8_t { clear, probation, listed };
    struct Finding {
        Standing standing = Standing::clear;
        const EgressVerdict* verdict = nullptr;  // the one that holds longest; valid until the next change
        bool probe_due = true;                   // on probation: no mail was let through for a minute
    };
    Finding find(std::string_view address, const SitePart& place, Time now) const;

    /// A receiver's word, for `hold` or twice as long as the last time when it comes on probation. The
    /// verdict when it is news.
    std::optional<EgressVerdict> refuse(EgressVerdict verdict, std::chrono::seconds hold, Time now);
    /// A zone's word, which holds until the zone takes it back, or was not heard for `hold`.
    std::optional<EgressVerdict> confirm(EgressVerdict verdict, std::chrono::seconds hold, Time now);
    /// A message was taken: counts for what is on probation, and gives what is over.
    std::vector<EgressVerdict> accept(std::string_view address, const SitePart& place, Time now);
    /// A message was let through on probation.
    void probed(std::string_view address, const SitePart& place, Time now);

    /// Whether `witness` already brought another address than this one down everywhere.
    bool spoke_against_another(std::string_view witness, std::string_view address) const;
    /// Whether somebody else, with another network and of another owner, says now that the address is listed
    /// everywhere; who, or "".
    std::string second_witness(std::string_view address, std::string_view witness, Time now) const;
    /// Whether another owner's domain at the same site was refused from the address too.
    bool refused_another(std::string_view address, const SitePart& place, Time now) const;
    /// The zone no longer lists the address.
    std::optional<EgressVerdict> withdraw(std::string_view address, std::string_view zone);
    /// Drops the verdicts of one site, or all against the address when `site` is "".
    bool drop(std::string_view address, std::string_view site);
    /// Drops what zones said that are not asked any more.
    void keep_zones(const std::vector<std::string>& zones);

    /// What another gateway knows, unless something newer is known here; or, `over`, knew until now.
    void learn(EgressVerdict verdict, bool over, Time now);

    void notice(Time now);
    void load(std::vector<EgressVerdict> verdicts, Time now);

    std::vector<EgressVerdict> all() const;
    std::vector<EgressVerdict> of(std::string_view address) const;
    /// Grows with every change worth saving.
    std::uint64_t revision() const { return revision_; }

private:
    struct Entry {
        EgressVerdict verdict;
        std::optional<Time> probed;
    };
    using Key = std::tuple<std::string, std::string, std::string>;  // address, site, zone
    using Map = std::map<Key, Entry, std::less<>>;

    /// Does `each` with the place of every entry about the address that holds at `place`, the widest first;
    /// that one may be erased.
    template <typename Entries, typename Each>
    static void visit(Entries& entries, std::string_view address, const SitePart& place, Each each);
    EgressVerdict put(EgressVerdict verdict);
    template <typename Condition>
    bool erase(Condition condition);

    Map entries_;
    Time clock_ = Time::min();
    std::uint64_t revision_ = 0;
};

}  // namespace postern::relay
