// The SOAP generation's replies as pure functions over bytes. A reply counts only when it is one well-formed
// envelope that answers the call: an absent or nil list is unreadable, not empty. Each function reads the
// reply where it lies and wipes it at the end, because the list of users carries their passwords; only what
// is named here leaves it.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sync/primary/primary.h"

namespace postern::sync::soap {

/// A reply as it came; `retry_after` goes along into a Failure.
struct Reply {
    int status = 0;
    std::string body;
    std::optional<std::chrono::seconds> retry_after;
};

using Names = std::vector<std::string>;
using DomainAliases = std::map<std::string, DomainNames, std::less<>>;  // by domain
using SettingValues = std::map<std::string, std::string, std::less<>>;  // by key, lower case

/// Fault::credentials when the account is refused, Fault::busy with a long retry_after when the primary
/// counts too many attempts; so in every function below.
Result<std::vector<ListedDomain>> parse_domains(Reply reply);
Result<DomainAliases> parse_all_domain_aliases(Reply reply);
Result<DomainNames> parse_domain_aliases(Reply reply);
/// The values of those `keys` (in lower case) that the reply has; `operation`: which of the three calls for
/// settings it answers.
Result<SettingValues> parse_settings(Reply reply, std::string_view operation,
                                     const std::vector<std::string_view>& keys);
Result<AddressList> parse_users(Reply reply);
/// Whether the one user who was asked for may sign in; nullopt when the primary says there is none.
Result<std::optional<bool>> parse_user_state(Reply reply);
/// GetDomainUsers: bare names and full addresses, as they come.
Result<Names> parse_domain_users(Reply reply);
Result<AddressList> parse_aliases(Reply reply);
Result<Names> parse_lists(Reply reply);  // local parts, lower case
/// Local part of the list command address; "" when there is none.
Result<std::string> parse_list_command(Reply reply);
/// Whether the reply describes a web service of this generation.
Result<void> parse_wsdl(Reply reply);

/// "True", "Enabled", "1" and their opposites; nullopt for anything else.
std::optional<bool> parse_switch(std::string_view value);

}  // namespace postern::sync::soap
