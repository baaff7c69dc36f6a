// What any back end gives, however it asks the primary.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "sync/base/secret.h"
#include "sync/directory/directory.h"
#include "sync/trouble.h"

namespace postern::sync {

struct StreamFailure;

enum class Fault : std::uint8_t {
    interrupted,   // we are stopping
    unreachable,   // no connection, no TLS, no complete reply
    busy,          // the primary asks for patience: 408, 429, 503, or a server error without an answer
    credentials,   // the account cannot be used: repeating it does harm
    unauthorised,  // the token is not taken
    refused,       // an orderly "no" to one request
    unreadable,    // not an answer that can be understood: nothing follows from it
};

struct Failure {
    Fault fault = Fault::unreadable;
    std::string words = "not asked for";
    std::optional<std::chrono::seconds> retry_after{};
    Trouble trouble = Trouble::other;

    /// True when the primary should be left alone for now; false when only one request came to nothing.
    bool ends_round() const {
        return fault != Fault::refused && fault != Fault::unreadable && fault != Fault::unauthorised;
    }
};

template <class T>
using Result = tl::expected<T, Failure>;

struct ListedDomain {
    std::string name;      // A-label, lower case; "" when it cannot be a domain name
    std::string spelling;  // as the primary writes it
    std::optional<bool> enabled;
    std::optional<DomainCounts> counts{};  // where the primary tells all of them
};

/// That nothing came of a connection.
Failure failure_of(StreamFailure failure);

/// Names what looks odd about a password that was not taken.
Failure with_doubt(Failure failure, const base::Secret& password);

/// What a primary lists as a domain.
ListedDomain listed_domain(std::string_view spelling, std::optional<bool> enabled = {},
                           std::optional<DomainCounts> counts = {});
/// In order, each domain once.
void sort_once(std::vector<ListedDomain>& domains);

/// Each part stands for itself: one that could not be read says why, and says nothing about what it would
/// contain.
struct DomainReading {
    Result<DomainOptions> options = tl::make_unexpected(Failure{});
    Result<AddressList> users = tl::make_unexpected(Failure{});
    Result<AddressList> aliases = tl::make_unexpected(Failure{});
    Result<AddressList> lists = tl::make_unexpected(Failure{});
    Result<AddressList> resources = tl::make_unexpected(Failure{});
    Result<DomainNames> domain_aliases = tl::make_unexpected(Failure{});
    bool listed = true;  // false: its addresses can only be asked about one by one
};

/// Blocking; used by one thread at a time.
class Primary {
public:
    virtual ~Primary() = default;

    /// Signs in unless a session is open already.
    virtual Result<void> sign_in() = 0;

    /// All domains, once each.
    virtual Result<std::vector<ListedDomain>> domains() = 0;

    /// One domain's addresses. Fails as a whole only for reasons that end the round. When the domain turns
    /// out to be disabled only `options` is read. `known` is what is known already.
    virtual Result<DomainReading> read(const DomainRecord& known) = 0;

    /// What one address is, asked for by itself; nullopt when there is certainly no such address. `domain`:
    /// as the primary writes it. Begins no request after `until`. Refused where a back end cannot tell.
    virtual Result<std::optional<Kind>> look_up(const std::string& /*local_part*/,
                                                const std::string& /*domain*/, base::Moment /*until*/) {
        return tl::make_unexpected(
            Failure{Fault::refused, "single addresses cannot be asked for of this primary", {}});
    }

    virtual std::uint64_t requests() const = 0;  // sent so far

    /// As fast as the primary answers, at most half of its time: for what has never been read.
    virtual void hurry(bool /*on*/) {}

    /// Between two requests, from the next on; at first as the settings say.
    virtual void pause_between(std::chrono::milliseconds /*gap*/) {}
};

}  // namespace postern::sync
