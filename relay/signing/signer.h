// The DKIM signatures of one message (RFC 6376 §3.5): its octets go in, the header fields to put in front of
// it come out.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "relay/mail/message.h"
#include "relay/signing/canonical.h"
#include "relay/signing/keyring.h"

namespace postern::relay {

/// What is put in front of a message.
struct Signatures {
    std::string fields;              // DKIM-Signature, one behind the other, folded, each ending with CRLF
    std::vector<std::string> names;  // whose: "mail2026._domainkey.example.com"
};

/// Which keys sign mail with this header, from this reverse-path: those of the domain of From, where the
/// reverse-path is of that domain, or of one in or around it; else those of the reverse-path's, unless they
/// would vouch for the author. Null: none; mail without a sender, which may have come from anywhere; mail
/// that is signed for that domain already, or has not exactly one From field.
const Keyring::Keys* keys_for(const Keyring& keyring, std::string_view header, const Address& reverse_path);

/// Used once, by one thread at a time. The keyring outlives it.
class Signer {
public:
    Signer(const Keyring& keyring, const Address& reverse_path);
    ~Signer();
    Signer(const Signer&) = delete;
    Signer& operator=(const Signer&) = delete;

    /// The next octets of the content. False when it need not be given the rest: nobody signs it.
    bool add(std::string_view octets);
    /// At its end; `now` is the time it was signed. Throws std::runtime_error when OpenSSL makes none.
    Signatures finish(Time now);

private:
    struct Hash;
    bool begin_body();
    void hash(std::string_view octets);

    const Keyring& keyring_;
    const Address reverse_path_;
    std::string header_;
    const Keyring::Keys* keys_ = nullptr;
    bool in_body_ = false;
    RelaxedBody body_;
    std::unique_ptr<Hash> hash_;
};

}  // namespace postern::relay
