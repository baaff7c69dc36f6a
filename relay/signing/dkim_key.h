// A private key that signs mail, and the DNS record that lets others verify it (RFC 6376 §3.3, RFC 8463).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <tl/expected.hpp>

#include "sync/base/secret.h"

namespace postern::relay {

/// Immutable; any thread.
class DkimKey {
public:
    enum class Kind : std::uint8_t { rsa, ed25519 };

    /// From PEM without a passphrase: RSA of 1024 to 4096 bits, or Ed25519. The error says in words what is
    /// wrong, as the rest of a sentence about the file.
    static tl::expected<DkimKey, std::string> parse(std::string_view pem);
    /// A new one, RSA of 2048 bits. Throws std::runtime_error when the system gives none.
    static DkimKey make(Kind kind);

    Kind kind() const { return kind_; }
    unsigned bits() const { return bits_; }
    base::Secret pem() const;  // PKCS #8
    /// As in the a= tag: "rsa-sha256".
    std::string_view algorithm() const;
    /// What the TXT record at SELECTOR._domainkey.DOMAIN says.
    std::string record() const;
    /// Whether the text of a TXT record there is of this key. "" when it is, else in words what is not right.
    std::string differs(std::string_view record) const;
    /// Base64 of the signature over `text`. Throws std::runtime_error when there is none.
    std::string sign(std::string_view text) const;

private:
    struct Native;
    explicit DkimKey(std::shared_ptr<const Native> native);

    std::shared_ptr<const Native> native_;
    Kind kind_ = Kind::rsa;
    unsigned bits_ = 0;
    std::string public_;  // base64, as in the p= tag
};

}  // namespace postern::relay
