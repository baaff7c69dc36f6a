#include "agent/machine/descriptor_limit.h"

#include <sys/resource.h>

#include <cerrno>
#include <system_error>

namespace postern::agent {

tl::expected<void, std::string> raise_descriptor_limit() {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        const rlimit most{limit.rlim_max, limit.rlim_max};
        if (setrlimit(RLIMIT_NOFILE, &most) == 0) return {};
    }
    const std::string why = std::generic_category().message(errno);
    return tl::make_unexpected("the limit of open files and connections stays at " +
                               std::to_string(limit.rlim_cur) + ", for it cannot be raised: " + why);
}

}  // namespace postern::agent
