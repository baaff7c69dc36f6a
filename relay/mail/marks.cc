#include "relay/mail/marks.h"

#include <algorithm>

#include "relay/mail/hmac.h"
#include "sync/base/ascii.h"
#include "sync/base/encoding.h"
#include "sync/base/words.h"

namespace postern::relay {

namespace {

constexpr std::size_t seal_octets = 16;  // 128 bits: not to be found by trying
constexpr std::size_t line_octets = 72;
constexpr char version = '1';

/// Texts one behind the other, each with its length in front.
class Writer {
public:
    void text(std::string_view value) {
        out_ += std::to_string(value.size());
        out_ += ':';
        out_ += value;
    }
    void number(std::uint64_t value) { text(std::to_string(value)); }
    std::string take() { return std::move(out_); }

private:
    std::string out_;
};

/// After the first fault everything is empty.
class Reader {
public:
    explicit Reader(std::string_view octets) : rest_(octets) {}

    std::string text() {
        std::size_t size = 0, digits = 0;
        while (digits < rest_.size() && digits < 6 && rest_[digits] >= '0' && rest_[digits] <= '9')
            size = size * 10 + static_cast<std::size_t>(rest_[digits++] - '0');
        good_ = good_ && digits > 0 && digits < rest_.size() && rest_[digits] == ':' &&
                rest_.size() - digits - 1 >= size;
        if (!good_) return {};
        std::string out(rest_.substr(digits + 1, size));
        rest_.remove_prefix(digits + 1 + size);
        return out;
    }
    std::uint64_t number() {
        std::uint64_t out = 0;
        for (const char digit : text()) {
            good_ = good_ && digit >= '0' && digit <= '9';
            out = out * 10 + static_cast<std::uint64_t>(digit - '0');
        }
        return good_ ? out : 0;
    }
    Address address() {
        Address out;
        out.local = text();
        out.domain = text();
        return out;
    }
    bool good() const { return good_; }
    bool at_end() const { return good_ && rest_.empty(); }

private:
    std::string_view rest_;
    bool good_ = true;
};

std::uint64_t bits_of(const Notify& notify) {
    return (notify.given ? 1u : 0u) + (notify.success ? 2u : 0u) + (notify.failure ? 4u : 0u) +
           (notify.delay ? 8u : 0u);
}

Notify notify_of(std::uint64_t bits) {
    return {(bits & 1) != 0, (bits & 2) != 0, (bits & 4) != 0, (bits & 8) != 0};
}

std::string encoded(const Itinerary& what) {
    Writer out;
    out.text(what.primary);
    for (const Address* one : {&what.author, &what.sent_as}) {
        out.text(one->local);
        out.text(one->domain);
    }
    out.text(what.envelope_id);
    out.number(static_cast<std::uint64_t>(what.return_content));
    out.number(what.require_tls ? 1 : 0);
    for (const auto& one : what.recipients) {
        out.text(one.address);
        out.number(bits_of(one.options.notify));
        out.text(one.options.original);
    }
    return out.take();
}

std::optional<Itinerary> decoded(MessageId id, std::string_view octets) {
    Reader in(octets);
    Itinerary out;
    out.id = id;
    out.primary = in.text();
    out.author = in.address();
    out.sent_as = in.address();
    out.envelope_id = in.text();
    const auto returned = in.number();
    if (returned > static_cast<std::uint64_t>(ReturnContent::headers)) return std::nullopt;
    out.return_content = static_cast<ReturnContent>(returned);
    out.require_tls = in.number() != 0;
    while (in.good() && !in.at_end()) {
        Itinerary::Recipient one;
        one.address = in.text();
        one.options.notify = notify_of(in.number());
        one.options.original = in.text();
        out.recipients.push_back(std::move(one));
    }
    if (!in.at_end()) return std::nullopt;
    return out;
}

}  // namespace

const RecipientOptions* Itinerary::options_of(const Address& recipient) const {
    const std::string wanted = recipient.text();
    const auto found = std::find_if(recipients.begin(), recipients.end(), [&](const Recipient& one) {
        return base::equal_ignoring_case(one.address, wanted);
    });
    return found == recipients.end() ? nullptr : &found->options;
}

Itinerary itinerary_of(const Envelope& envelope, MessageId id, const std::vector<std::uint16_t>& recipients) {
    Itinerary out;
    out.id = id;
    out.primary = envelope.primary;
    if (!envelope.sent_as.null()) {
        out.author = envelope.reverse_path;
        out.sent_as = envelope.sent_as;
    }
    out.envelope_id = envelope.envelope_id;
    out.return_content = envelope.return_content;
    out.require_tls = envelope.require_tls;
    for (const auto at : recipients)
        if (const auto& options = envelope.options_of(at); options != RecipientOptions())
            out.recipients.push_back({envelope.forward_paths[at].text(), options});
    return out;
}

std::string Marks::seal(std::string_view what, std::string_view text) const {
    std::string sealed(what);
    sealed += '\n';
    sealed += text;
    return base::hex(hmac_sha256(secret_, sealed).substr(0, seal_octets));
}

bool Marks::sealed(std::string_view what, std::string_view text, std::string_view with) const {
    return same_octets(seal(what, text), with);
}

std::string Marks::journal(MessageId id) const { return id.text() + '.' + seal(journal_field, id.text()); }

bool Marks::is_journal(std::string_view value) const {
    std::string_view rest = value;
    const auto id = base::take_part(rest, '.');
    return sealed(journal_field, id, rest);
}

std::string Marks::screening(const Itinerary& itinerary) const {
    std::string value(1, version);
    value += '.' + itinerary.id.text() + '.' + base::base64(encoded(itinerary));
    value += '.' + seal(screening_field, value);
    std::string out(screening_field);
    out += ":";
    for (std::size_t at = 0; at < value.size(); at += line_octets)
        out += (at == 0 ? " " : "\r\n\t") + value.substr(at, line_octets);
    return out + "\r\n";
}

std::optional<Itinerary> Marks::read_screening(std::string_view value) const {
    std::string plain;
    for (const char c : value)
        if (c != ' ' && c != '\t' && c != '\r' && c != '\n') plain += c;
    const std::size_t last = plain.rfind('.');
    if (last == std::string::npos) return std::nullopt;
    std::string_view rest = std::string_view(plain).substr(0, last);
    if (!sealed(screening_field, rest, std::string_view(plain).substr(last + 1))) return std::nullopt;
    if (base::take_part(rest, '.') != std::string_view(&version, 1)) return std::nullopt;
    const auto id = MessageId::parse(base::take_part(rest, '.'));
    const auto octets = base::from_base64(rest);
    return id && octets ? decoded(*id, *octets) : std::nullopt;
}

}  // namespace postern::relay
