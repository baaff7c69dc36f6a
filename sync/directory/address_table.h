// All addresses of a directory in one block of memory: what a Snapshot looks things up in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "sync/directory/directory.h"
#include "sync/directory/kind.h"

namespace postern::sync {

/// Immutable; look-ups do not allocate. Throws std::length_error beyond 4 GiB.
class AddressTable final {
public:
    struct Primary {
        std::string name;
        std::chrono::seconds trust_for{0};
        Time listed;           // epoch: its domains were never read
        bool aliases_missing;  // some enabled domain's aliases were never read, so absence proves nothing yet
    };
    struct Domain {
        std::string name;
        std::string spelling;                   // as the primary writes it; "" where that is the name
        std::uint32_t primary = 0, target = 0;  // target: index of the domain whose addresses count
        bool enabled = true, catch_all = false;
        Time listed, read;  // read, epoch: its addresses have never been complete
    };
    /// An address as stored, nothing when `text` is empty.
    struct Entry {
        Kind kind = Kind::user;
        std::string_view text;  // its local part, lower case
        explicit operator bool() const { return !text.empty(); }
    };

    explicit AddressTable(const std::vector<PrimaryRecord>& primaries);

    const std::vector<Primary>& primaries() const { return primaries_; }
    const std::vector<Domain>& domains() const { return domains_; }  // aliases of domains included
    const Domain* find_domain(std::string_view name) const;
    /// `domain`: its index.
    Entry find_address(std::uint32_t domain, std::string_view local_part) const;

    std::size_t addresses() const { return addresses_; }
    std::size_t memory() const;  // bytes held

private:
    struct Slot {
        std::uint32_t hash = 0, offset = 0;  // offset into arena_ plus 1; 0: empty
    };

    /// Whose answers count for a domain.
    struct Source {
        std::uint32_t primary;  // its index
        const DomainRecord* record;
    };
    using Sources = std::map<std::string_view, Source>;  // by domain

    Sources take_primaries(const std::vector<PrimaryRecord>& primaries);
    void take_domains(const Sources& sources);
    void take_domain_aliases(const std::vector<PrimaryRecord>& primaries, const Sources& sources);
    void index_domains();
    void take_addresses(const Sources& sources);
    void insert(std::uint32_t domain, Kind kind, std::string_view local_part);

    std::vector<Primary> primaries_;
    std::vector<Domain> domains_;
    std::vector<std::uint32_t> domain_slots_;  // index into domains_ plus 1; 0: empty
    std::vector<Slot> slots_;                  // open addressing, a power of two, at most 3/4 full
    std::string arena_;  // per address: domain (4 octets), kind (1), length (1), local part
    std::size_t addresses_ = 0;
};

}  // namespace postern::sync
