#include "relay/reception/srs_secret.h"

#include "relay/screening/secret.h"

namespace postern::relay {

std::string obtain_srs_secret(base::Disk& disk, const std::filesystem::path& file) {
    return obtain_secret(disk, file, "the sender rewriting scheme");
}

std::shared_ptr<const Srs> rewriting(base::Disk& disk, const Settings& settings) {
    const AcceptSettings& accept = settings.accept;
    if (accept.foreign_sender != ForeignSender::rewrite) return nullptr;
    return std::make_shared<const Srs>(
        obtain_srs_secret(disk, settings.state_dir / "srs.secret"),
        accept.rewrite_domain.empty() ? settings.hostname : accept.rewrite_domain);
}

}  // namespace postern::relay
