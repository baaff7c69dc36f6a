#include "sync/base/ensure.h"

#include <cstdio>
#include <cstdlib>

namespace postern::base {

void broken_contract(const char* condition, const char* why, const char* file, int line) {
    std::fprintf(stderr, "postern: a contract is broken, and nothing is done upon it: %s (%s, %s:%d)\n", why,
                 condition, file, line);
    std::abort();
}

}  // namespace postern::base
