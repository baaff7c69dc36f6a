#include "sync/rest/rest_reply.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "sync/base/ascii.h"
#include "sync/base/json.h"
#include "sync/base/time_text.h"
#include "sync/limits.h"
#include "sync/primary/http.h"
#include "sync/primary/words.h"

namespace postern::sync::rest {

using Json = base::Json;
using Value = Json::Value;
using Out = nlohmann::json;
using namespace std::chrono_literals;

namespace {

// All keys that are ever looked at; the others are dropped while parsing, which keeps large replies small.
constexpr std::array keys = std::to_array<std::string_view>({
    "success",
    "message",
    "accessToken",
    "refreshToken",
    "accessTokenExpiration",
    "changePasswordNeeded",
    "passwordExpired",
    "isAdmin",
    "impersonateAccessToken",
    "impersonateAccessTokenExpiration",
    "data",
    "name",
    "isEnabled",
    "status",
    "userCount",
    "aliasCount",
    "listCount",
    "domainAliasCount",
    "domainAdmins",
    "emailAddress",
    "domainSettings",
    "catchAll",
    "listCommandAddress",
    "userData",
    "userName",
    "securityFlags",
    "isDisabled",
    "userMailSettings",
    "canReceiveMail",
    "results",
    "accountType",
    "gridInfo",
    "domainAliasData",
    "items",
    "listAddress",
    "disabled",
    "virtualFolders",
    "emailAlias",
});

std::string_view local_part(std::string_view address) { return address.substr(0, address.find('@')); }

Result<Json> parse(const Reply& reply) {
    const auto first = reply.body.find_first_not_of(" \t\r\n\xef\xbb\xbf");
    if (first == reply.body.npos) return tl::make_unexpected(unreadable("an empty reply"));
    if (reply.body[first] != '{')
        return tl::make_unexpected(Failure{
            Fault::unreadable, "a reply that is not the web service's", {}, Trouble::not_web_service});
    return Json::parse(reply.body.substr(first), keys, {}, reply.stop).map_error([](base::JsonFault fault) {
        switch (fault) {
            case base::JsonFault::interrupted: return Failure{Fault::interrupted, "interrupted", {}};
            case base::JsonFault::too_deep: return unreadable("a reply nested too deeply");
            case base::JsonFault::too_long: return unreadable("a reply with a value that is too long");
            case base::JsonFault::too_many: return unreadable("a reply with too many values");
            case base::JsonFault::damaged: break;
        }
        return unreadable("a reply cut short or damaged");
    });
}

std::string_view text(const Value& object, const char* key) { return object.member(key).text(); }

std::optional<bool> flag(const Value& object, const char* key) { return object.member(key).flag(); }

std::string status_words(int status) { return "HTTP status " + std::to_string(status); }

/// The reply as an object that reports success, or what it reports instead.
Result<Json> open(const Reply& reply) {
    const auto failed = [&](Fault fault, std::string words) {
        return tl::make_unexpected(Failure{fault, std::move(words), reply.retry_after});
    };
    const int status = reply.status;
    if (status == 408 || status == 429 || status == 503)
        return failed(Fault::busy, status_words(status) + ", the primary asks for patience");
    Result<Json> json = parse(reply);
    const bool positive = status >= 200 && status < 300;
    if (!json) {
        if (status == 401) return failed(Fault::unauthorised, status_words(status));
        if (status == 403 || status == 404 || status == 405)
            return failed(Fault::refused, status_words(status));
        if (status >= 500) return failed(Fault::busy, status_words(status));
        if (!positive) return failed(Fault::unreadable, json.error().words + ", " + status_words(status));
        return json;
    }
    const std::optional<bool> success = flag(json->root(), "success");
    if (positive && success.value_or(true)) return json;
    const std::string message = one_line(text(json->root(), "message"));
    const std::string words = message.empty() ? status_words(status) : "\"" + message + "\"";
    if (success.value_or(false))
        return failed(Fault::unreadable, "a reply that contradicts its " + status_words(status));
    if (status == 401) return failed(Fault::unauthorised, words);
    if (status >= 500 && !success) return failed(Fault::busy, words);
    return failed(Fault::refused, words);
}

/// The member `key` of the reply's object, which must be there.
template <class Parse>
auto with(const Reply& reply, const char* key, Parse&& parse) -> decltype(parse(std::declval<Value>())) {
    const Result<Json> json = open(reply);
    if (!json) return tl::make_unexpected(json.error());
    const Value value = json->root().member(key);
    if (!value) return tl::make_unexpected(unreadable(std::string("a reply without ") + key));
    return parse(value);
}

/// Calls `row` for each object of the list; false from it makes the whole list unreadable, and so does more
/// than `most` of them.
template <class Row>
Result<void> each(const Value& list, const char* key, bool null_is_empty, Row&& row,
                  std::size_t most = limits::addresses) {
    if (null_is_empty && list.is_null()) return {};
    if (!list.is_array()) return tl::make_unexpected(unreadable(std::string(key) + " is not a list"));
    for (Value entry = list.first(); entry; entry = entry.next())
        if (most-- == 0)
            return tl::make_unexpected(Failure{Fault::unreadable,
                                               std::string(key) + " has more entries than any primary should",
                                               {},
                                               Trouble::too_large});
        else if (!row(entry))
            return tl::make_unexpected(unreadable(std::string(key) + " has an entry that cannot be read"));
    return {};
}

template <class T, class Row>
Result<T> collect(const Reply& reply, const char* key, bool null_is_empty, Row&& row,
                  std::size_t most = limits::addresses) {
    return with(reply, key, [&](const Value& list) -> Result<T> {
        T result;
        return each(
                   list, key, null_is_empty, [&](const Value& entry) { return row(entry, result); }, most)
            .map([&] { return std::move(result); });
    });
}

/// Tokens travel in header fields.
bool usable(std::string_view token) {
    return !token.empty() && token.size() <= 16384 &&
           std::all_of(token.begin(), token.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

Result<TokenPair> session_of(const Value& json, const char* access, const char* expiration) {
    TokenPair session{std::string(text(json, access)), std::string(text(json, "refreshToken")),
                      base::parse_iso_time(text(json, expiration))};
    if (!usable(session.access_token)) return tl::make_unexpected(unreadable("a reply without a token"));
    if (!usable(session.refresh_token)) session.refresh_token.clear();
    return session;
}

std::optional<DomainCounts> counts_of(const Value& entry) {
    const auto number = [&](const char* key) { return entry.member(key).count(); };
    const auto users = number("userCount"), aliases = number("aliasCount");
    const auto lists = number("listCount"), domain_aliases = number("domainAliasCount");
    if (!users || !aliases || !lists || !domain_aliases) return std::nullopt;
    return DomainCounts{*users, *aliases, *lists, *domain_aliases};
}

/// False when there is no name at all.
bool add_domain(std::vector<ListedDomain>& domains, std::string_view name, std::optional<bool> enabled,
                std::optional<DomainCounts> counts) {
    domains.push_back(listed_domain(name, enabled, counts));
    return !name.empty();
}

/// What the primary's "no" to a sign-in means.
Trouble refusal_of(std::string_view words) {
    const std::string small = base::lower(words);
    const auto has = [&small](std::string_view part) { return small.find(part) != small.npos; };
    if (has("ip restriction") || has("ip_restriction") || has("ip address") || has("ip_address"))
        return Trouble::address_restricted;
    if (has("disabled")) return Trouble::account_disabled;
    if (has("change") || has("expired")) return Trouble::password_change;
    if (has("administrator") && !has("password")) return Trouble::not_administrator;
    return Trouble::credentials;
}

}  // namespace

std::string sign_in_body(std::string_view username, const base::Secret& password,
                         std::string_view client_id) {
    Out json{
        {"username", username}, {"password", password.text()}, {"clientId", client_id}, {"language", "en"}};
    std::string body = json.dump(-1, ' ', false, Out::error_handler_t::replace);
    base::wipe(json["password"].get_ref<std::string&>());
    return body;
}

std::string refresh_body(std::string_view refresh_token) { return Out{{"token", refresh_token}}.dump(); }

std::string account_search_body(AccountType wanted, std::size_t skip, std::size_t take) {
    return Out{{"search", nullptr},
               {"searchFlags", {wanted == AccountType::user ? "users" : "aliases"}},
               {"skip", skip},
               {"take", take},
               {"sortField", "userName"},
               {"sortDescending", false}}
        .dump();
}

std::string address_search_body(std::string_view local_part, std::size_t take) {
    return Out{{"search", local_part},
               {"searchFlags", {"users", "aliases"}},
               {"skip", 0},
               {"take", take},
               {"sortField", "userName"},
               {"sortDescending", false}}
        .dump(-1, ' ', false, Out::error_handler_t::replace);
}

std::string user_body(std::string_view email) {
    return Out{{"email", email}}.dump(-1, ' ', false, Out::error_handler_t::replace);
}

std::string impersonation_body(std::string_view email) { return Out{{"email", email}}.dump(); }

Result<TokenPair> parse_sign_in(const Reply& reply) {
    const auto unusable = [](std::string words, Trouble trouble) {
        return tl::make_unexpected(Failure{Fault::credentials, std::move(words), {}, trouble});
    };
    const auto locked_out = [&](const std::string& words) {
        return tl::make_unexpected(
            Failure{Fault::busy, words, reply.retry_after.value_or(limits::lockout), Trouble::attempts});
    };
    const Result<Json> json = open(reply);
    if (!json) {
        const Failure& failure = json.error();
        if (failure.fault != Fault::refused && failure.fault != Fault::unauthorised)
            return tl::make_unexpected(failure);
        if (reply.status >= 500)
            return tl::make_unexpected(Failure{Fault::busy, failure.words, {}, Trouble::busy});
        if (reply.body.find("Too many") != reply.body.npos)
            return locked_out("the primary counts too many sign-in attempts");
        const auto start = reply.body.find_first_not_of(" \t\r\n");
        const bool answered = start != reply.body.npos && reply.body[start] == '{';
        if (reply.status == 404 || reply.status == 405)
            return tl::make_unexpected(Failure{Fault::unreadable,
                                               "no web service of the primary at this url, " + failure.words,
                                               {},
                                               Trouble::not_web_service});
        if (!answered) return locked_out("signing in was refused without a reason, " + failure.words);
        if (failure.words.find("TWO_FACTOR") != std::string::npos)
            return unusable("the account asks for a second factor", Trouble::second_factor);
        return unusable("signing in was refused: " + failure.words, refusal_of(failure.words));
    }
    if (base::lower(text(json->root(), "message")).find("two_factor") != std::string::npos)
        return unusable("the account asks for a second factor", Trouble::second_factor);
    if (flag(json->root(), "changePasswordNeeded").value_or(false) ||
        flag(json->root(), "passwordExpired").value_or(false))
        return unusable("the account's password must be changed first", Trouble::password_change);
    if (!flag(json->root(), "isAdmin").value_or(true))
        return unusable("the account is no system administrator", Trouble::not_administrator);
    return session_of(json->root(), "accessToken", "accessTokenExpiration");
}

Result<TokenPair> parse_refresh(const Reply& reply) {
    const Result<Json> json = open(reply);
    if (!json) return tl::make_unexpected(json.error());
    return session_of(json->root(), "accessToken", "accessTokenExpiration");
}

Result<TokenPair> parse_impersonation(const Reply& reply) {
    const Result<Json> json = open(reply);
    if (!json) return tl::make_unexpected(json.error());
    return session_of(json->root(), "impersonateAccessToken", "impersonateAccessTokenExpiration");
}

Result<std::vector<ListedDomain>> parse_domains(const Reply& reply) {
    using Domains = std::vector<ListedDomain>;
    return collect<Domains>(
        reply, "data", false,
        [](const Value& entry, Domains& domains) {
            std::optional<bool> enabled = flag(entry, "isEnabled");
            if (const auto status = text(entry, "status"); !enabled && !status.empty())
                enabled = !base::equal_ignoring_case(status, "disabled");
            return add_domain(domains, text(entry, "name"), enabled, counts_of(entry));
        },
        limits::domains);
}

Result<std::vector<ListedDomain>> parse_domain_names(const Reply& reply) {
    using Domains = std::vector<ListedDomain>;
    return collect<Domains>(
        reply, "data", false,
        [](const Value& entry, Domains& domains) {
            return entry.is_string() && add_domain(domains, entry.text(), std::nullopt, std::nullopt);
        },
        limits::domains);
}

Result<std::vector<std::string>> parse_domain_admins(const Reply& reply) {
    using Names = std::vector<std::string>;
    return collect<Names>(reply, "domainAdmins", false, [](const Value& entry, Names& names) {
        const std::string_view name = entry.is_string() ? entry.text() : text(entry, "emailAddress");
        if (!name.empty()) names.emplace_back(name);
        return true;
    });
}

Result<DomainOptions> parse_domain_settings(const Reply& reply) {
    return with(reply, "domainSettings", [](const Value& settings) -> Result<DomainOptions> {
        const Value catch_all = settings.member("catchAll");
        if (!catch_all) return tl::make_unexpected(unreadable("domain settings without catchAll"));
        if (!catch_all.is_string() && !catch_all.is_null())
            return tl::make_unexpected(unreadable("domain settings whose catchAll cannot be read"));
        const auto command = local_part(text(settings, "listCommandAddress"));
        return DomainOptions{flag(settings, "isEnabled"), one_line(text(settings, "catchAll")),
                             command.size() <= limits::local_part ? std::string(command) : std::string()};
    });
}

Result<AddressList> parse_users(const Reply& reply) {
    return collect<AddressList>(reply, "userData", false, [](const Value& entry, AddressList& users) {
        std::string_view name = text(entry, "userName");
        if (name.empty()) name = text(entry, "emailAddress");
        if (name.empty()) return false;
        const bool disabled = flag(entry.member("securityFlags"), "isDisabled").value_or(false);
        users.add(disabled ? Kind::user_unread : Kind::user, local_part(name));
        return true;
    });
}

Result<bool> parse_user(const Reply& reply, std::string_view wanted) {
    return with(reply, "userData", [&](const Value& user) -> Result<bool> {
        std::string_view name = text(user, "userName");
        if (name.empty()) name = text(user, "emailAddress");
        if (!base::equal_ignoring_case(local_part(name), wanted))
            return tl::make_unexpected(unreadable("a reply about another user"));
        return !flag(user.member("securityFlags"), "isDisabled").value_or(false);
    });
}

Result<bool> parse_user_mail(const Reply& reply) {
    return with(reply, "userMailSettings", [](const Value& settings) -> Result<bool> {
        const std::optional<bool> receives = flag(settings, "canReceiveMail");
        if (!receives) return tl::make_unexpected(unreadable("mail settings without canReceiveMail"));
        return *receives;
    });
}

Result<std::vector<Account>> parse_accounts(const Reply& reply, AccountType wanted) {
    using Accounts = std::vector<Account>;
    const auto type_of = [wanted](std::optional<std::int64_t> type) {
        if (!type) return wanted;
        switch (*type) {
            case 0:
            case 1:  // domain administrator
            case 2:  // system administrator
                return AccountType::user;
            case 4: return AccountType::alias;
            default: return AccountType::other;
        }
    };
    return collect<Accounts>(reply, "results", false, [&](const Value& entry, Accounts& accounts) {
        const auto name = local_part(text(entry, "userName"));
        const Value given = entry.member("accountType");
        const auto type = given.integer();
        if (name.empty() || (given && !type)) return false;
        accounts.push_back({base::lower(name), type_of(type), flag(entry, "isEnabled").value_or(true)});
        return true;
    });
}

Result<AddressList> parse_alias_grid(const Reply& reply) {
    return with(reply, "gridInfo", [](const Value& grid) -> Result<AddressList> {
        AddressList aliases;
        if (grid.is_string() && grid.text().empty()) return aliases;
        return each(grid, "gridInfo", true,
                    [&](const Value& entry) {
                        const auto name = local_part(text(entry, "name"));
                        aliases.add(Kind::alias, name);
                        return !name.empty();
                    })
            .map([&] { return std::move(aliases); });
    });
}

Result<DomainNames> parse_domain_aliases(const Reply& reply) {
    const auto row = [](const Value& entry, DomainNames& names) {
        const std::string_view name = text(entry, "name");
        names.add(name);
        return !name.empty();
    };
    return collect<DomainNames>(reply, "domainAliasData", true, row, limits::domains);
}

Result<ListPage> parse_lists(const Reply& reply) {
    return collect<ListPage>(reply, "items", true, [](const Value& entry, ListPage& page) {
        const auto name = local_part(text(entry, "listAddress"));
        if (name.empty()) return false;
        if (!flag(entry, "disabled").value_or(false)) page.lists.add(Kind::mailing_list, name);
        const auto command = local_part(text(entry, "listCommandAddress"));
        if (page.list_command.empty() && command.size() <= limits::local_part) page.list_command = command;
        return true;
    });
}

Result<AddressList> parse_resources(const Reply& reply) {
    return collect<AddressList>(
        reply, "virtualFolders", true, [](const Value& entry, AddressList& resources) {
            const auto name = local_part(text(entry, "emailAlias"));  // absent: reachable by its name only
            if (flag(entry, "isEnabled").value_or(true)) resources.add(Kind::resource, name);
            return entry.is_object();
        });
}

}  // namespace postern::sync::rest
