// The SOAP generation's requests as pure functions: SOAP 1.1, document/literal, wrapped, every element in the
// namespace http://tempuri.org/. Names are case-sensitive: the primary takes a misspelt parameter as absent.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sync/base/secret.h"
#include "sync/primary/http.h"

namespace postern::sync::soap {

struct Operation {
    std::string_view service, name;
};

inline constexpr Operation get_all_domains{"svcDomainAdmin", "GetAllDomains"};
inline constexpr Operation get_all_domain_aliases{"svcDomainAdmin", "GetAllDomainAliases"};  // since 6.x
inline constexpr Operation get_domain_users{"svcDomainAdmin", "GetDomainUsers"};             // since 6.x
inline constexpr Operation get_domain_settings{"svcDomainAdmin", "GetRequestedDomainSettings"};
inline constexpr Operation get_domain_aliases{"svcDomainAliasAdmin", "GetAliases"};
inline constexpr Operation get_users{"svcUserAdmin", "GetUsers"};
inline constexpr Operation get_user_settings{"svcUserAdmin", "GetRequestedUserSettings"};
inline constexpr Operation get_aliases{"svcAliasAdmin", "GetAliases"};
inline constexpr Operation get_lists{"svcMailListAdmin", "GetMailingListsByDomain"};
inline constexpr Operation get_list_settings{"svcMailListAdmin", "GetRequestedListSettings"};
inline constexpr Operation get_list_command{"svcMailListAdmin", "GetListCommandAddress"};

/// A parameter that is one text or a list of them.
struct Parameter {
    std::string_view name;
    std::vector<std::string_view> values;
    bool list = false;

    static Parameter text(std::string_view name, std::string_view value) { return {name, {value}, false}; }
    static Parameter strings(std::string_view name, std::vector<std::string_view> values) {
        return {name, std::move(values), true};
    }
};

/// The call with the credential pair before its parameters; nullopt when a text has characters that XML
/// cannot carry (XML 1.0 §2.2). The password is in the body and nowhere else.
std::optional<HttpRequest> request(const Operation& operation, std::string_view username,
                                   const base::Secret& password, const std::vector<Parameter>& parameters);

/// Asks for the description of a service, which needs no credentials.
HttpRequest wsdl_request(std::string_view service);

}  // namespace postern::sync::soap
