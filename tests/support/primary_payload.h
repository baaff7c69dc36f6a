// The payloads of the double's replies: what a world looks like in the primary's own words.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace postern::tests::payload {

using Json = nlohmann::json;

/// A user of the domain as the world describes it; null when there is none.
const Json* find_user(const Json& domain, const std::string& name);

Json domains(const Json& world, const Json& switches);
Json domain_names(const Json& world);
Json domain_data(const Json& domain);
Json domain_settings(const Json& domain);
Json user(const Json& user, const std::string& domain);
Json user_mail(const Json& user);
Json users(const Json& domain);
Json user_names(const Json& domain);
Json accounts(const Json& domain, const Json& search_flags, bool mixed_types);
Json aliases(const Json& domain, const Json& switches);
Json domain_aliases(const Json& domain, const Json& switches);
Json lists(const Json& domain);
Json resources(const Json& domain);

}  // namespace postern::tests::payload
