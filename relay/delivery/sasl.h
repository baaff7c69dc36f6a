// The client's side of SMTP AUTH as a state machine without I/O (RFC 4954, RFC 4616, RFC 2195, RFC 5802, RFC
// 7677).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tl/expected.hpp>

namespace postern::relay {

/// Which mechanism to use, strongest first: SCRAM-SHA-256, CRAM-MD5, PLAIN, LOGIN; nullopt when the server offers
/// none of them, with the names it offered.
std::optional<std::string> choose_mechanism(const std::vector<std::string>& offered);

class Sasl {
public:
    /// `nonce` is for tests; random otherwise.
    Sasl(std::string mechanism, std::string user, std::string password, std::string nonce = {});
    ~Sasl();  // wipes the password
    Sasl(const Sasl&) = delete;
    Sasl& operator=(const Sasl&) = delete;

    /// "AUTH MECHANISM [initial response]", without line end.
    std::string start();
    /// The answer to a 334's text (base64 there and here, no line end); in words what is wrong with it: then send
    /// "*", expect an error, and give up.
    tl::expected<std::string, std::string> respond(std::string_view challenge);
    /// Whether the server may say 235 now. SCRAM: only when its signature was right (RFC 5802 §5), which may come
    /// in a 334 or in the text of the 235 itself.
    bool finished(std::string_view text_of_235);

private:
    // the helper's
};

}  // namespace postern::relay
