// How long we have had each address, and what left from it today: what warming up a new one goes by.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "relay/mail/message.h"
#include "relay/settings.h"

namespace postern::relay {

/// Days are UTC days since 1970.
struct AddressRecord {
    std::int64_t since = 0;            // the day it was first seen
    bool joined = false;               // then, others were in use already
    std::optional<std::int64_t> left;  // the day it left the pool
    std::int64_t day = 0;
    std::uint64_t sent = 0;  // on `day`

    bool operator==(const AddressRecord&) const = default;
};

std::int64_t utc_day(Time now);

/// An address that left the pool is forgotten after 30 days. The system's choice ("") is counted, but makes
/// no other address the one that joins.
class AddressHistory {
public:
    /// The pool is now this one.
    void use(const std::vector<EgressSettings>& pool, Time now);
    void count(const std::string& address, Time now);

    std::uint64_t sent_today(std::string_view address, Time now) const;

    struct WarmUpDay {
        unsigned day = 0;  // from 1
        std::uint64_t allowance = 0;
    };
    /// nullopt: no limit, because the address is not warmed up, or no longer.
    std::optional<WarmUpDay> warm_up(const EgressSettings& egress, const std::vector<unsigned>& plan,
                                     Time now) const;

    void load(std::map<std::string, AddressRecord, std::less<>> records, Time now);
    /// What another gateway knows of an address, which leaves from one of them at a time.
    void learn(const std::string& address, const AddressRecord& theirs, Time now);
    const std::map<std::string, AddressRecord, std::less<>>& all() const { return records_; }

    std::uint64_t revision() const { return revision_; }  // grows when an address comes or goes
    std::uint64_t counted() const { return counted_; }    // grows with every message

private:
    std::map<std::string, AddressRecord, std::less<>> records_;
    std::uint64_t revision_ = 0, counted_ = 0;
};

}  // namespace postern::relay
