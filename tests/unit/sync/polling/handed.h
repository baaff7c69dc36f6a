// What gateways hand on to each other, as tests make it.
#pragma once

#include <string>
#include <vector>

#include "sync/directory/cache.h"
#include "tests/unit/sync/polling/poller_stage.h"

namespace postern::tests {

inline const Turn ours{}, anothers{Turn::Whose::anothers, 2, "gw2"}, unknown{Turn::Whose::unknown, 3, ""};

inline PrimaryRecord record_of(const std::string& user, Time read, const std::string& primary = "main") {
    PrimaryRecord record{primary, {}, read, {}};
    DomainRecord& domain = record.domains["example.com"] = read_domain("Example.com", read);
    domain.users.content = address_list(Kind::user, {user});
    return record;
}

inline std::string handed(const std::string& user, Time read, const std::string& primary = "main") {
    return encode(Directory{record_of(user, read, primary)});
}

inline std::vector<std::string> users(const Stage& stage, std::size_t primary = 0) {
    return names(stage.poller->directory()[primary].domains.at("example.com").users.content, Kind::user);
}

using Names = std::vector<std::string>;

}  // namespace postern::tests
