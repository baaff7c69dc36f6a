#include "relay/delivery/delivery.h"
#include "relay/delivery/dnssec_memory.h"
#include "relay/net/dnssec.h"
#include "sync/base/file.h"
#include "sync/base/file_fault.h"

namespace postern::relay {

void Delivery::watch_dnssec() {
    if (proof_ == net::Proof::damaged)
        observer_.on(
            event::Trouble{"dns",
                           (settings_->state_dir / dnssec_file).string() +
                               " cannot be read, so DNSSEC validation is demanded as if it had worked "
                               "before with these [dns] settings",
                           false});
    proof_due_ = proof_ != net::Proof::given;
    resolver_->watch_dnssec(proof_ != net::Proof::none, [this] { dnssec_changed(); });
}

std::string Delivery::dns_trouble() const { return resolver_->dnssec().trouble(); }

void Delivery::dnssec_changed() {
    const std::string trouble = dns_trouble();
    if (trouble != dns_told_)
        observer_.on(event::Trouble{
            "dns",
            trouble.empty() ? "DNSSEC validation works, and is demanded as long as [dns] is the same"
                            : trouble,
            false});
    dns_told_ = trouble;
    keep_proof();
    // What is known was not validated, or waits because it could not be.
    for (auto& [key, one] : destinations_) one->fresh_until = {};
    retry_destinations({});
}

/// Has it written down that validation works, once.
void Delivery::keep_proof() {
    if (!resolver_->dnssec().proven() || !resolver_->dnssec().well() || !std::exchange(proof_due_, false))
        return;
    asio::post(keeper_, [this, file = settings_->state_dir / dnssec_file,
                         text = net::write_proof(resolver_->dnssec().settings())] {
        const auto error = base::replace_file(file, text);
        if (!error) return;
        asio::post(io_, [this, what = "cannot write " + base::file_fault(file, error)] {
            if (!std::exchange(proof_failed_, true)) observer_.on(event::Trouble{"dns", what, false});
            proof_due_ = true;
        });
    });
}

}  // namespace postern::relay
