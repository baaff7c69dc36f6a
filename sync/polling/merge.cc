#include "sync/polling/merge.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

namespace postern::sync {

namespace {

constexpr std::size_t rounds_for_all = 12;  // until each domain that does not change has been read again
constexpr std::chrono::seconds longest_unread = std::chrono::hours(24);

/// As far as the list of domains shows it, which is not all: a user who is disabled still counts.
bool unchanged(const DomainRecord& record, Time now, std::chrono::seconds longest) {
    return record.enabled && record.counts && record.counts == record.counts_read && record.error.empty() &&
           !record.said_disabled && !suspected(record) && now - record.complete() < longest;
}

/// Who is disabled is as good as gone: his mail is refused just so.
Difference difference(const AddressList& before, const AddressList& after) {
    std::unordered_set<std::string_view> names;
    names.reserve(after.size());
    after.each([&](Kind kind, std::string_view name) {
        if (kind != Kind::user_disabled) names.insert(name);
    });
    Difference difference{0, names.size(), 0};
    before.each([&](Kind kind, std::string_view name) {
        if (kind == Kind::user_disabled) return;
        ++difference.before;
        difference.gone += names.contains(name) ? 0 : 1;
    });
    return difference;
}

Difference difference(const DomainNames& before, const DomainNames& after) {
    const std::unordered_set<std::string_view> names(after.begin(), after.end());
    const auto gone = std::count_if(before.begin(), before.end(),
                                    [&](const std::string& name) { return !names.contains(name); });
    return {before.size(), after.size(), static_cast<std::size_t>(gone)};
}

/// A catch-all makes an address of every name.
Difference difference(const DomainOptions& before, const DomainOptions& after) {
    const std::size_t had = before.catch_all.empty() ? 0 : 1, has = after.catch_all.empty() ? 0 : 1;
    return {had, has, had > has ? had : 0};
}

/// believe(), noting what is worth telling.
bool take(std::optional<Suspicion>& suspicion, const Difference& difference, Time now, std::string_view what,
          std::vector<Loss>& losses, const Hold& hold) {
    const std::optional<Suspicion> earlier = suspicion;
    const bool taken = believe(suspicion, difference, now, hold);
    if (!taken && suspicion->seen == 1) losses.push_back({what, *suspicion, false});
    if (taken && earlier && sudden_loss(difference)) losses.push_back({what, *earlier, true});
    return taken;
}

/// `what`: that may be lost; what cannot be read is called so too, unless it has another `name`.
template <class T>
void update(Part<T>& part, Result<T>& reading, std::string_view what, Time began, Applied& applied,
            const Hold& hold, std::string_view name = {}) {
    if (!reading) {
        applied.errors += (applied.errors.empty() ? "" : "; ") + std::string(name.empty() ? what : name) +
                          ": " + reading.error().words;
        return;
    }
    applied.any = true;
    if (part.known() &&
        !take(part.suspicion, difference(part.content, *reading), began, what, applied.losses, hold))
        return;
    part = {std::move(*reading), began};
}

/// Names of domains that are not disabled, which is as good as gone.
std::vector<std::string> in_force(const PrimaryRecord& record) {
    std::vector<std::string> names;
    for (const auto& [name, domain] : record.domains)
        if (domain.enabled) names.push_back(name);
    return names;
}

std::vector<std::string> enabled_of(const std::vector<ListedDomain>& listed, const PrimaryRecord& record) {
    std::vector<std::string> names;
    for (const ListedDomain& domain : listed) {
        const auto known = record.domains.find(domain.name);
        if (domain.enabled.value_or(known == record.domains.end() || known->second.enabled))
            names.push_back(domain.name);
    }
    return names;
}

/// A domain that may be read in this round; sorted, those to read first are in front.
struct Due {
    bool trouble;
    Time read;
    std::string name;
    bool unchanged;
    auto operator<=>(const Due&) const = default;
};

/// Of those that have not changed only a share, so that each has its turn within so many rounds.
std::vector<std::string> in_turn(std::vector<Due> due, std::size_t most_unchanged) {
    std::sort(due.begin(), due.end());
    const auto still = static_cast<std::size_t>(std::ranges::count_if(due, &Due::unchanged));
    const std::size_t share = std::min((still + rounds_for_all - 1) / rounds_for_all, most_unchanged);
    std::vector<std::string> names;
    std::size_t taken = 0;  // of the share
    for (Due& one : due)
        if (!one.unchanged || taken++ < share) names.push_back(std::move(one.name));
    return names;
}

}  // namespace

void name_domains(PrimaryRecord& record, Time now) {
    decltype(record.domains) domains;
    for (const std::string& spelling : record.own) {
        const ListedDomain named = listed_domain(spelling);
        if (named.name.empty()) continue;
        const auto known = record.domains.find(named.name);
        DomainRecord& domain = domains[named.name];
        if (known != record.domains.end() && !known->second.users.known()) domain = std::move(known->second);
        domain.spelling = spelling;
        domain.enabled = true;
        domain.listed = domain.domain_aliases.read = now;
    }
    record.domains = std::move(domains);
    record.listed = now;
}

std::vector<std::string> merge(PrimaryRecord& record, std::vector<ListedDomain> listed, Time now,
                               std::vector<Loss>& losses, const RoundScope& scope) {
    const Difference difference =
        sync::difference(DomainNames(in_force(record)), DomainNames(enabled_of(listed, record)));
    const bool taken = take(record.suspicion, difference, now, "domains", losses, scope.hold);
    const auto longest = std::min<std::chrono::seconds>(longest_unread, record.trust_for / 2);

    decltype(record.domains) domains;
    std::vector<Due> due;
    for (ListedDomain& domain : listed) {
        auto known = record.domains.extract(domain.name);
        const bool is_new = known.empty() && !domains.contains(domain.name);
        DomainRecord& entry =
            known.empty() ? domains[domain.name] : domains.insert(std::move(known)).position->second;
        entry.spelling = std::move(domain.spelling);
        entry.listed = now;
        if (domain.enabled.value_or(false)) entry.said_disabled = false;
        if (taken || is_new || domain.enabled.value_or(false))
            entry.enabled = domain.enabled.value_or(entry.enabled);
        entry.counts = domain.counts;
        if (domain.enabled.value_or(true))
            due.push_back({!entry.error.empty(), entry.complete(), std::move(domain.name),
                           !scope.all && unchanged(entry, now, longest)});
    }
    if (!taken) domains.merge(record.domains);
    record.domains = std::move(domains);
    record.listed = now;
    return in_turn(std::move(due), scope.most_unchanged);
}

Applied apply(DomainRecord& record, DomainReading& reading, Time began, const Hold& hold) {
    Applied applied;
    if (reading.options && reading.options->enabled) {
        const bool enabled = *reading.options->enabled;
        record.said_disabled = !enabled;
        if (enabled || !record.options.known()) record.enabled = enabled;
    }
    const bool read = reading.options.has_value();
    update(record.options, reading.options, "catch-all", began, applied, hold, "settings");
    if (read && (record.said_disabled || !record.enabled)) return applied;
    if (!reading.listed) return applied;
    update(record.users, reading.users, "users", began, applied, hold);
    update(record.aliases, reading.aliases, "aliases", began, applied, hold);
    update(record.lists, reading.lists, "mailing lists", began, applied, hold);
    update(record.domain_aliases, reading.domain_aliases, "domain aliases", began, applied, hold);
    if (reading.resources) update(record.resources, reading.resources, "resources", began, applied, hold);
    if (applied.errors.empty()) record.counts_read = record.counts;
    return applied;
}

void settle(PrimaryRecord& record, Time now, std::vector<Loss>& losses, const Hold& hold) {
    Difference difference;
    for (const auto& [name, domain] : record.domains) {
        if (!domain.enabled) continue;
        ++difference.before;
        ++(domain.said_disabled ? difference.gone : difference.after);
    }
    if (!take(record.disabling, difference, now, "domains", losses, hold)) return;
    for (auto& [name, domain] : record.domains) domain.enabled = domain.enabled && !domain.said_disabled;
}

bool confirm(PrimaryRecord& record) {
    bool any = false;
    const auto mark = [&](std::optional<Suspicion>& suspicion) {
        if (!suspicion) return;
        suspicion->confirmed = any = true;
    };
    mark(record.suspicion);
    mark(record.disabling);
    for (auto& [name, domain] : record.domains) {
        for (Part<AddressList>* part : {&domain.users, &domain.aliases, &domain.lists, &domain.resources})
            mark(part->suspicion);
        mark(domain.options.suspicion);
        mark(domain.domain_aliases.suspicion);
    }
    return any;
}

}  // namespace postern::sync
