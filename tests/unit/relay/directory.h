// A small directory for tests: two primaries, one domain of each kind.
#pragma once

#include "sync/directory/directory.h"
#include "sync/directory/snapshot.h"

namespace postern::tests {

inline const sync::Time synced = sync::Time(std::chrono::hours(1000));

inline sync::DomainRecord domain_of(std::initializer_list<const char*> users) {
    sync::DomainRecord out;
    out.listed = out.options.read = out.users.read = out.aliases.read = out.lists.read = out.resources.read =
        out.domain_aliases.read = synced;
    for (const char* user : users) out.users.content.add(sync::Kind::user, user);
    return out;
}

/// "main": example.com with alice, "odd box" and the disabled carol; off.example disabled; unread.example
/// unread. "second": second.example with dora. Trusted for three days after `synced`.
inline sync::Snapshot small_directory() {
    sync::PrimaryRecord main{"main", std::chrono::hours(72), synced, {}};
    auto& com = main.domains["example.com"] = domain_of({"alice", "odd box"});
    com.users.content.add(sync::Kind::user_disabled, "carol");
    main.domains["off.example"] = domain_of({"alice"});
    main.domains["off.example"].enabled = false;
    main.domains["unread.example"] = domain_of({});
    main.domains["unread.example"].users.read = {};
    sync::PrimaryRecord second{"second", std::chrono::hours(72), synced, {}};
    second.domains["second.example"] = domain_of({"dora"});
    return sync::Snapshot({main, second});
}

}  // namespace postern::tests
