// The REST generation's requests and replies as pure functions over bytes. A reply counts only when its body
// says so: the HTTP status alone proves nothing, and a list whose key is missing is unreadable, not empty.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "sync/base/secret.h"
#include "sync/primary/primary.h"

namespace postern::sync::rest {

/// A reply as it came; `retry_after` goes along into a Failure, `stop` ends the reading of a long one.
struct Reply {
    int status = 0;
    std::string_view body;
    std::optional<std::chrono::seconds> retry_after{};
    std::stop_token stop{};
};

struct TokenPair {
    std::string access_token, refresh_token;
    std::optional<Time> expires;  // by the primary's clock
};

enum class AccountType : std::uint8_t { user, alias, other };

struct Account {
    std::string name;  // local part, lower case
    AccountType type = AccountType::other;
    bool enabled = true;
};

struct ListPage {
    AddressList lists;
    std::string list_command;  // "" when no row gave one
};

std::string sign_in_body(std::string_view username, const base::Secret& password, std::string_view client_id);
std::string refresh_body(std::string_view refresh_token);
std::string account_search_body(AccountType wanted, std::size_t skip, std::size_t take);
/// Users and aliases by a part of their name.
std::string address_search_body(std::string_view local_part, std::size_t take);
std::string user_body(std::string_view email);
std::string impersonation_body(std::string_view email);

/// Fault::credentials for anything that makes the account unusable, a second factor or a password to be
/// changed included; Fault::busy with a long retry_after when the primary counts too many attempts.
Result<TokenPair> parse_sign_in(const Reply& reply);
Result<TokenPair> parse_refresh(const Reply& reply);
Result<TokenPair> parse_impersonation(const Reply& reply);

Result<std::vector<ListedDomain>> parse_domains(const Reply& reply);
Result<std::vector<ListedDomain>> parse_domain_names(const Reply& reply);
Result<std::vector<std::string>> parse_domain_admins(const Reply& reply);
Result<DomainOptions> parse_domain_settings(const Reply& reply);
/// Users who may not sign in come as Kind::user_unread.
Result<AddressList> parse_users(const Reply& reply);
/// Whether that user may sign in; unreadable when the reply is about another one.
Result<bool> parse_user(const Reply& reply, std::string_view local_part);
/// Whether the user receives mail.
Result<bool> parse_user_mail(const Reply& reply);
/// All rows: what is asked for and what comes are two things. A row without a type is of the wanted one.
Result<std::vector<Account>> parse_accounts(const Reply& reply, AccountType wanted);
Result<AddressList> parse_alias_grid(const Reply& reply);
Result<DomainNames> parse_domain_aliases(const Reply& reply);
Result<ListPage> parse_lists(const Reply& reply);
Result<AddressList> parse_resources(const Reply& reply);

}  // namespace postern::sync::rest
