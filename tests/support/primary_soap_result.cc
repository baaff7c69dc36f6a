#include "tests/support/primary_soap_result.h"

#include <algorithm>
#include <cctype>
#include <vector>

#include "tests/support/primary_payload.h"

namespace postern::tests::soap {

namespace {

using Strings = std::vector<std::string>;

std::string lower(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
    return text;
}

std::string name_of(const Json& entry) {
    return entry.is_string() ? entry.get<std::string>() : entry.at("name").get<std::string>();
}

bool flag(const Json& entry, const char* key, bool otherwise) {
    return entry.is_object() ? entry.value(key, otherwise) : otherwise;
}

std::string text_of(const Json& entry, const char* key, const std::string& otherwise) {
    return entry.is_object() ? entry.value(key, otherwise) : otherwise;
}

std::string net_bool(bool value) { return value ? "True" : "False"; }

Strings names(const Json& parent, const char* key, const std::string& suffix = {}) {
    Strings found;
    for (const Json& entry : parent.value(key, Json::array())) found.push_back(name_of(entry) + suffix);
    return found;
}

Result refused(const std::string& message, int code = -3) { return {false, code, message, {}, false}; }

/// One call's parameters, world and switches.
class Call {
public:
    Call(const Json& parameters, const Json& world, const Json& switches)
        : parameters_(parameters), world_(world), switches_(switches) {}

    Result perform(const std::string& service, const std::string& operation) const;

private:
    std::string text(const char* name) const {
        const auto found = parameters_.find(name);
        return found != parameters_.end() && found->is_string() ? found->get<std::string>() : "";
    }
    bool named(const char* list, const std::string& name) const {
        const Json names = switches_.value(list, Json::array());
        return std::find(names.begin(), names.end(), Json(name)) != names.end();
    }
    std::string element(const std::string& name, const std::string& content) const {
        if (named("soap_missing", name)) return {};
        if (content.empty()) return "<" + name + " />";
        return "<" + name + ">" + content + "</" + name + ">";
    }
    std::string value(const std::string& name, const std::string& content) const {
        return element(name, escape(content));
    }
    /// `entries`: XML. With the switch, one more that is nil.
    std::string list(const std::string& name, const std::string& entry, const Strings& entries) const {
        std::string content;
        for (const std::string& each : entries) content += "<" + entry + ">" + each + "</" + entry + ">";
        if (named("soap_nil", name)) content += "<" + entry + " xsi:nil=\"true\" />";
        return element(name, content);
    }
    std::string strings(const std::string& name, Strings entries) const {
        for (std::string& each : entries) each = escape(each);
        return list(name, "string", entries);
    }

    const Json* find_domain(const std::string& name) const;
    Result domain_operation(const std::string& operation, const Json& domain) const;
    Result user_operation(const std::string& operation) const;
    Result list_operation(const std::string& operation, const Json& domain) const;
    Result server_operation(const std::string& operation) const;
    Result all_domain_aliases() const;
    Result settings(const std::vector<std::pair<std::string, std::string>>& known) const;
    std::string user_fields(const Json& domain, const Json& user) const;
    Strings domain_users(const Json& domain) const;
    Strings aliases(const Json& domain) const;

    const Json &parameters_, &world_, &switches_;
};

const Json* Call::find_domain(const std::string& name) const {
    if (!world_.contains("domains")) return nullptr;
    for (const Json& domain : world_["domains"]) {
        if (lower(domain.at("name")) == lower(name)) return &domain;
        for (const std::string& alias : names(domain, "domain_aliases"))
            if (lower(alias) == lower(name)) return &domain;
    }
    return nullptr;
}

/// An alias cannot be disabled in this generation: one that is does not exist here.
Strings Call::aliases(const Json& domain) const {
    Strings found;
    for (const Json& entry : domain.value("aliases", Json::array()))
        if (flag(entry, "enabled", true)) found.push_back(name_of(entry));
    return found;
}

Strings Call::domain_users(const Json& domain) const {
    const std::string flavour = switches_.value("domain_users", "full");
    Strings found = names(domain, "users");
    if (flavour.ends_with("+aliases")) {
        for (const std::string& alias : aliases(domain)) found.push_back(alias);
        for (const std::string& name : names(domain, "lists")) found.push_back(name);
    }
    for (const std::string& name : names(domain, "domain_users_only")) found.push_back(name);
    if (flavour.starts_with("full"))
        for (std::string& name : found) name += "@" + domain.at("name").get<std::string>();
    return found;
}

/// What is asked for of what is known, as key=value.
Result Call::settings(const std::vector<std::pair<std::string, std::string>>& known) const {
    Strings values;
    for (const Json& wanted : parameters_.value("requestedSettings", Json::array())) {
        const std::string key = lower(wanted.get<std::string>());
        const auto found = std::find_if(known.begin(), known.end(),
                                        [&](const auto& setting) { return setting.first == key; });
        if (found != known.end() && !named("soap_unknown_settings", key)) {
            values.push_back(key + "=" + found->second);
        } else if (switches_.value("soap_unknown_setting_fails", false)) {
            return refused("Unknown setting " + key);
        }
    }
    return {true, 0, {}, strings("settingValues", values), false};
}

std::string Call::user_fields(const Json& domain, const Json& user) const {
    const std::string name = name_of(user);
    const bool bare = switches_.value("bare_user_names", false);
    return value("UserName", bare ? name : name + "@" + domain.at("name").get<std::string>()) +
           value("Password", text_of(user, "password", "pw-of-" + name)) + value("FirstName", name) +
           value("LastName", "") + value("IsSystemAdmin", "false") +
           value("IsDomainAdmin", flag(user, "domain_admin", false) ? "true" : "false");
}

Result Call::domain_operation(const std::string& operation, const Json& domain) const {
    const std::string catch_all =
        domain.value("catch_all", Json("")).is_string() ? domain.value("catch_all", "") : std::string();
    const bool allowed = domain.value("enable_catch_alls", true);
    if (operation == "GetRequestedDomainSettings")
        return settings(
            {{"catchall", catch_all},
             {"enablecatchalls", allowed ? "Enabled" : "Disabled"},
             {"isenabled", net_bool(domain.value("enabled", true))},
             {"listcommandaddress",
              switches_.value("list_command_in_settings", true) ? domain.value("list_command", "") : ""},
             {"maxusers", "0"}});
    if (operation == "GetDomainUsers")
        return {true,
                0,
                {},
                strings("Users", domain_users(domain)) +
                    strings("DomainAliases", names(domain, "domain_aliases")) +
                    value("CatchAll", allowed && !catch_all.empty() ? "true" : "false"),
                false};
    if (operation == "GetDomainCounts")
        return {true,
                0,
                {},
                value("Users", std::to_string(names(domain, "users").size())) +
                    value("MailingLists", std::to_string(names(domain, "lists").size())) +
                    value("Aliases", std::to_string(aliases(domain).size())) + value("Size", "0"),
                false};
    if (operation == "GetDomainInfo")
        return {true, 0, {}, value("Path", "C:\\SmarterMail\\Domains\\" + name_of(domain)), false};
    if (operation == "GetPrimaryDomainAdmin") return {true, 0, {}, value("PrimaryAdmin", "admin"), false};
    return refused("The double does not do this.", -100);
}

Result Call::all_domain_aliases() const {
    Strings entries;
    for (const Json& domain : world_.value("domains", Json::array()))
        for (const std::string& alias : names(domain, "domain_aliases"))
            entries.push_back(value("Name", alias) + value("DomainName", domain.at("name")));
    return {true, 0, {}, list("DomainAliases", "DomainAliasInfo", entries), false};
}

Result Call::user_operation(const std::string& operation) const {
    if (operation == "GetUsers" || operation == "GetUserQuotas") {
        const Json* domain = find_domain(text("DomainName"));
        if (domain == nullptr) return refused("Domain not found.");
        Strings entries;
        for (const Json& user : domain->value("users", Json::array()))
            entries.push_back(operation == "GetUsers"
                                  ? user_fields(*domain, user)
                                  : value("UserName", name_of(user)) + value("MaxSpace", "0") +
                                        value("CurrentSpace", "0"));
        return {
            true, 0, {}, list("Users", operation == "GetUsers" ? "UserInfo" : "UserQuota", entries), false};
    }
    const std::string address = text("EmailAddress");
    const auto at = address.find('@');
    const Json* domain = at == std::string::npos ? nullptr : find_domain(address.substr(at + 1));
    const Json* user = domain == nullptr ? nullptr : payload::find_user(*domain, address.substr(0, at));
    if (operation == "GetUser") {  // present and blank on failure
        if (user == nullptr) return {false, -3, "User not found.", "<UserInfo />", false};
        return {true, 0, {}, element("UserInfo", user_fields(*domain, *user)), false};
    }
    if (operation == "GetRequestedUserSettings") {
        if (user == nullptr) return refused("User not found.");
        return settings({{"isenabled", net_bool(flag(*user, "enabled", true))},
                         {"password", text_of(*user, "password", "pw-of-" + name_of(*user))},
                         {"maxsize", "0"}});
    }
    return refused("The double does not do this.", -100);
}

Result Call::list_operation(const std::string& operation, const Json& domain) const {
    if (operation == "GetMailingListsByDomain")
        return {true, 0, {}, strings("listNames", names(domain, "lists")), false};
    if (operation == "GetListCommandAddress")
        return {true, 0, {}, value("commandAddress", domain.value("list_command", "")), false};
    if (operation == "GetRequestedListSettings") {
        for (const Json& entry : domain.value("lists", Json::array()))
            if (lower(name_of(entry)) == lower(text("ListName")))
                return settings({{"disabled", net_bool(flag(entry, "disabled", false))},
                                 {"description", "a list=with a sign"}});
        return refused("List not found.");
    }
    return refused("The double does not do this.", -100);
}

Result Call::server_operation(const std::string& operation) const {
    if (operation == "GetSpoolMessageCount") return {true, 0, {}, value("messageCount", "12"), false};
    if (operation == "GetEdition") return {true, 0, {}, value("Edition", "ENT"), false};
    if (operation == "RequestStatus")
        return {
            true, 0, {}, strings("KeyValuePairs", {"SMTP_IsRunning=True", "Spool_MessageCount=12"}), false};
    return refused("The double does not do this.", -100);
}

Result Call::perform(const std::string& service, const std::string& operation) const {
    if (operation == "GetAllDomains")
        return {true, 0, {}, strings("DomainNames", names(world_, "domains")), false};
    if (operation == "GetAllDomainAliases") return all_domain_aliases();
    if (service == "svcUserAdmin") return user_operation(operation);
    if (service == "svcServerAdmin") return server_operation(operation);
    if (operation == "GetProductInfo")
        return {true, 0, {}, value("ProductName", "SmarterMail") + value("ProductVersion", "10.7"), false};
    const bool small = operation == "GetDomainInfo" || operation == "GetDomainSettings" ||
                       operation == "EnableDomain" || operation == "DisableDomain";
    const Json* domain = find_domain(text(small ? "domainName" : "DomainName"));
    if (domain == nullptr) return refused("Domain not found.");
    if (service == "svcDomainAdmin") return domain_operation(operation, *domain);
    if (service == "svcMailListAdmin") return list_operation(operation, *domain);
    if (service == "svcDomainAliasAdmin" && operation == "GetAliases")
        return {true, 0, {}, strings("DomainAliasNames", names(*domain, "domain_aliases")), false};
    if (service == "svcAliasAdmin" && operation == "GetAliases") {
        Strings entries;
        for (const std::string& name : aliases(*domain))
            entries.push_back(value("Name", name) + strings("Addresses", {"somebody@" + name_of(*domain)}));
        return {true, 0, {}, list("AliasInfos", "AliasInfo", entries), false};
    }
    if (service == "svcAliasAdmin" && operation == "GetAlias") {
        const std::string wanted = text("AliasName").substr(0, text("AliasName").find('@'));
        for (const std::string& name : aliases(*domain))
            if (lower(name) == lower(wanted))
                return {true,
                        0,
                        {},
                        element("AliasInfo", value("Name", name) + strings("Addresses", {"x@y.example"})),
                        false};
        return {true, 0, {}, element("AliasInfo", value("Name", "Empty") + "<Addresses />"), false};
    }
    return refused("The double does not do this.", -100);
}

}  // namespace

std::string escape(const std::string& text) {
    std::string out;
    for (const char c : text) {
        switch (c) {
            case '&': out += "&amp;"; break;
            case '<': out += "&lt;"; break;
            case '>': out += "&gt;"; break;
            default: out += c;
        }
    }
    return out;
}

Result perform(const std::string& service, const std::string& operation, const Json& parameters,
               const Json& world, const Json& switches) {
    return Call(parameters, world, switches).perform(service, operation);
}

}  // namespace postern::tests::soap
