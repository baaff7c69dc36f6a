// Mailbox addresses and the paths they travel in (RFC 5321 §4.1.2).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sync/base/domain_name.h"

namespace postern::relay {

/// A forward-path or reverse-path without source route. The local part stays as it was written (quotes
/// included), because only its own host may interpret it; it may be UTF-8 (RFC 6531 §3.3). The domain is
/// lower case and always ASCII: U-labels have become A-labels. Both empty: the null reverse-path.
struct Address {
    std::string local, domain;

    bool null() const { return local.empty() && domain.empty(); }
    std::string text() const;     // "local@domain", "" for the null path
    std::string mailbox() const;  // the local part without quoting, for comparison with a directory
    bool operator==(const Address&) const = default;
};

/// Whose address it is: in lower case, without quotes and what stands behind a "+". What an account sends as
/// is one sender.
std::string account_of(std::string_view mailbox, std::string_view domain);

/// Whether one of these, "user@domain", "domain" or "*", in lower case, means the address, its account or its
/// domain.
bool is_meant(const std::vector<std::string>& of, const Address& address);

/// What follows "FROM:" or "TO:" up to its closing bracket.
struct Path {
    Address address;
    std::string_view rest;  // behind the bracket: the parameters
};

/// Parses `<…>`, accepting and dropping a source route (§4.1.2, C). `<>` gives the null path. The domain is
/// letters, digits, hyphens and dots, U-labels (RFC 5890), or an address literal in brackets. Bounded: 256
/// octets of local part, 255 of domain. nullopt when it is none of these; the path must be UTF-8 without
/// control characters.
std::optional<Path> parse_path(std::string_view text);

/// "local@domain" without brackets, as people and configuration files write it.
std::optional<Address> parse_address(std::string_view text);

/// A local part for `mailbox`, which must be printable: quoted when it has to be. What Address::mailbox()
/// undoes.
std::string quoted_local_part(std::string_view mailbox);

using base::is_domain_name;

}  // namespace postern::relay
