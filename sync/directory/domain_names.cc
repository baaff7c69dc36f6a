#include "sync/directory/domain_names.h"

#include "sync/base/domain_name.h"

namespace postern::sync {

bool DomainNames::add(std::string_view spelling) {
    auto name = base::DomainName::parse(spelling);
    if (name)
        names_.push_back(std::move(*name).text());
    else
        unfit_.note(spelling);
    return name.has_value();
}

}  // namespace postern::sync
