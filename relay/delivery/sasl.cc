#include "relay/delivery/sasl.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <stdexcept>

#include "sync/base/ascii.h"
#include "sync/base/encoding.h"
#include "sync/base/random.h"

namespace postern::relay {

namespace {

constexpr std::size_t challenge_max = 8192;     // base64
constexpr std::size_t credential_max = 1000;    // octets of user and of password
constexpr std::size_t nonce_size = 18;          // octets
constexpr std::size_t salt_max = 1024;          // octets
constexpr unsigned iterations_max = 1'000'000;  // half a second of work; servers ask for 4,096 to 100,000
constexpr std::size_t digest_size = 32;         // SHA-256
constexpr std::string_view mechanisms[] = {"SCRAM-SHA-256", "CRAM-MD5", "PLAIN", "LOGIN"};

tl::unexpected<std::string> fault(const char* words) { return tl::unexpected<std::string>(words); }

void wipe(std::string& text) { OPENSSL_cleanse(text.data(), text.size()); }

const unsigned char* octets(std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
}

std::string hmac(const EVP_MD* hash, std::string_view key, std::string_view text) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned length = 0;
    if (HMAC(hash, key.data(), static_cast<int>(key.size()), octets(text), text.size(), digest.data(),
             &length) == nullptr)
        throw std::runtime_error("no HMAC can be computed");
    return {reinterpret_cast<const char*>(digest.data()), length};
}

std::string sha256(std::string_view text) {
    std::string digest(digest_size, '\0');
    if (EVP_Digest(text.data(), text.size(), reinterpret_cast<unsigned char*>(digest.data()), nullptr,
                   EVP_sha256(), nullptr) != 1)
        throw std::runtime_error("no digest can be computed");
    return digest;
}

/// Base64 as a server may send it.
std::optional<std::string> from_base64(std::string_view text) {
    return text.size() > challenge_max ? std::nullopt : base::from_base64(text);
}

/// A user name as SCRAM writes it (RFC 5802 §5.1).
std::string saslname(std::string_view name) {
    std::string out;
    for (char c : name) {
        if (c == '=')
            out += "=3D";
        else if (c == ',')
            out += "=2C";
        else
            out += c;
    }
    return out;
}

/// Takes "name=value" and the comma behind it off the front; nullopt when another attribute stands there.
std::optional<std::string_view> take_attribute(std::string_view& text, char name) {
    if (text.size() < 2 || text[0] != name || text[1] != '=') return std::nullopt;
    const std::size_t comma = std::min(text.find(','), text.size());
    const std::string_view value = text.substr(2, comma - 2);
    text.remove_prefix(std::min(comma + 1, text.size()));
    return value;
}

std::optional<unsigned> parse_iterations(std::string_view text) {
    unsigned count = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
    if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return count;
}

bool has_control(std::string_view text) {
    return std::any_of(text.begin(), text.end(),
                       [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; });
}

}  // namespace

std::optional<std::string> choose_mechanism(const std::vector<std::string>& offered) {
    for (const std::string_view mechanism : mechanisms)
        if (std::any_of(offered.begin(), offered.end(), [mechanism](const std::string& name) {
                return base::equal_ignoring_case(name, mechanism);
            }))
            return std::string(mechanism);
    return std::nullopt;
}

Sasl::Sasl(std::string mechanism, std::string user, std::string password, std::string nonce)
    : mechanism_(std::move(mechanism)),
      user_(std::move(user)),
      password_(std::move(password)),
      nonce_(nonce.empty() ? base::base64(base::random_octets(nonce_size)) : std::move(nonce)),
      fit_(!has_control(user_) && !has_control(password_) && user_.size() <= credential_max &&
           password_.size() <= credential_max) {}

Sasl::~Sasl() { wipe(password_); }

std::string Sasl::start() {
    std::string command = "AUTH " + mechanism_;
    if (!fit_) return command;
    if (mechanism_ == "PLAIN") {
        std::string response = '\0' + user_ + '\0' + password_;
        command += ' ' + base::base64(response);
        wipe(response);
    } else if (mechanism_ == "SCRAM-SHA-256") {
        command += ' ' + base::base64("n,," + scram_first());
    }
    return command;
}

Sasl::Answer Sasl::respond(std::string_view challenge) {
    if (!fit_) return fault("the user name or the password cannot be sent by AUTH");
    if (challenge.size() > challenge_max) return fault("the server's challenge is too long");
    const unsigned step = step_++;
    if (mechanism_ == "LOGIN")
        return step > 1 ? fault("the server asks for more than user and password") : login();
    const auto text = from_base64(challenge);
    if (!text) return fault("the server's challenge is not base64");
    if (mechanism_ == "CRAM-MD5" && step == 0) return cram_md5(*text);
    if (mechanism_ == "SCRAM-SHA-256" && step == 0) return scram_proof(*text);
    if (mechanism_ == "SCRAM-SHA-256" && step == 1) {
        if (!signature_is_right(*text))
            return fault("the server's signature is wrong: it does not know the password");
        verified_ = true;
        return std::string();
    }
    return fault("the server asks for more than the mechanism has");
}

bool Sasl::finished(std::string_view text_of_235) {
    if (!fit_) return false;
    if (mechanism_ == "PLAIN") return step_ == 0;
    if (mechanism_ == "LOGIN") return step_ == 2;
    if (mechanism_ == "CRAM-MD5") return step_ == 1;
    if (verified_ || step_ != 1) return verified_;
    // The last word of the text, behind an enhanced status and whatever else a server puts there.
    const auto final = from_base64(text_of_235.substr(text_of_235.find_last_of(' ') + 1));
    verified_ = final && signature_is_right(*final);
    return verified_;
}

// The prompts are words in any language: the first is answered with the user name, the second with the
// password.
Sasl::Answer Sasl::login() { return base::base64(step_ == 1 ? user_ : password_); }

Sasl::Answer Sasl::cram_md5(std::string_view challenge) {
    if (challenge.empty()) return fault("the server's challenge is empty");
    return base::base64(user_ + ' ' + base::hex(hmac(EVP_md5(), password_, challenge)));
}

std::string Sasl::scram_first() const { return "n=" + saslname(user_) + ",r=" + nonce_; }

Sasl::Answer Sasl::scram_proof(std::string_view server_first) {
    std::string_view rest = server_first;
    const auto nonce = take_attribute(rest, 'r');
    const auto salt_text = take_attribute(rest, 's');
    const auto iterations_text = take_attribute(rest, 'i');
    // An attribute in front of the nonce is an extension that must be understood ("m="), and none is.
    if (!nonce || !salt_text || !iterations_text)
        return fault("the server's first SCRAM message cannot be read");
    if (!nonce->starts_with(nonce_) || nonce->size() == nonce_.size())
        return fault("the server's nonce does not continue ours");
    const auto salt = from_base64(*salt_text);
    if (!salt || salt->empty() || salt->size() > salt_max) return fault("the server's salt cannot be used");
    const auto iterations = parse_iterations(*iterations_text);
    if (!iterations || *iterations < 1 || *iterations > iterations_max)
        return fault("the server's iteration count is not between 1 and 1,000,000");

    std::string salted(digest_size, '\0');
    if (PKCS5_PBKDF2_HMAC(password_.data(), static_cast<int>(password_.size()), octets(*salt),
                          static_cast<int>(salt->size()), static_cast<int>(*iterations), EVP_sha256(),
                          static_cast<int>(salted.size()),
                          reinterpret_cast<unsigned char*>(salted.data())) != 1)
        return fault("the password cannot be salted");
    const std::string final_without_proof = "c=biws,r=" + std::string(*nonce);  // biws: "n,,"
    const std::string message = scram_first() + ',' + std::string(server_first) + ',' + final_without_proof;
    std::string proof = hmac(EVP_sha256(), salted, "Client Key");
    const std::string signature = hmac(EVP_sha256(), sha256(proof), message);
    std::transform(proof.begin(), proof.end(), signature.begin(), proof.begin(),
                   [](char a, char b) { return static_cast<char>(a ^ b); });
    expected_signature_ = hmac(EVP_sha256(), hmac(EVP_sha256(), salted, "Server Key"), message);
    wipe(salted);
    return base::base64(final_without_proof + ",p=" + base::base64(proof));
}

bool Sasl::signature_is_right(std::string_view server_final) const {
    const auto text = take_attribute(server_final, 'v');
    const auto signature = text ? from_base64(*text) : std::nullopt;
    return signature && signature->size() == expected_signature_.size() && !signature->empty() &&
           CRYPTO_memcmp(signature->data(), expected_signature_.data(), signature->size()) == 0;
}

}  // namespace postern::relay
