// The client's side of SMTP AUTH as a state machine without I/O (RFC 4954, RFC 4616, RFC 2195, RFC 5802, RFC
// 7677).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tl/expected.hpp>

namespace postern::relay {

/// Which mechanism to use, strongest first: SCRAM-SHA-256, CRAM-MD5, PLAIN, LOGIN; nullopt when the server
/// offers none of them. Names are compared without case.
std::optional<std::string> choose_mechanism(const std::vector<std::string>& offered);

/// One login.
class Sasl {
public:
    /// `mechanism` as choose_mechanism gave it. `nonce` is for tests; random otherwise.
    Sasl(std::string mechanism, std::string user, std::string password, std::string nonce = {});
    ~Sasl();  // wipes the password
    Sasl(const Sasl&) = delete;
    Sasl& operator=(const Sasl&) = delete;

    /// "AUTH MECHANISM [initial response]", without line end. It holds the password where the mechanism sends
    /// it (PLAIN); the caller does not log it.
    std::string start();
    /// The answer to a 334's text (base64 there and here, no line end). On error: what is wrong with it, for
    /// the log; the caller then sends "*" and closes.
    tl::expected<std::string, std::string> respond(std::string_view challenge);
    /// Whether the server may say 235 now. SCRAM: only when its signature was right (RFC 5802 §5), which may
    /// come in a 334 or in the text of the 235 itself.
    bool finished(std::string_view text_of_235);

private:
    using Answer = tl::expected<std::string, std::string>;

    Answer login();
    Answer cram_md5(std::string_view challenge);
    Answer scram_proof(std::string_view server_first);
    std::string scram_first() const;
    bool signature_is_right(std::string_view server_final) const;

    std::string mechanism_, user_, password_, nonce_;
    std::string expected_signature_;  // of a SCRAM server, in octets
    bool fit_;                        // user and password can be sent at all
    unsigned step_ = 0;               // challenges answered
    bool verified_ = false;
};

}  // namespace postern::relay
