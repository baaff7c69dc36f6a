// Which account the process runs as.
#pragma once

#include <sys/types.h>

#include <string>

#include <tl/expected.hpp>

namespace postern::agent {

struct Account {
    std::string name;
    uid_t user = 0;
    gid_t group = 0;
};

/// The error says in words that there is none.
tl::expected<Account, std::string> find_account(const std::string& name);

/// Its name, or "uid 1000" when it has none.
std::string account_name(uid_t user);

/// Gives up root for good: groups, group, user, and checks that there is no way back. Before threads are
/// started. Throws std::system_error.
void become(const Account& account);

/// Acts as the account for what is read and written while it lives. One thread only. Throws
/// std::system_error.
class ActingAs {
public:
    explicit ActingAs(const Account& account);
    ~ActingAs();
    ActingAs(const ActingAs&) = delete;
    ActingAs& operator=(const ActingAs&) = delete;
};

}  // namespace postern::agent
