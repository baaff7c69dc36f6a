#include "relay/signing/signer.h"

#include <openssl/evp.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <stdexcept>

#include "relay/limits.h"
#include "relay/mail/mime.h"
#include "relay/signing/author.h"
#include "sync/base/ascii.h"
#include "sync/base/encoding.h"

namespace postern::relay {

namespace {

constexpr std::size_t line_length = 76, piece = 64 << 10;

/// How a field is signed. All of a name are, from the lowest up; `more`: and one that is not there, so that
/// none can be added (RFC 6376 §8.15).
enum class More : std::uint8_t { never, when_there, always };
struct SignedField {
    std::string_view name;
    More more;
};
/// What hosts on the way may rightly add where it is missing is only kept from being doubled.
constexpr std::array signed_fields{SignedField{"from", More::always},
                                   SignedField{"reply-to", More::always},
                                   SignedField{"subject", More::always},
                                   SignedField{"to", More::always},
                                   SignedField{"cc", More::always},
                                   SignedField{"sender", More::when_there},
                                   SignedField{"date", More::when_there},
                                   SignedField{"message-id", More::when_there},
                                   SignedField{"in-reply-to", More::when_there},
                                   SignedField{"references", More::when_there},
                                   SignedField{"mime-version", More::when_there},
                                   SignedField{"content-type", More::when_there},
                                   SignedField{"content-transfer-encoding", More::when_there},
                                   SignedField{"list-unsubscribe", More::when_there},
                                   SignedField{"list-unsubscribe-post", More::when_there},
                                   SignedField{"list-id", More::never},
                                   SignedField{"list-help", More::never},
                                   SignedField{"list-owner", More::never},
                                   SignedField{"list-post", More::never},
                                   SignedField{"list-subscribe", More::never},
                                   SignedField{"list-archive", More::never}};

/// Whether one of them is the other or lies in it.
bool related(std::string_view one, std::string_view other) {
    if (one.size() < other.size()) std::swap(one, other);
    if (other.find('.') == std::string_view::npos) return one == other;
    return one.ends_with(other) && (one.size() == other.size() || one[one.size() - other.size() - 1] == '.');
}

/// Of what is there already.
std::string signer_of(const Field& signature) {
    const std::string value = signature.value();
    std::string_view rest = value;
    while (!rest.empty()) {
        const std::size_t end = std::min(rest.find(';'), rest.size());
        const std::string_view tag = rest.substr(0, end);
        rest.remove_prefix(std::min(end + 1, rest.size()));
        const std::size_t equals = tag.find('=');
        if (equals != std::string_view::npos && base::trim(tag.substr(0, equals)) == "d")
            return base::lower(base::trim(tag.substr(equals + 1)));
    }
    return {};
}

/// Appends words to a field, in lines that are not too long.
class Folded {
public:
    explicit Folded(std::string begin) : text_(std::move(begin)), line_(text_.size()) {}

    /// What is not parted, with a space before it.
    void word(std::string_view word) {
        if (line_ + 1 + word.size() > line_length) {
            text_ += "\r\n\t";
            line_ = 1;
        } else {
            text_ += ' ';
            ++line_;
        }
        add(word);
    }
    /// What may be parted anywhere.
    void octets(std::string_view octets) {
        while (!octets.empty()) {
            if (line_ >= line_length) {
                text_ += "\r\n\t ";
                line_ = 2;
            }
            const std::size_t size = std::min(octets.size(), line_length - line_);
            add(octets.substr(0, size));
            octets.remove_prefix(size);
        }
    }
    std::string take() { return std::move(text_); }
    const std::string& text() const { return text_; }

private:
    void add(std::string_view what) {
        text_ += what;
        line_ += what.size();
    }

    std::string text_;
    std::size_t line_;
};

/// What of the header is hashed, and its h= tag in parts.
struct SignedHeader {
    std::string text;
    std::vector<std::string> names;
};

SignedHeader signed_header(const std::vector<Field>& fields) {
    SignedHeader out;
    for (const auto& [name, more] : signed_fields) {
        std::size_t count = 0;
        for (auto field = fields.rbegin(); field != fields.rend(); ++field) {
            if (field->name != name) continue;
            out.text += relaxed_field(field->text) + "\r\n";
            ++count;
        }
        if (more == More::always || (more == More::when_there && count > 0)) ++count;
        out.names.insert(out.names.end(), count, std::string(name));
    }
    return out;
}

std::string signature_by(const DomainKey& by, const SignedHeader& header, const std::string& body_hash,
                         Time now) {
    Folded field("DKIM-Signature: v=1;");
    field.word("a=" + std::string(by.key.algorithm()) + ";");
    field.word("c=relaxed/relaxed;");
    field.word("d=" + by.domain + ";");
    field.word("s=" + by.selector + ";");
    field.word(
        "t=" +
        std::to_string(std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count()) +
        ";");
    std::string_view before = "h=";
    for (std::size_t at = 0; at < header.names.size(); ++at) {
        const bool last = at + 1 == header.names.size();
        field.word(std::string(before) + header.names[at] + (last ? ";" : ":"));
        before = {};
    }
    field.word("bh=" + body_hash + ";");
    field.word("b=");
    // Itself, with an empty b=, and without its line end (RFC 6376 §3.7).
    field.octets(by.key.sign(header.text + relaxed_field(field.text())));
    return field.take() + "\r\n";
}

}  // namespace

struct Signer::Hash {
    std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context{EVP_MD_CTX_new(), EVP_MD_CTX_free};
    std::string space;

    Hash() {
        if (!context || EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) != 1)
            throw std::runtime_error("OpenSSL makes no hash");
    }
    void take() {
        EVP_DigestUpdate(context.get(), space.data(), space.size());
        space.clear();
    }
    std::string finish() {
        std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
        if (EVP_DigestFinal_ex(context.get(), digest.data(), nullptr) != 1)
            throw std::runtime_error("OpenSSL makes no hash");
        return base::base64({reinterpret_cast<const char*>(digest.data()), digest.size()});
    }
};

const Keyring::Keys* keys_for(const Keyring& keyring, std::string_view header, const Address& reverse_path) {
    const auto fields = fields_of(header);
    const auto is = [](std::string_view name) {
        return [name](const Field& one) { return one.name == name; };
    };
    if (std::count_if(fields.begin(), fields.end(), is("from")) != 1) return nullptr;
    if (reverse_path.null()) return nullptr;
    const auto author = author_domain(std::find_if(fields.begin(), fields.end(), is("from"))->value());
    const auto sender = author_domain("<x@" + reverse_path.domain + ">");
    const bool by_author = !author.empty() && related(author, sender);
    const auto* keys = keyring.of(by_author ? author : sender);
    if (keys == nullptr) return nullptr;
    // The sender's key may be that of a domain around it, in which the author's is another's.
    if (!by_author && !author.empty() && related(author, keys->front().domain)) return nullptr;
    const bool already = std::any_of(fields.begin(), fields.end(), [&](const Field& one) {
        return one.name == "dkim-signature" && signer_of(one) == keys->front().domain;
    });
    return already ? nullptr : keys;
}

Signer::Signer(const Keyring& keyring, const Address& reverse_path)
    : keyring_(keyring), reverse_path_(reverse_path) {}
Signer::~Signer() = default;

/// The header is complete.
bool Signer::begin_body() {
    in_body_ = true;
    keys_ = keys_for(keyring_, header_, reverse_path_);
    if (keys_ != nullptr) hash_ = std::make_unique<Hash>();
    return keys_ != nullptr;
}

void Signer::hash(std::string_view octets) {
    while (!octets.empty()) {
        const auto some = octets.substr(0, piece);
        octets.remove_prefix(some.size());
        body_.add(some, hash_->space);
        hash_->take();
    }
}

bool Signer::add(std::string_view octets) {
    if (in_body_) {
        if (keys_ != nullptr) hash(octets);
        return keys_ != nullptr;
    }
    const std::size_t before = header_.size();
    const std::size_t most = limits::header + 4;
    header_ += octets.substr(0, most - std::min(most, before));
    const std::size_t from = before < 3 ? 0 : before - 3;
    const bool empty = header_.starts_with("\r\n");
    const std::size_t end = empty ? 0 : header_.find("\r\n\r\n", from);
    if (end == std::string::npos) {
        if (header_.size() < most) return true;
        in_body_ = true;  // so large that who verifies it would not look at it either
        return false;
    }
    const std::size_t body = end + (empty ? 2 : 4);
    header_.resize(empty ? 0 : end + 2);
    if (!begin_body()) return false;
    hash(octets.substr(body - before));
    return true;
}

Signatures Signer::finish(Time now) {
    Signatures out;
    if (!in_body_) begin_body();
    if (keys_ == nullptr) return out;
    body_.end(hash_->space);
    hash_->take();
    const std::string body_hash = hash_->finish();
    const auto header = signed_header(fields_of(header_));
    for (const auto& one : *keys_) {
        out.fields += signature_by(one, header, body_hash, now);
        out.names.push_back(one.name());
    }
    return out;
}

}  // namespace postern::relay
