#include "relay/screening/secret.h"

#include <stdexcept>
#include <system_error>

#include "sync/base/file_fault.h"
#include "sync/base/kept_file.h"
#include "sync/base/random.h"

namespace postern::relay {

namespace {

constexpr std::size_t secret_min = 16, secret_size = 32, secret_max = 4096;

}  // namespace

std::string obtain_secret(base::Disk& disk, const std::filesystem::path& file, std::string_view of_what) {
    auto secret = base::obtain_file(disk, file, secret_max, [] { return base::random_octets(secret_size); });
    const bool unfit = secret ? secret->size() < secret_min : secret.error() == std::errc::file_too_large;
    if (unfit)
        throw std::runtime_error("the secret of " + std::string(of_what) + ", " + file.string() +
                                 ", must have 16 to 4096 octets");
    if (!secret)
        throw std::runtime_error("state_dir: cannot use the secret of " + std::string(of_what) + ", " +
                                 base::file_fault(file, secret.error()));
    return std::move(*secret);
}

}  // namespace postern::relay
