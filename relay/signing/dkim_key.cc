#include "relay/signing/dkim_key.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509.h>

#include <array>
#include <map>
#include <stdexcept>
#include <utility>

#include "sync/base/ascii.h"
#include "sync/base/encoding.h"

namespace postern::relay {

namespace {

constexpr unsigned least_bits = 1024, usual_bits = 2048, most_bits = 4096;  // RFC 8301 §3.2

template <auto free>
struct Free {
    template <class T>
    void operator()(T* one) const {
        free(one);
    }
};
using Key = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, Free<EVP_PKEY_CTX_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, Free<EVP_MD_CTX_free>>;
using Bio = std::unique_ptr<BIO, Free<BIO_free>>;

[[noreturn]] void failed(const std::string& what) {
    ERR_clear_error();
    throw std::runtime_error(what);
}

/// Nobody is asked for a passphrase.
int no_passphrase(char*, int, int, void* asked) {
    *static_cast<bool*>(asked) = true;
    return -1;
}

std::string_view view(const unsigned char* octets, std::size_t size) {
    return {reinterpret_cast<const char*>(octets), size};
}

std::string public_part(EVP_PKEY* key) {
    if (EVP_PKEY_get_id(key) == EVP_PKEY_ED25519) {
        std::array<unsigned char, 32> octets{};
        std::size_t size = octets.size();
        if (EVP_PKEY_get_raw_public_key(key, octets.data(), &size) != 1) failed("a key has no public part");
        return base::base64(view(octets.data(), size));
    }
    unsigned char* der = nullptr;
    const int size = i2d_PUBKEY(key, &der);
    if (size <= 0) failed("a key has no public part");
    auto out = base::base64(view(der, static_cast<std::size_t>(size)));
    OPENSSL_free(der);
    return out;
}

/// The tags of a record; of two with one name the first.
std::map<std::string, std::string> tags_of(std::string_view record) {
    std::map<std::string, std::string> out;
    while (!record.empty()) {
        const std::size_t end = std::min(record.find(';'), record.size());
        const auto tag = record.substr(0, end);
        record.remove_prefix(std::min(end + 1, record.size()));
        const std::size_t equals = tag.find('=');
        if (equals == std::string_view::npos) continue;
        std::string value;
        for (const char c : tag.substr(equals + 1))
            if (c != ' ' && c != '\t' && c != '\r' && c != '\n') value += c;
        out.emplace(base::trim(tag.substr(0, equals), " \t\r\n"), std::move(value));
    }
    return out;
}

}  // namespace

struct DkimKey::Native {
    Key key;
};

DkimKey::DkimKey(std::shared_ptr<const Native> native) : native_(std::move(native)) {
    EVP_PKEY* key = native_->key.get();
    kind_ = EVP_PKEY_get_id(key) == EVP_PKEY_ED25519 ? Kind::ed25519 : Kind::rsa;
    bits_ = static_cast<unsigned>(EVP_PKEY_get_bits(key));
    public_ = public_part(key);
}

tl::expected<DkimKey, std::string> DkimKey::parse(std::string_view pem) {
    const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    bool asked = false;
    auto native = std::make_shared<Native>();
    if (bio) native->key.reset(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, &asked));
    ERR_clear_error();
    if (asked) return tl::unexpected(std::string("needs a passphrase, and there is nobody to ask for it"));
    if (!native->key) return tl::unexpected(std::string("holds no private key in PEM"));
    const int id = EVP_PKEY_get_id(native->key.get());
    const auto bits = static_cast<unsigned>(EVP_PKEY_get_bits(native->key.get()));
    if (id != EVP_PKEY_RSA && id != EVP_PKEY_ED25519)
        return tl::unexpected(std::string("holds a key that is neither RSA nor Ed25519, as DKIM wants it"));
    if (id == EVP_PKEY_RSA && bits < least_bits)
        return tl::unexpected("holds an RSA key of " + std::to_string(bits) +
                              " bits, which nobody accepts: at least " + std::to_string(least_bits) +
                              " are needed, better " + std::to_string(usual_bits));
    if (id == EVP_PKEY_RSA && bits > most_bits)
        return tl::unexpected("holds an RSA key of " + std::to_string(bits) + " bits: more than " +
                              std::to_string(most_bits) + " are not verified by many");
    return DkimKey(std::move(native));
}

DkimKey DkimKey::make(Kind kind) {
    auto native = std::make_shared<Native>();
    EVP_PKEY* made = kind == Kind::ed25519
                         ? EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519")
                         : EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", std::size_t{usual_bits});
    if (made == nullptr) failed("the system makes no key");
    native->key.reset(made);
    return DkimKey(std::move(native));
}

base::Secret DkimKey::pem() const {
    const Bio bio(BIO_new(BIO_s_secmem()));
    if (!bio || PEM_write_bio_PKCS8PrivateKey(bio.get(), native_->key.get(), nullptr, nullptr, 0, nullptr,
                                              nullptr) != 1)
        failed("a key cannot be written");
    char* octets = nullptr;
    const long size = BIO_get_mem_data(bio.get(), &octets);
    return base::Secret(std::string(octets, static_cast<std::size_t>(size)));
}

std::string_view DkimKey::algorithm() const {
    return kind_ == Kind::ed25519 ? "ed25519-sha256" : "rsa-sha256";
}

std::string DkimKey::record() const {
    return std::string("v=DKIM1; k=") + (kind_ == Kind::ed25519 ? "ed25519" : "rsa") + "; p=" + public_;
}

std::string DkimKey::differs(std::string_view record) const {
    const auto tags = tags_of(record);
    const auto tag = [&](const char* name, const char* otherwise) {
        const auto found = tags.find(name);
        return found == tags.end() ? std::string(otherwise) : found->second;
    };
    if (tag("v", "DKIM1") != "DKIM1") return "is no record of DKIM";
    const std::string kind = tag("k", "rsa"), p = tag("p", "-");
    if (p == "-") return "has no key (p=)";
    if (p.empty()) return "says that the key is revoked (p= is empty)";
    if (p != public_ || kind != (kind_ == Kind::ed25519 ? "ed25519" : "rsa")) return "has another key";
    const std::string hashes = tag("h", "sha256"), services = tag("s", "*");
    if (hashes.find("sha256") == std::string::npos) return "does not allow SHA-256 (h=)";
    if (services.find('*') == std::string::npos && services.find("email") == std::string::npos)
        return "is not for mail (s=)";
    return {};
}

std::string DkimKey::sign(std::string_view text) const {
    const auto* octets = reinterpret_cast<const unsigned char*>(text.data());
    std::size_t size = text.size();
    const bool ed25519 = kind_ == Kind::ed25519;
    std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
    if (ed25519) {  // signs the hash as if it were the text (RFC 8463 §3)
        SHA256(octets, size, digest.data());
        octets = digest.data();
        size = digest.size();
    }
    const DigestContext context(EVP_MD_CTX_new());
    std::array<unsigned char, most_bits / 8> out{};
    std::size_t length = out.size();
    if (!context ||
        EVP_DigestSignInit(context.get(), nullptr, ed25519 ? nullptr : EVP_sha256(), nullptr,
                           native_->key.get()) != 1 ||
        EVP_DigestSign(context.get(), out.data(), &length, octets, size) != 1)
        failed("OpenSSL makes no signature");
    return base::base64(view(out.data(), length));
}

}  // namespace postern::relay
