// What names are looked up with: the resolver and whether it validates, the MTA-STS policies, and which
// addresses are our own.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "relay/delivery/environment.h"
#include "relay/delivery/learnt.h"
#include "relay/delivery/target.h"
#include "relay/net/dnssec_proof.h"
#include "relay/net/resolver.h"
#include "relay/net/tls.h"
#include "relay/security/sts_fetch.h"
#include "relay/security/sts_store.h"

namespace postern::relay {

/// On the delivery loop.
class Names {
public:
    /// Throws where what was learnt of policies cannot be read.
    Names(Environment& env, Learnt& learnt);

    /// `changed` is called on the loop when answers are validated that were not, or are no more: what was
    /// looked up before is to be looked up again.
    void start(std::function<void()> changed);
    /// `tls` was made of the same settings.
    void reload(const net::PreparedTls& tls);
    /// `asker` is what names are looked up for: a message's id, or a route.
    Surroundings surroundings(const std::string& asker);
    net::Resolver& resolver() { return resolver_; }
    const net::TlsContext& tls() const { return tls_; }
    /// Why names are looked up without DNSSEC, or not at all, in words; "" when all is well.
    std::string trouble() const;
    void persist();  // has written down what is new

private:
    /// That validation works, as it is written down.
    struct KeptProof {
        net::Proof at_start;
        bool due = false;     // is to be written
        bool failed = false;  // could not be, which was told
    };

    void validation_changed();
    void keep_proof();

    Environment& env_;
    Learnt& learnt_;
    net::Resolver resolver_;
    KeptProof proof_;
    std::function<void()> changed_;
    std::string told_;  // trouble()
    std::shared_ptr<OwnAddresses> own_ = std::make_shared<OwnAddresses>();
    IsOurs ours_;
    net::TlsContext tls_;
    StsFetch fetch_;
    StsStore policies_;
};

}  // namespace postern::relay
