#include "sync/directory/address_table.h"

#include <sys/mman.h>

#include <bit>
#include <cstdint>
#include <cstring>
#include <limits>
#include <stdexcept>

#include "sync/base/ascii.h"
#include "sync/directory/fold.h"
#include "sync/limits.h"

namespace postern::sync {

namespace {

constexpr std::size_t header = 6;  // octets of an arena entry before its local part

/// Large pages, where the system has them: a look-up in a large table costs more in page tables than in
/// memory.
void on_large_pages(const void* start, std::size_t size) {
    constexpr std::uintptr_t page = 2u << 20;
    const auto begin = (reinterpret_cast<std::uintptr_t>(start) + page - 1) & ~(page - 1);
    const auto end = (reinterpret_cast<std::uintptr_t>(start) + size) & ~(page - 1);
    if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);
}

std::size_t table_size(std::size_t entries) { return std::bit_ceil(entries + entries / 3 + 2); }

template <class Visit>
void each_list(const DomainRecord& record, Visit&& visit) {
    for (const Part<AddressList>* part : {&record.users, &record.aliases, &record.lists, &record.resources})
        visit(part->content);
}

}  // namespace

AddressTable::AddressTable(const std::vector<PrimaryRecord>& primaries) {
    const Sources sources = take_primaries(primaries);
    take_domains(sources);
    take_domain_aliases(primaries, sources);
    index_domains();
    take_addresses(sources);
}

/// Gives who has which domain.
AddressTable::Sources AddressTable::take_primaries(const std::vector<PrimaryRecord>& primaries) {
    Sources sources;
    for (std::uint32_t i = 0; i < primaries.size(); ++i) {
        const PrimaryRecord& primary = primaries[i];
        bool missing = false;
        for (const auto& [name, record] : primary.domains) {
            missing = missing || (record.enabled && !record.domain_aliases.known());
            if (disowned(primaries, i, name)) continue;
            const auto [found, added] = sources.try_emplace(name, Source{i, &record});
            if (!added && !found->second.record->enabled && record.enabled)
                found->second = Source{i, &record};
        }
        primaries_.push_back({primary.name, primary.trust_for, primary.listed, missing});
    }
    return sources;
}

/// In the order of the sources.
void AddressTable::take_domains(const Sources& sources) {
    for (const auto& [name, source] : sources) {
        const DomainRecord& record = *source.record;
        domains_.push_back({std::string(name), record.spelling == name ? std::string() : record.spelling,
                            source.primary, static_cast<std::uint32_t>(domains_.size()), record.enabled,
                            !record.options.content.catch_all.empty(), record.listed, record.complete()});
    }
}

void AddressTable::take_domain_aliases(const std::vector<PrimaryRecord>& primaries, const Sources& sources) {
    std::uint32_t index = 0;
    std::map<std::string_view, std::uint32_t> aliases;
    for (const auto& [name, source] : sources) {
        for (const std::string& alias : source.record->domain_aliases.content)
            if (!sources.contains(alias) && !disowned(primaries, source.primary, alias))
                aliases.try_emplace(alias, index);
        ++index;
    }
    for (const auto& [name, target] : aliases) {
        Domain domain = domains_[target];
        domain.name = name;
        domains_.push_back(std::move(domain));
    }
}

void AddressTable::index_domains() {
    domain_slots_.resize(table_size(domains_.size()));
    for (std::uint32_t i = 0; i < domains_.size(); ++i) {
        std::size_t slot = fold::hash(domains_[i].name, 0);
        while (domain_slots_[slot &= domain_slots_.size() - 1] != 0) ++slot;
        domain_slots_[slot] = i + 1;
    }
}

void AddressTable::take_addresses(const Sources& sources) {
    std::size_t octets = 0, count = 0;
    for (const auto& [name, source] : sources)
        each_list(*source.record, [&](const AddressList& list) {
            octets += list.packed().size() + list.size() * (header - 2);
            count += list.size() + 1;  // 1: the list command address
        });
    arena_.reserve(octets + sources.size() * (header + 16));
    on_large_pages(arena_.data(), arena_.capacity());
    const std::size_t size = table_size(count);
    slots_.reserve(size);
    on_large_pages(slots_.data(), size * sizeof(Slot));
    slots_.resize(size);
    std::uint32_t index = 0;
    for (const auto& [name, source] : sources) {
        each_list(*source.record, [&](const AddressList& list) {
            list.each([&](Kind kind, std::string_view local_part) { insert(index, kind, local_part); });
        });
        insert(index, Kind::list_command, source.record->options.content.list_command);
        ++index;
    }
}

void AddressTable::insert(std::uint32_t domain, Kind kind, std::string_view local_part) {
    if (local_part.empty() || local_part.size() > limits::local_part) return;
    if (find_address(domain, local_part)) return;
    if (arena_.size() > std::numeric_limits<std::uint32_t>::max() - 1024)
        throw std::length_error("directory larger than 4 GiB");
    const std::uint32_t value = fold::hash(local_part, domain + 1);
    std::size_t slot = value;
    while (slots_[slot &= slots_.size() - 1].offset != 0) ++slot;
    slots_[slot] = {value, static_cast<std::uint32_t>(arena_.size()) + 1};
    char bytes[header];
    std::memcpy(bytes, &domain, sizeof domain);
    bytes[4] = static_cast<char>(kind);
    bytes[5] = static_cast<char>(static_cast<unsigned char>(local_part.size()));
    arena_.append(bytes, header);
    for (const char c : local_part) arena_ += base::lower(c);
    ++addresses_;
}

const AddressTable::Domain* AddressTable::find_domain(std::string_view name) const {
    for (std::size_t slot = fold::hash(name, 0);; ++slot) {
        const std::uint32_t entry = domain_slots_[slot &= domain_slots_.size() - 1];
        if (entry == 0) return nullptr;
        if (fold::same(name, domains_[entry - 1].name)) return &domains_[entry - 1];
    }
}

AddressTable::Entry AddressTable::find_address(std::uint32_t domain, std::string_view local_part) const {
    const std::uint32_t value = fold::hash(local_part, domain + 1);
    for (std::size_t slot = value;; ++slot) {
        const Slot& candidate = slots_[slot &= slots_.size() - 1];
        if (candidate.offset == 0) return {};
        if (candidate.hash != value) continue;
        const char* entry = arena_.data() + candidate.offset - 1;
        const std::string_view text(entry + header, static_cast<unsigned char>(entry[5]));
        if (std::memcmp(entry, &domain, sizeof domain) == 0 && fold::same(local_part, text))
            return {static_cast<Kind>(entry[4]), text};
    }
}

std::size_t AddressTable::memory() const {
    std::size_t octets = sizeof *this + arena_.capacity() + slots_.capacity() * sizeof(Slot) +
                         domain_slots_.capacity() * sizeof(std::uint32_t) +
                         domains_.capacity() * sizeof(Domain) + primaries_.capacity() * sizeof(Primary);
    for (const Domain& domain : domains_)
        if (domain.name.capacity() > std::string().capacity()) octets += domain.name.capacity() + 1;
    return octets;
}

}  // namespace postern::sync
