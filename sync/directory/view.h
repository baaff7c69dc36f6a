// The directory as an administrator sees it: plain values for the status endpoint and the commands.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "sync/directory/directory.h"
#include "sync/directory/snapshot.h"
#include "sync/directory/verdict.h"

namespace postern::sync {

/// An answer about a domain that is held back.
struct SuspicionView {
    std::string what;  // "users", "aliases", ...
    Time since;
    std::size_t before = 0, now = 0;  // entries in force, entries of the answer
};

/// One line of `postern directory`.
struct DomainView {
    std::string name, primary;
    bool enabled = true;
    std::size_t users = 0, aliases = 0, lists = 0;
    std::vector<std::string> domain_aliases;
    std::string catch_all;  // "" when there is none
    Time read{};            // of the oldest part; epoch: not complete yet
    std::string error;      // of the last attempt, "" when it went well
    Time error_at{};
    Time trusted_until{};  // beyond it absence proves nothing; epoch: not complete yet
    std::vector<SuspicionView> suspicions{};
    std::string unusable{};  // names in it that mail cannot have, in words; "" when there are none
    bool listed = true;      // false: its addresses are asked about one by one
};
std::vector<DomainView> view(const Directory& directory);

/// `postern directory show ADDRESS`: the verdict and what the address is, e.g. "alias in example.com".
struct AddressView {
    Verdict verdict;
    std::string what;  // "" when nothing is stored for it
};
AddressView view(const Snapshot& snapshot, std::string_view local_part, std::string_view domain, Time now);

}  // namespace postern::sync
