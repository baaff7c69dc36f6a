#include "tests/support/primary_payload.h"

#include <algorithm>
#include <cctype>

namespace postern::tests::payload {

namespace {

std::string name_of(const Json& entry) {
    return entry.is_string() ? entry.get<std::string>() : entry.at("name").get<std::string>();
}

template <class Value>
Value field(const Json& entry, const char* key, Value otherwise) {
    return entry.is_object() ? entry.value(key, otherwise) : otherwise;
}

Json list(const Json& domain, const char* key) { return domain.value(key, Json::array()); }

bool same(const std::string& a, const std::string& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

bool enabled(const Json& entry) { return field(entry, "enabled", true); }

}  // namespace

const Json* find_user(const Json& domain, const std::string& name) {
    const auto users = domain.find("users");
    if (users == domain.end()) return nullptr;
    for (const Json& entry : *users)
        if (same(name_of(entry), name)) return &entry;
    return nullptr;
}

Json domains(const Json& world, const Json& switches) {
    Json data = Json::array();
    for (const Json& domain : list(world, "domains")) {
        const std::string name = domain.at("name");
        Json item{{"name", name},
                  {"path", "C:\\SmarterMail\\Domains\\" + name},
                  {"hostname", "mail." + name},
                  {"userCount", list(domain, "users").size()},
                  {"userLimit", 0},
                  {"aliasCount", list(domain, "aliases").size()},
                  {"domainAliasCount", list(domain, "domain_aliases").size()},
                  {"listCount", list(domain, "lists").size()},
                  {"size", 0},
                  {"maxSize", 0}};
        if (switches.value("domain_is_enabled", true)) item["isEnabled"] = enabled(domain);
        if (switches.value("domain_status", true)) item["status"] = enabled(domain) ? "Enabled" : "Disabled";
        data.push_back(std::move(item));
    }
    return data;
}

Json domain_names(const Json& world) {
    Json data = Json::array();
    for (const Json& domain : list(world, "domains")) data.push_back(domain.at("name"));
    return data;
}

Json domain_data(const Json& domain) {
    return {{"name", domain.at("name")},
            {"isEnabled", enabled(domain)},
            {"userCount", list(domain, "users").size()},
            {"aliasCount", list(domain, "aliases").size()}};
}

Json domain_settings(const Json& domain) {
    return {{"domainPath", "C:\\SmarterMail\\Domains\\" + domain.at("name").get<std::string>()},
            {"isEnabled", enabled(domain)},
            {"catchAll", domain.value("catch_all", Json(nullptr))},
            {"listCommandAddress", domain.value("list_command", Json(nullptr))},
            {"maxUsers", 0},
            {"enableDisposableAddresses", false}};
}

Json user(const Json& user, const std::string& domain) {
    return {{"userName", name_of(user)},
            {"emailAddress", name_of(user) + "@" + domain},
            {"fullName", ""},
            {"securityFlags",
             {{"authType", 0},
              {"isDisabled", !enabled(user)},
              {"isDomainAdmin", field(user, "domain_admin", false)},
              {"isSystemAdmin", false}}},
            {"currentMailboxSize", field(user, "size", 0)},
            {"maxMailboxSize", field(user, "max_size", 0)},
            {"lastLoginTime", nullptr}};
}

Json user_mail(const Json& user) {
    return {{"isEnabled", enabled(user)},
            {"canReceiveMail", field(user, "can_receive", enabled(user))},
            {"isCatchAll", false}};
}

Json users(const Json& domain) {
    Json data = Json::array();
    for (const Json& entry : list(domain, "users")) data.push_back(user(entry, domain.at("name")));
    return data;
}

Json user_names(const Json& domain) {
    Json data = Json::array();
    for (const Json& entry : list(domain, "users")) data.push_back(name_of(entry));
    return data;
}

Json accounts(const Json& domain, const Json& search_flags, bool mixed_types) {
    const auto wants = [&](const char* flag) {
        return mixed_types ||
               std::find(search_flags.begin(), search_flags.end(), Json(flag)) != search_flags.end();
    };
    Json results = Json::array();
    if (wants("users"))
        for (const Json& entry : list(domain, "users"))
            results.push_back({{"userName", name_of(entry)},
                               {"emailAddress", name_of(entry) + "@" + domain.at("name").get<std::string>()},
                               {"accountType", field(entry, "domain_admin", false) ? 1 : 0},
                               {"isEnabled", enabled(entry)}});
    if (wants("aliases"))
        for (const Json& entry : list(domain, "aliases"))
            results.push_back({{"userName", name_of(entry)},
                               {"displayName", name_of(entry)},
                               {"accountType", 4},
                               {"isEnabled", enabled(entry)},
                               {"aliasTargetList", field(entry, "targets", Json::array())},
                               {"internalOnly", field(entry, "internal_only", false)},
                               {"includeAllDomainUsers", false}});
    if (mixed_types)
        for (const Json& entry : list(domain, "lists"))
            results.push_back({{"userName", name_of(entry)}, {"accountType", 5}, {"isEnabled", true}});
    return results;
}

Json aliases(const Json& domain, const Json& switches) {
    Json data = Json::array();
    for (const Json& entry : list(domain, "aliases"))
        data.push_back(
            {{"name", name_of(entry)},
             {"targets",
              switches.value("null_lists", false) ? Json(nullptr) : field(entry, "targets", Json::array())},
             {"includeAllDomainUsers", false}});
    if (!data.empty()) return data;
    if (switches.value("empty_grid_text", false)) return "";
    return switches.value("null_lists", false) ? Json(nullptr) : data;
}

Json domain_aliases(const Json& domain, const Json& switches) {
    Json data = Json::array();
    for (const Json& entry : list(domain, "domain_aliases"))
        data.push_back(
            {{"name", name_of(entry)}, {"aliasIdn", name_of(entry)}, {"domainName", domain.at("name")}});
    if (data.empty() && switches.value("null_lists", true)) return nullptr;
    return data;
}

Json lists(const Json& domain) {
    Json data = Json::array();
    int id = 0;
    for (const Json& entry : list(domain, "lists"))
        data.push_back({{"id", ++id},
                        {"listAddress", name_of(entry)},
                        {"description", ""},
                        {"disabled", field(entry, "disabled", false)},
                        {"listCommandAddress", domain.value("list_command", Json(nullptr))},
                        {"listSubscriberCount", 0}});
    return data;
}

Json resources(const Json& domain) {
    Json data = Json::array();
    for (const Json& entry : list(domain, "resources"))
        data.push_back({{"emailAlias", name_of(entry)}, {"isEnabled", enabled(entry)}});
    return data;
}

}  // namespace postern::tests::payload
