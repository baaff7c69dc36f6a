#include "sync/snapshot.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <stdexcept>

#include "sync/directory.h"

namespace postern::sync {

namespace {

constexpr std::size_t header = 6;  // octets of an arena entry before its local part

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

/// Up to eight octets from `at` on in one word, ASCII letters in lower case, zeros after the end: look-ups
/// are on the mail path, and a word at a time is several times faster than an octet.
std::uint64_t word_at(std::string_view text, std::size_t at) {
    std::uint64_t word = 0;
    if (text.size() - at >= sizeof word) {
        std::memcpy(&word, text.data() + at, sizeof word);
    } else {
        for (std::size_t i = text.size(); i > at; --i)
            word = word << 8 | static_cast<unsigned char>(text[i - 1]);
    }
    constexpr std::uint64_t ones = 0x0101010101010101u;
    const std::uint64_t low = word & (0x7f * ones);
    const std::uint64_t from_a = low + (0x80 - 'A') * ones, after_z = low + (0x7f - 'Z') * ones;
    return word | ((from_a ^ after_z) & ~word & (0x80 * ones)) >> 2;
}

bool same(std::string_view any_case, std::string_view lower_case) {
    if (any_case.size() != lower_case.size()) return false;
    for (std::size_t at = 0; at < any_case.size(); at += 8)
        if (word_at(any_case, at) != word_at(lower_case, at)) return false;
    return true;
}

std::uint32_t hash(std::string_view text, std::uint32_t seed) {
    std::uint64_t value = (text.size() << 32 | seed) * 0x9e3779b97f4a7c15u;
    for (std::size_t at = 0; at < text.size(); at += 8) {
        value = (value ^ word_at(text, at)) * 0xd6e8feb86659fd93u;
        value ^= value >> 32;
    }
    return static_cast<std::uint32_t>((value * 0x9e3779b97f4a7c15u) >> 32);
}

std::size_t table_size(std::size_t entries) { return std::bit_ceil(entries + entries / 3 + 2); }

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

Kind kind_at(const char* entry) { return static_cast<Kind>(entry[4]); }

std::string_view text_at(const char* entry) { return {entry + header, static_cast<unsigned char>(entry[5])}; }

template <class Visit>
void each_list(const DomainRecord& record, Visit&& visit) {
    for (const Part<AddressList>* part : {&record.users, &record.aliases, &record.lists, &record.resources})
        visit(part->content);
}

}  // namespace

std::string_view describe(Reason reason) {
    switch (reason) {
        case Reason::user: return "user";
        case Reason::alias: return "alias";
        case Reason::mailing_list: return "mailing list";
        case Reason::list_command: return "list command address";
        case Reason::catch_all: return "the domain takes every address";
        case Reason::role: return "role address of a known domain";
        case Reason::domain: return "known domain";
        case Reason::no_such_user: return "no such user";
        case Reason::user_disabled: return "user is disabled";
        case Reason::domain_disabled: return "domain is disabled";
        case Reason::no_such_domain: return "no such domain";
        case Reason::never_synced: return "directory not yet known";
        case Reason::domain_not_read: return "domain's users not yet known";
        case Reason::stale: return "directory too old to tell";
    }
    return "unknown";
}

Snapshot::Snapshot(const std::vector<PrimaryRecord>& primaries) {
    struct Source {
        std::uint32_t primary;
        const DomainRecord* record;
    };
    std::map<std::string_view, Source> sources;  // by domain
    for (std::uint32_t i = 0; i < primaries.size(); ++i) {
        const PrimaryRecord& primary = primaries[i];
        bool missing = false;
        for (const auto& [name, record] : primary.domains) {
            missing = missing || (record.enabled && !record.domain_aliases.known());
            const auto [found, added] = sources.try_emplace(name, Source{i, &record});
            if (!added && !found->second.record->enabled && record.enabled)
                found->second = Source{i, &record};
        }
        primaries_.push_back({primary.name, primary.trust_for, primary.listed, missing});
    }

    std::size_t octets = 0, count = 0;
    for (const auto& [name, source] : sources) {
        const DomainRecord& record = *source.record;
        domains_.push_back({std::string(name), source.primary, static_cast<std::uint32_t>(domains_.size()),
                            record.enabled, !record.options.content.catch_all.empty(), record.listed,
                            record.complete()});
        each_list(record, [&](const AddressList& list) {
            octets += list.packed().size() + list.size() * (header - 2);
            count += list.size() + 1;  // 1: the list command address
        });
    }
    std::uint32_t index = 0;
    std::map<std::string_view, std::uint32_t> aliases;
    for (const auto& [name, source] : sources) {
        for (const std::string& alias : source.record->domain_aliases.content)
            if (!sources.contains(alias)) aliases.try_emplace(alias, index);
        ++index;
    }
    for (const auto& [name, target] : aliases) {
        Domain domain = domains_[target];
        domain.name = name;
        domains_.push_back(std::move(domain));
    }
    domain_slots_.resize(table_size(domains_.size()));
    for (std::uint32_t i = 0; i < domains_.size(); ++i) {
        std::size_t slot = hash(domains_[i].name, 0);
        while (domain_slots_[slot &= domain_slots_.size() - 1] != 0) ++slot;
        domain_slots_[slot] = i + 1;
    }

    arena_.reserve(octets + sources.size() * (header + 16));
    slots_.resize(table_size(count));
    index = 0;
    for (const auto& [name, source] : sources) {
        each_list(*source.record, [&](const AddressList& list) {
            list.each([&](Kind kind, std::string_view local_part) { insert(index, kind, local_part); });
        });
        insert(index, Kind::list_command, source.record->options.content.list_command);
        ++index;
    }
}

void Snapshot::insert(std::uint32_t domain, Kind kind, std::string_view local_part) {
    if (local_part.empty() || local_part.size() > AddressList::longest) return;
    if (find_address(domain, local_part) != nullptr) return;
    if (arena_.size() > std::numeric_limits<std::uint32_t>::max() - 1024)
        throw std::length_error("directory larger than 4 GiB");
    const std::uint32_t value = hash(local_part, domain + 1);
    std::size_t slot = value;
    while (slots_[slot &= slots_.size() - 1].offset != 0) ++slot;
    slots_[slot] = {value, static_cast<std::uint32_t>(arena_.size()) + 1};
    char bytes[header];
    std::memcpy(bytes, &domain, sizeof domain);
    bytes[4] = static_cast<char>(kind);
    bytes[5] = static_cast<char>(static_cast<unsigned char>(local_part.size()));
    arena_.append(bytes, header);
    for (const char c : local_part) arena_ += lower(c);
    ++addresses_;
}

const Snapshot::Domain* Snapshot::find_domain(std::string_view name) const {
    if (domain_slots_.empty()) return nullptr;
    for (std::size_t slot = hash(name, 0);; ++slot) {
        const std::uint32_t entry = domain_slots_[slot &= domain_slots_.size() - 1];
        if (entry == 0) return nullptr;
        if (same(name, domains_[entry - 1].name)) return &domains_[entry - 1];
    }
}

const char* Snapshot::find_address(std::uint32_t domain, std::string_view local_part) const {
    if (slots_.empty()) return nullptr;
    const std::uint32_t value = hash(local_part, domain + 1);
    for (std::size_t slot = value;; ++slot) {
        const Slot& candidate = slots_[slot &= slots_.size() - 1];
        if (candidate.offset == 0) return nullptr;
        if (candidate.hash != value) continue;
        const char* entry = arena_.data() + candidate.offset - 1;
        if (std::memcmp(entry, &domain, sizeof domain) == 0 && same(local_part, text_at(entry))) return entry;
    }
}

Verdict Snapshot::verdict(const Domain& domain, Standing standing, Reason reason, Time since,
                          Time now) const {
    const Primary& primary = primaries_[domain.primary];
    if (standing == Standing::bad && older(since, primary.trust_for, now)) {
        standing = Standing::unknown;
        reason = Reason::stale;
    }
    const auto age = since == Time{} ? Time::duration{} : std::max(now - since, Time::duration{});
    return {standing, reason, primary.name, std::chrono::duration_cast<std::chrono::seconds>(age)};
}

Verdict Snapshot::unknown_domain(Time now) const {
    Verdict verdict{primaries_.empty() ? Standing::unknown : Standing::bad,
                    primaries_.empty() ? Reason::never_synced : Reason::no_such_domain,
                    {},
                    {}};
    for (const Primary& primary : primaries_) {
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
    const Domain* domain = find_domain(name);
    if (domain == nullptr) return unknown_domain(now);
    if (!domain->enabled)
        return verdict(*domain, Standing::bad, Reason::domain_disabled, domain->listed, now);
    return verdict(*domain, Standing::good, Reason::domain, domain->listed, now);
}

Verdict Snapshot::address(std::string_view local_part, std::string_view name, Time now) const {
    const Domain* domain = find_domain(name);
    if (domain == nullptr) return unknown_domain(now);
    if (!domain->enabled)
        return verdict(*domain, Standing::bad, Reason::domain_disabled, domain->listed, now);
    if (same(local_part, "postmaster") || same(local_part, "abuse"))
        return verdict(*domain, Standing::good, Reason::role, domain->listed, now);

    const char* entry = find_address(domain->target, local_part);
    if (const auto plus = local_part.find('+'); entry == nullptr && plus != local_part.npos && plus > 0)
        entry = find_address(domain->target, local_part.substr(0, plus));
    const bool complete = domain->read != Time{};
    if (entry != nullptr) {
        const Reason reason = reason_of(kind_at(entry));
        if (reason != Reason::user_disabled)
            return verdict(*domain, Standing::good, reason, domain->read, now);
        if (complete) return verdict(*domain, Standing::bad, reason, domain->read, now);
    }
    if (domain->catch_all && entry == nullptr)
        return verdict(*domain, Standing::good, Reason::catch_all, domain->read, now);
    if (!complete) return verdict(*domain, Standing::unknown, Reason::domain_not_read, domain->read, now);
    return verdict(*domain, Standing::bad, Reason::no_such_user, domain->read, now);
}

Snapshot::Entry Snapshot::find(std::string_view local_part, std::string_view name) const {
    const Domain* domain = find_domain(name);
    if (domain == nullptr) return {};
    const char* entry = find_address(domain->target, local_part);
    if (const auto plus = local_part.find('+'); entry == nullptr && plus != local_part.npos && plus > 0)
        entry = find_address(domain->target, local_part.substr(0, plus));
    if (entry == nullptr) return {false, Kind::user, {}, domains_[domain->target].name};
    return {true, kind_at(entry), text_at(entry), domains_[domain->target].name};
}

std::size_t Snapshot::memory() const {
    std::size_t octets = sizeof *this + arena_.capacity() + slots_.capacity() * sizeof(Slot) +
                         domain_slots_.capacity() * sizeof(std::uint32_t) +
                         domains_.capacity() * sizeof(Domain) + primaries_.capacity() * sizeof(Primary);
    for (const Domain& domain : domains_)
        if (domain.name.capacity() > std::string().capacity()) octets += domain.name.capacity() + 1;
    return octets;
}

}  // namespace postern::sync
