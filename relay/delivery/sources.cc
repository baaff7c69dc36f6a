#include "relay/delivery/sources.h"

#include <utility>

#include "relay/mail/route_key.h"

namespace postern::relay {

std::string domain_of(const Job& job) {
    return job.route.kind == RouteKey::Kind::exchangers ? job.route.name : std::string();
}

Sources::Sources(Environment& env, std::string_view learnt)
    : env_(env), pool_(env.settings, learnt, env_.clock.wall()) {}

void Sources::reload() { pool_.reload(env_.settings, env_.clock.wall()); }

EgressPool::Choice Sources::choose(const Site& site, const Job& job) {
    const std::string domain = domain_of(job);
    const Address& sender = job.message->stored->message.envelope.reverse_path;
    const bool suspect = !env_.settings->delivery.suspects.empty() && env_.suspected &&
                         env_.suspected(job.message->stored->message.envelope);
    return pool_.choose(SitePart(site.hosts().exchangers, domain), MailOf(sender.domain, suspect),
                        families(site), env_.clock.wall(), job.suspect);
}

EgressPool::Choice Sources::preview(const Site& site, std::string_view domain) const {
    return pool_.preview(SitePart(site.hosts().exchangers, domain), {}, families(site), env_.clock.wall());
}

bool Sources::any_for(const Site& site, const Job& job) const {
    const Address& sender = job.message->stored->message.envelope.reverse_path;
    return pool_.preview(site.hosts().exchangers, sender.domain, families(site), env_.clock.wall())
        .source.has_value();
}

bool Sources::another_than(const Source& source, const Site& site) const {
    auto other =
        pool_.preview(site.hosts().exchangers, {}, families(site), env_.clock.wall(), source.address);
    return other.source && other.source->address != source.address;
}

bool Sources::out_of_use(const Site& site, const SourceQueue& from) const {
    if (!site.hosts().pooled) return false;
    const std::string& address = from.source.address;
    Time time = env_.clock.wall();
    if (!pool_.usable(address, site.hosts().exchangers, time)) return true;
    const std::string& there = site.hosts().exchangers;
    if (env_.settings->egress.size() < 2 || !pool_.spent(address, there, time)) return false;
    auto better = preview(site);
    return better.source && better.source->address != address &&
           !pool_.spent(better.source->address, there, time);
}

void Sources::absent(const Source& source) {
    pool_.absent(source.address, env_.clock.wall() + std::chrono::minutes(1));
}

Families Sources::families(const Site& site) const {
    Families all = families_of(site.hosts().targets);
    if (!all.four || !all.six) return all;
    Time time = env_.clock.steady();
    const FamilyMemory& here = site.memory.families;
    bool four = here.doubtful(false, time), six = here.doubtful(true, time);
    if (!four && !six) four = families_.doubtful(false, time), six = families_.doubtful(true, time);
    if (four == six) return all;
    Families rest{!four, !six};
    if (!site.hosts().pooled || env_.settings->egress.empty()) return rest;
    auto other = pool_.preview(site.hosts().exchangers, {}, rest, env_.clock.wall());
    return other.source && !other.source->address.empty() ? rest : all;
}

bool Sources::unusual(const Site& site, const Source& source) const {
    if (source.address.empty()) return false;
    Families usual = families(site);
    return !(is_six(source) ? usual.six : usual.four);
}

bool Sources::family_failed(Site& site, const Source& source, Time begun) {
    Families all = families_of(site.hosts().targets);
    if (source.address.empty() || !all.four || !all.six) return false;
    site.memory.families.failed(is_six(source), begun, env_.clock.steady());
    return unusual(site, source);
}

void Sources::reached(Site& site, const Target& target, Time begun) {
    Time time = env_.clock.steady();
    HostMemory& memory = site.memory;
    memory.reached(target.endpoint);
    const bool six = is_six(target);
    bool other_failed = false;
    for (const auto& one : site.hosts().targets)
        other_failed = other_failed ||
                       (one.host == target.host && is_six(one) != six && memory.doubtful(one.endpoint, time));
    memory.families.worked(six);
    families_.worked(six);
    if (!other_failed) return;
    memory.families.failed(!six, begun, time);
    if (!std::exchange(memory.told_family, true)) families_.failed(!six, begun, time);
}

}  // namespace postern::relay
