#include "sync/directory/directory.h"

#include <algorithm>

#include "sync/base/domain_name.h"
#include "sync/limits.h"

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

std::size_t octets(const AddressList& list) {
    return list.packed().size() + limits::beside_a_name * list.size();
}

std::size_t octets(const DomainNames& names) {
    std::size_t sum = 0;
    for (const std::string& name : names) sum += name.size() + limits::beside_a_name;
    return sum;
}

std::size_t octets(const DomainRecord& record) {
    std::size_t sum = octets(record.domain_aliases.content);
    for (const Part<AddressList>* part : {&record.users, &record.aliases, &record.lists, &record.resources})
        sum += octets(part->content);
    return sum;
}

bool suspected(const DomainRecord& record) {
    return record.options.suspicion || record.users.suspicion || record.aliases.suspicion ||
           record.lists.suspicion || record.resources.suspicion || record.domain_aliases.suspicion;
}

}  // namespace postern::sync
