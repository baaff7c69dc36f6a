#include "sync/directory/directory.h"

#include <algorithm>

#include "sync/base/domain_name.h"

namespace postern::sync {

Time DomainRecord::complete() const {
    return std::min({options.read, users.read, aliases.read, lists.read, domain_aliases.read});
}

bool disowned(const Directory& directory, std::size_t primary, std::string_view domain) {
    auto names = [&](const PrimaryRecord& one) {
        return std::binary_search(one.own.begin(), one.own.end(), domain);
    };
    return std::any_of(directory.begin(), directory.end(), names) && !names(directory[primary]);
}

std::optional<std::string> canonical_domain(std::string_view name) {
    auto parsed = base::DomainName::parse(name);
    return parsed ? std::optional(std::move(*parsed).text()) : std::nullopt;
}

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

}  // namespace

std::string unusable(const DomainRecord& record) {
    std::string words;
    const auto add = [&](const Unfit& unfit, std::string_view kind) {
        const std::string more = unfit.words(kind);
        words += (words.empty() || more.empty() ? "" : ", ") + more;
    };
    add(record.users.content.unfit(), "users");
    add(record.aliases.content.unfit(), "aliases");
    add(record.lists.content.unfit(), "mailing lists");
    add(record.resources.content.unfit(), "resources");
    add(record.domain_aliases.content.unfit(), "domain aliases");
    return words;
}

namespace {

constexpr std::size_t beside_a_name = 16;

}  // namespace

std::size_t octets(const AddressList& list) { return list.packed().size() + beside_a_name * list.size(); }

std::size_t octets(const DomainNames& names) {
    std::size_t sum = 0;
    for (const std::string& name : names) sum += name.size() + beside_a_name;
    return sum;
}

std::size_t octets(const DomainRecord& record) {
    std::size_t sum = octets(record.domain_aliases.content);
    for (const Part<AddressList>* part : {&record.users, &record.aliases, &record.lists, &record.resources})
        sum += octets(part->content);
    return sum;
}

bool suspected(const DomainRecord& record) { return !suspicions(record).empty(); }

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

namespace {

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
