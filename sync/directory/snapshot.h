// The directory as one immutable value: what a gateway knows of its primaries' domains and addresses.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "sync/directory/kind.h"
#include "sync/directory/verdict.h"

namespace postern::sync {

struct PrimaryRecord;  // sync/directory/directory.h
class AddressTable;    // sync/directory/address_table.h
class Learned;         // sync/directory/learned.h
struct Answer;

/// Immutable and safe to read from any thread without a lock; passed around as shared_ptr<const Snapshot>.
/// Look-ups do not allocate and compare ASCII case-insensitively; domains are given as A-labels.
/// A default-constructed one has learned nothing. "Bad" always rests on data younger than the primary's
/// trust_for; "good" stays good however old.
class Snapshot final {
public:
    Snapshot();
    /// `primaries` in the order of the settings: where two have a domain, an enabled one and the earlier one
    /// win.
    explicit Snapshot(const std::vector<PrimaryRecord>& primaries);

    /// The same directory with other answers about single addresses. Cheap: the addresses are shared.
    Snapshot(const Snapshot& base, std::shared_ptr<const Learned> learned);

    /// The verdict about a mailbox, as recipient or as sender. `user+folder` stands for `user`.
    Verdict address(std::string_view local_part, std::string_view domain, Time now) const;

    /// The verdict about a domain alone: good only if a primary has it, enabled.
    Verdict domain(std::string_view domain, Time now) const;

    /// What is stored for an address, and where; `found` false when nothing is.
    struct Entry {
        bool found = false;
        Kind kind = Kind::user;
        std::string_view local_part;  // as stored: lower case, without "+folder"
        std::string_view domain;      // the domain itself, where the one asked about is an alias of it
        Time asked{};                 // when the primary was asked about it alone; epoch: it was not
    };
    Entry find(std::string_view local_part, std::string_view domain) const;

    /// Whose a domain is; all empty when nobody's.
    struct Owner {
        std::string_view primary;
        std::string_view domain;    // as in Entry
        std::string_view spelling;  // of that, as the primary writes it
        bool enabled = false;
        Time read{};  // when the reading of its addresses began; epoch: they have never been complete
    };
    Owner owner(std::string_view domain) const;

    std::size_t addresses() const;
    std::size_t domains() const;  // domain aliases included
    std::size_t memory() const;   // bytes held

    const std::shared_ptr<const Learned>& learned() const { return learned_; }  // may be null

private:
    Verdict unknown_domain(Time now) const;
    Verdict verdict(std::uint32_t owner, Standing standing, Reason reason, Time since, Time now) const;
    const Answer* learned(std::string_view local_part, std::string_view domain, Time read) const;

    std::shared_ptr<const AddressTable> table_;
    std::shared_ptr<const Learned> learned_;  // null: nothing
};

}  // namespace postern::sync
