#include "relay/reception/srs_secret.h"

#include <stdexcept>
#include <system_error>

#include "sync/base/file_fault.h"
#include "sync/base/kept_file.h"
#include "sync/base/random.h"

namespace postern::relay {

namespace {

constexpr std::size_t secret_min = 16, secret_size = 32, secret_max = 4096;

}  // namespace

std::string obtain_srs_secret(base::Disk& disk, const std::filesystem::path& file) {
    auto secret = base::obtain_file(disk, file, secret_max, [] { return base::random_octets(secret_size); });
    const bool unfit = secret ? secret->size() < secret_min : secret.error() == std::errc::file_too_large;
    if (unfit)
        throw std::runtime_error("the secret of the sender rewriting scheme, " + file.string() +
                                 ", must have 16 to 4096 octets");
    if (!secret)
        throw std::runtime_error("state_dir: cannot use the secret of the sender rewriting scheme, " +
                                 base::file_fault(file, secret.error()));
    return std::move(*secret);
}

std::shared_ptr<const Srs> rewriting(base::Disk& disk, const Settings& settings) {
    const AcceptSettings& accept = settings.accept;
    if (accept.foreign_sender != ForeignSender::rewrite) return nullptr;
    return std::make_shared<const Srs>(
        obtain_srs_secret(disk, settings.state_dir / "srs.secret"),
        accept.rewrite_domain.empty() ? settings.hostname : accept.rewrite_domain);
}

}  // namespace postern::relay
