// Which of our addresses mail for a site leaves from, and by which family.
#pragma once

#include <string>
#include <string_view>

#include "relay/delivery/environment.h"
#include "relay/delivery/family_memory.h"
#include "relay/delivery/site.h"
#include "relay/egress/pool.h"
#include "sync/base/ip_address.h"

namespace postern::relay {

/// The domain a job is for, when it goes to mail exchangers; else "".
std::string domain_of(const Job& job);

/// The egress pool, asked for what delivery knows of a site. On the delivery loop.
class Sources {
public:
    Sources(Environment& env, std::string_view learnt);

    void reload();
    EgressPool& pool() { return pool_; }
    const EgressPool& pool() const { return pool_; }

    /// For mail of the job to a pooled site; remembers whose turn it was.
    EgressPool::Choice choose(const Site& site, const Job& job);
    /// What choose() would answer, for mail to `domain` or to any.
    EgressPool::Choice preview(const Site& site, std::string_view domain = {}) const;
    /// Whether the site can be sent to at all, if not this mail.
    bool any_for(const Site& site, const Job& job) const;
    /// Whether another than `source` can be tried at the site.
    bool another_than(const Source& source, const Site& site) const;
    /// Whether what is in line is better sent from another address by now.
    bool out_of_use(const Site& site, const SourceQueue& from) const;
    /// This machine does not have it at present.
    void absent(const Source& source);

    /// The families that a site's hosts are tried by: without the one that leads nowhere at present, as long
    /// as mail can go by the other.
    Families families(const Site& site) const;
    bool unusual(const Site& site, const Source& source) const;  // it is of the family that leads nowhere
    /// None of the hosts could be reached from the source. True when they are tried by the other family
    /// first, before the site is said to be down.
    bool family_failed(Site& site, const Source& source, Time begun);
    /// What it says of the families: one that failed at the same host is worse than the other, here and
    /// perhaps everywhere.
    void reached(Site& site, const Target& target, Time begun);

private:
    Environment& env_;
    EgressPool pool_;
    FamilyMemory families_{3};  // of all sites that have both
};

/// An IPv6 one.
inline bool is_six(const Target& target) { return target.endpoint.address().is_v6(); }
inline bool is_six(const Source& source) { return base::is_v6_literal(source.address); }

}  // namespace postern::relay
