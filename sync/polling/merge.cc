#include "sync/polling/merge.h"

#include <algorithm>
#include <tuple>
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
Change change(const AddressList& before, const AddressList& after) {
    std::unordered_set<std::string_view> names;
    names.reserve(after.size());
    after.each([&](Kind kind, std::string_view name) {
        if (kind != Kind::user_disabled) names.insert(name);
    });
    Change change{0, names.size(), 0};
    before.each([&](Kind kind, std::string_view name) {
        if (kind == Kind::user_disabled) return;
        ++change.before;
        change.gone += names.contains(name) ? 0 : 1;
    });
    return change;
}

Change change(const DomainNames& before, const DomainNames& after) {
    const std::unordered_set<std::string_view> names(after.begin(), after.end());
    const auto gone = std::count_if(before.begin(), before.end(),
                                    [&](const std::string& name) { return !names.contains(name); });
    return {before.size(), after.size(), static_cast<std::size_t>(gone)};
}

/// A catch-all makes an address of every name.
Change change(const DomainOptions& before, const DomainOptions& after) {
    const std::size_t had = before.catch_all.empty() ? 0 : 1, has = after.catch_all.empty() ? 0 : 1;
    return {had, has, had > has ? had : 0};
}

/// believe(), noting what is worth telling.
bool take(std::optional<Suspicion>& suspicion, const Change& change, Time now, std::string_view what,
          std::vector<Loss>& losses, const Hold& hold) {
    const std::optional<Suspicion> earlier = suspicion;
    const bool taken = believe(suspicion, change, now, hold);
    if (!taken && suspicion->seen == 1) losses.push_back({what, *suspicion, false});
    if (taken && earlier && sudden_loss(change)) losses.push_back({what, *earlier, true});
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
        !take(part.suspicion, change(part.content, *reading), began, what, applied.losses, hold))
        return;
    part = {std::move(*reading), began};
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
                               std::vector<Loss>& losses, const Turn& turn) {
    std::vector<std::string> before, after;  // those that are not disabled, which is as good as gone
    for (const auto& [name, domain] : record.domains)
        if (domain.enabled) before.push_back(name);
    for (const ListedDomain& domain : listed) {
        const auto known = record.domains.find(domain.name);
        if (domain.enabled.value_or(known == record.domains.end() || known->second.enabled))
            after.push_back(domain.name);
    }
    const bool taken = take(record.suspicion, change(DomainNames(before), DomainNames(after)), now, "domains",
                            losses, turn.hold);

    decltype(record.domains) domains;
    const auto longest = std::min<std::chrono::seconds>(longest_unread, record.trust_for / 2);
    std::vector<std::tuple<bool, Time, std::string>> order;
    std::size_t still = 0;  // domains in which nothing has changed
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
        if (!turn.all && unchanged(entry, now, longest)) ++still;
        if (domain.enabled.value_or(true))
            order.emplace_back(!entry.error.empty(), entry.complete(), std::move(domain.name));
    }
    if (!taken) domains.merge(record.domains);
    record.domains = std::move(domains);
    record.listed = now;
    std::sort(order.begin(), order.end());
    std::size_t share = std::min((still + rounds_for_all - 1) / rounds_for_all, turn.most_unchanged);
    std::vector<std::string> names;
    for (auto& [trouble, read, name] : order) {
        if (!turn.all && unchanged(record.domains.at(name), now, longest) && share-- == 0) {
            share = 0;
            continue;
        }
        names.push_back(std::move(name));
    }
    return names;
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
    Change change;
    for (const auto& [name, domain] : record.domains) {
        if (!domain.enabled) continue;
        ++change.before;
        ++(domain.said_disabled ? change.gone : change.after);
    }
    if (!take(record.disabling, change, now, "domains", losses, hold)) return;
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
