// Signatures on what goes to hosts: made beside the loop, and shared by all hosts that the same goes to.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <utility>

#include <tl/expected.hpp>

#include "relay/delivery/environment.h"
#include "relay/delivery/form.h"
#include "relay/net/asio.h"
#include "relay/net/timer.h"
#include "relay/signing/keyring.h"
#include "relay/signing/signer.h"

namespace postern::relay {

using KeyringPtr = std::shared_ptr<const Keyring>;
using SignaturesPtr = std::shared_ptr<const Signatures>;

/// On the delivery loop.
class Signing {
public:
    Signing(Environment& env, KeyringPtr keyring) : env_(env), keyring_(std::move(keyring)) {}

    const Keyring& keyring() const { return *keyring_; }
    void reload(KeyringPtr keyring);
    /// Of the message in this form: without any when no key is for it. Where none can be made, which is told,
    /// it goes unsigned.
    net::awaitable<tl::expected<SignaturesPtr, ContentFault>> of(StoredPtr stored, FormPtr form);

private:
    struct Made {
        SignaturesPtr signatures;
        Time at;
    };
    using Key = std::pair<std::uint64_t, bool>;  // message, in 7 bits

    Environment& env_;
    KeyringPtr keyring_;
    std::map<Key, Made> made_;
    std::map<Key, std::shared_ptr<net::Timer>> making_;  // cancelled at the end, for others who want the same
};

}  // namespace postern::relay
