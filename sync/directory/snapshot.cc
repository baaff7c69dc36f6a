#include "sync/directory/snapshot.h"

#include <algorithm>

#include "sync/directory/address_table.h"
#include "sync/directory/directory.h"
#include "sync/directory/fold.h"
#include "sync/directory/learned.h"

namespace postern::sync {

namespace {

bool older(Time since, std::chrono::seconds limit, Time now) { return now - since > limit; }

Reason reason_of(Kind kind) {
    switch (kind) {
        case Kind::user:
        case Kind::user_receiving:
        case Kind::user_unread:
        case Kind::resource: return Reason::user;
        case Kind::user_disabled: return Reason::user_disabled;
        case Kind::alias: return Reason::alias;
        case Kind::mailing_list: return Reason::mailing_list;
        case Kind::list_command: return Reason::list_command;
    }
    return Reason::user;
}

/// What "user+folder" stands for: "user".
std::string_view without_folder(std::string_view local_part) {
    const auto plus = local_part.find('+');
    return plus == local_part.npos || plus == 0 ? local_part : local_part.substr(0, plus);
}

AddressTable::Entry stored(const AddressTable& table, std::uint32_t domain, std::string_view local_part) {
    const AddressTable::Entry entry = table.find_address(domain, local_part);
    const std::string_view user = without_folder(local_part);
    return entry || user.size() == local_part.size() ? entry : table.find_address(domain, user);
}

const std::shared_ptr<const AddressTable>& nothing() {
    static const auto table = std::make_shared<const AddressTable>(Directory{});
    return table;
}

}  // namespace

Snapshot::Snapshot() : table_(nothing()) {}

Snapshot::Snapshot(const std::vector<PrimaryRecord>& primaries)
    : table_(std::make_shared<const AddressTable>(primaries)) {}

Snapshot::Snapshot(const Snapshot& base, std::shared_ptr<const Learned> learned)
    : table_(base.table_), learned_(std::move(learned)) {}

Verdict Snapshot::verdict(std::uint32_t owner, Standing standing, Reason reason, Time since, Time now) const {
    const auto& primary = table_->primaries()[owner];
    if (standing == Standing::bad && older(since, primary.trust_for, now)) {
        standing = Standing::unknown;
        reason = Reason::stale;
    }
    const auto age = since == Time{} ? Time::duration{} : std::max(now - since, Time::duration{});
    return {standing, reason, primary.name, std::chrono::duration_cast<std::chrono::seconds>(age)};
}

Verdict Snapshot::unknown_domain(Time now) const {
    Verdict verdict{table_->primaries().empty() ? Standing::unknown : Standing::bad,
                    table_->primaries().empty() ? Reason::never_synced : Reason::no_such_domain,
                    {},
                    {}};
    for (const auto& primary : table_->primaries()) {
        if (primary.listed == Time{} || primary.aliases_missing)
            return {Standing::unknown, Reason::never_synced, {}, {}};
        if (older(primary.listed, primary.trust_for, now)) {
            verdict.standing = Standing::unknown;
            verdict.reason = Reason::stale;
        }
        verdict.age =
            std::max(verdict.age, std::chrono::duration_cast<std::chrono::seconds>(now - primary.listed));
    }
    return verdict;
}

Verdict Snapshot::domain(std::string_view name, Time now) const {
    const AddressTable::Domain* domain = table_->find_domain(name);
    if (domain == nullptr) return unknown_domain(now);
    if (!domain->enabled)
        return verdict(domain->primary, Standing::bad, Reason::domain_disabled, domain->listed, now);
    return verdict(domain->primary, Standing::good, Reason::domain, domain->listed, now);
}

/// What the primary said when it was asked, unless the domain has been read since then.
const Answer* Snapshot::learned(std::string_view local_part, std::string_view domain, Time read) const {
    if (learned_ == nullptr) return nullptr;
    const Answer* answer = learned_->find(without_folder(local_part), domain);
    return answer != nullptr && answer->asked > read ? answer : nullptr;
}

Verdict Snapshot::address(std::string_view local_part, std::string_view name, Time now) const {
    const AddressTable::Domain* domain = table_->find_domain(name);
    if (domain == nullptr) {
        const Answer* answer = learned(local_part, name, now - newness_lasts);
        if (answer == nullptr || !answer->kind || *answer->kind == Kind::user_disabled)
            return unknown_domain(now);
        return {Standing::good,
                reason_of(*answer->kind),
                {},
                std::chrono::duration_cast<std::chrono::seconds>(now - answer->asked)};
    }
    const auto judge = [&](Standing standing, Reason reason, Time since) {
        return verdict(domain->primary, standing, reason, since, now);
    };
    if (!domain->enabled) return judge(Standing::bad, Reason::domain_disabled, domain->listed);
    if (fold::same(local_part, "postmaster") || fold::same(local_part, "abuse"))
        return judge(Standing::good, Reason::role, domain->listed);

    const AddressTable::Entry entry = stored(*table_, domain->target, local_part);
    if (entry && entry.kind != Kind::user_disabled)
        return judge(Standing::good, reason_of(entry.kind), domain->read);
    const Answer* answer = learned(local_part, table_->domains()[domain->target].name, domain->read);
    if (answer != nullptr && answer->kind) {
        const Reason reason = reason_of(*answer->kind);
        return judge(reason == Reason::user_disabled ? Standing::bad : Standing::good, reason, answer->asked);
    }
    const bool complete = domain->read != Time{};
    if (entry && complete) return judge(Standing::bad, Reason::user_disabled, domain->read);
    if (domain->catch_all && !entry) return judge(Standing::good, Reason::catch_all, domain->read);
    if (answer != nullptr && answer->fresh(now))
        return judge(Standing::bad, Reason::no_such_user, answer->asked);
    if (!complete) return judge(Standing::unknown, Reason::domain_not_read, domain->read);
    return judge(Standing::bad, Reason::no_such_user, domain->read);
}

Snapshot::Entry Snapshot::find(std::string_view local_part, std::string_view name) const {
    const AddressTable::Domain* domain = table_->find_domain(name);
    if (domain == nullptr) return {};
    const std::string& target = table_->domains()[domain->target].name;
    const AddressTable::Entry entry = stored(*table_, domain->target, local_part);
    const Answer* answer = learned(local_part, target, domain->read);
    if (answer != nullptr && (!entry || entry.kind == Kind::user_disabled))
        return {answer->kind.has_value(), answer->kind.value_or(Kind::user), answer->local_part, target,
                answer->asked};
    return {static_cast<bool>(entry), entry.kind, entry.text, target, {}};
}

Snapshot::Owner Snapshot::owner(std::string_view name) const {
    const AddressTable::Domain* domain = table_->find_domain(name);
    if (domain == nullptr) return {};
    const AddressTable::Domain& target = table_->domains()[domain->target];
    return {table_->primaries()[domain->primary].name, target.name,
            target.spelling.empty() ? target.name : target.spelling, domain->enabled, domain->read};
}

std::size_t Snapshot::addresses() const { return table_->addresses(); }
std::size_t Snapshot::domains() const { return table_->domains().size(); }
std::size_t Snapshot::memory() const { return sizeof *this + table_->memory(); }

}  // namespace postern::sync
