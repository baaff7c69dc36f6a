#include "sync/directory/verdict.h"

namespace postern::sync {

std::string_view describe(Reason reason) {
    switch (reason) {
        case Reason::user: return "user";
        case Reason::alias: return "alias";
        case Reason::mailing_list: return "mailing list";
        case Reason::list_command: return "list command address";
        case Reason::catch_all: return "the domain takes every address";
        case Reason::role: return "role address of a known domain";
        case Reason::domain: return "known domain";
        case Reason::no_such_user: return "no such user";
        case Reason::user_disabled: return "user is disabled";
        case Reason::domain_disabled: return "domain is disabled";
        case Reason::no_such_domain: return "no such domain";
        case Reason::never_synced: return "directory not yet known";
        case Reason::domain_not_read: return "domain's users not yet known";
        case Reason::stale: return "directory too old to tell";
    }
    return "unknown";
}

}  // namespace postern::sync
