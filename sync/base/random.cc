#include "sync/base/random.h"

#include <openssl/rand.h>

#include <stdexcept>

namespace postern::base {

std::string random_octets(std::size_t count) {
    std::string out(count, '\0');
    if (RAND_bytes(reinterpret_cast<unsigned char*>(out.data()), static_cast<int>(count)) != 1)
        throw std::runtime_error("the system gives no random numbers");
    return out;
}

}  // namespace postern::base
