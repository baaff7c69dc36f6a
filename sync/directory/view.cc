#include "sync/directory/view.h"

#include <optional>

namespace postern::sync {

namespace {

std::vector<SuspicionView> suspicions(const DomainRecord& record) {
    std::vector<SuspicionView> views;
    const auto add = [&](const char* what, const std::optional<Suspicion>& held) {
        if (held) views.push_back({what, held->since, held->before, held->now});
    };
    add("catch-all", record.options.suspicion);
    add("users", record.users.suspicion);
    add("aliases", record.aliases.suspicion);
    add("mailing lists", record.lists.suspicion);
    add("resources", record.resources.suspicion);
    add("domain aliases", record.domain_aliases.suspicion);
    return views;
}

std::string_view describe(Kind kind) {
    switch (kind) {
        case Kind::user: return "user";
        case Kind::user_receiving: return "user, may not sign in, still receives mail";
        case Kind::user_unread: return "user, may not sign in, whether it receives mail is not known yet";
        case Kind::user_disabled: return "user, disabled";
        case Kind::alias: return "alias";
        case Kind::mailing_list: return "mailing list";
        case Kind::list_command: return "list command address";
        case Kind::resource: return "room or equipment";
    }
    return "";
}

}  // namespace

std::vector<DomainView> view(const Directory& directory) {
    std::vector<DomainView> views;
    for (const PrimaryRecord& primary : directory) {
        for (const auto& [name, record] : primary.domains) {
            const Time read = record.complete();
            views.push_back({name, primary.name, record.enabled, record.users.content.size(),
                             record.aliases.content.size(), record.lists.content.size(),
                             record.domain_aliases.content.all(), record.options.content.catch_all, read,
                             record.error, record.error_at,
                             read == Time{} ? Time{} : read + primary.trust_for, suspicions(record),
                             unusable(record), primary.lists});
        }
    }
    return views;
}

AddressView view(const Snapshot& snapshot, std::string_view local_part, std::string_view domain, Time now) {
    AddressView answer{snapshot.address(local_part, domain, now), {}};
    const Snapshot::Entry entry = snapshot.find(local_part, domain);
    if (!entry.found && entry.asked == Time{}) return answer;
    if (!entry.found) {
        answer.what = "no such address when it was asked for by itself";
        return answer;
    }
    answer.what = std::string(describe(entry.kind)) + " " + std::string(entry.local_part) + " in " +
                  std::string(entry.domain);
    if (entry.asked != Time{}) answer.what += ", asked for by itself";
    return answer;
}

}  // namespace postern::sync
