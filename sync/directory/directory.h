// The directory as the poller keeps it: plain values, one record per primary and domain. A Snapshot is built
// from them for readers, the cache file stores them.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sync/directory/address_list.h"
#include "sync/directory/domain_names.h"
#include "sync/directory/suspicion.h"
#include "sync/directory/verdict.h"

namespace postern::sync {

/// One kind of data about a domain and when the primary last gave it whole; epoch: never.
template <class Content>
struct Part {
    Content content{};
    Time read{};                           // when reading it began
    std::optional<Suspicion> suspicion{};  // of a later answer, which is held back

    bool known() const { return read != Time{}; }
};

struct DomainOptions {
    std::optional<bool> enabled;
    std::string catch_all;     // as the primary gives it; "" when there is none
    std::string list_command;  // local part of the list command address; "" when unknown
    bool operator==(const DomainOptions&) const = default;
};

/// How many of each a domain has, as the primary's list of domains says.
struct DomainCounts {
    std::uint64_t users = 0, aliases = 0, lists = 0, domain_aliases = 0;
    bool operator==(const DomainCounts&) const = default;
};

struct DomainRecord {
    std::string spelling;  // the name as the primary writes it, for requests about it
    bool enabled = true;
    bool said_disabled = false;  // by its own settings, as read last; in force once that is believed
    Time listed{};               // when the primary last listed it
    Part<DomainOptions> options;
    Part<AddressList> users, aliases, lists, resources;
    Part<DomainNames> domain_aliases;
    std::string error;  // of the last attempt to read it; "" when it went well
    Time error_at{};
    std::optional<DomainCounts> counts{}, counts_read{};  // as listed last, and before it was last read whole

    /// Since when all that decides about its addresses is known; epoch: not yet. Resources do not count:
    /// builds without them exist.
    Time complete() const;
};

/// Names that the primary has in it and mail cannot have, in words; "" when there are none.
std::string unusable(const DomainRecord& record);

/// Octets that names take, 16 for each besides.
std::size_t octets(const AddressList& list);
std::size_t octets(const DomainNames& names);
std::size_t octets(const DomainRecord& record);

/// Whether something that was read of it is held back.
bool suspected(const DomainRecord& record);

struct PrimaryRecord {
    std::string name;
    std::chrono::seconds trust_for{0};
    Time listed{};  // when its domains were last listed; epoch: never
    std::map<std::string, DomainRecord, std::less<>> domains{};  // by A-label, lower case
    std::optional<Suspicion> suspicion{};                        // of a later list of domains
    std::optional<Suspicion> disabling{};                        // of what the settings of its domains say
    bool lists = true;  // false: it is asked about each address by itself; its domains are its own
    std::vector<std::string> own{};  // what the settings say are its domains; by A-label, lower case, sorted
};

using Directory = std::vector<PrimaryRecord>;

/// Whether the settings say that the domain is another primary's, so that what this one says of it does not
/// count. `primary`: its index.
bool disowned(const Directory& directory, std::size_t primary, std::string_view domain);

/// base::DomainName's text; nullopt when there is none.
std::optional<std::string> canonical_domain(std::string_view name);

}  // namespace postern::sync
