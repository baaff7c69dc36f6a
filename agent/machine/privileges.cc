#include "agent/machine/privileges.h"

#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <system_error>

namespace postern::agent {
namespace {

void must(int result, const char* what) {
    if (result != 0) throw std::system_error(errno, std::generic_category(), what);
}

}  // namespace

tl::expected<Account, std::string> find_account(const std::string& name) {
    const passwd* entry = getpwnam(name.c_str());
    if (!entry)
        return tl::unexpected("there is no account \"" + name +
                              "\": make it with \"adduser --system --group " + name +
                              "\", or name another one (\"\" to stay root)");
    return Account{name, entry->pw_uid, entry->pw_gid};
}

std::string account_name(uid_t user) {
    std::array<char, 4096> buffer{};  // of the call that may be made by several threads
    passwd entry{}, *found = nullptr;
    const int error = getpwuid_r(user, &entry, buffer.data(), buffer.size(), &found);
    return error == 0 && found != nullptr ? found->pw_name : "uid " + std::to_string(user);
}

void become(const Account& account) {
    must(initgroups(account.name.c_str(), account.group), "initgroups");
    must(setresgid(account.group, account.group, account.group), "setresgid");
    must(setresuid(account.user, account.user, account.user), "setresuid");
    if (account.user != 0 && setuid(0) == 0)
        throw std::system_error(EPERM, std::generic_category(), "root could not be given up");
}

ActingAs::ActingAs(const Account& account) {
    must(initgroups(account.name.c_str(), account.group), "initgroups");
    must(setegid(account.group), "setegid");
    must(seteuid(account.user), "seteuid");
}

ActingAs::~ActingAs() {
    // Going on with half of another account's rights would be worse than ending.
    if (seteuid(0) != 0 || setegid(0) != 0 || setgroups(0, nullptr) != 0) std::abort();
}

}  // namespace postern::agent
