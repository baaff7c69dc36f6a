#include "relay/delivery/conversion.h"

#include <algorithm>

#include "relay/mail/mime.h"
#include "relay/mail/quoted_printable.h"
#include "relay/mail/trace.h"
#include "sync/base/ascii.h"
#include "sync/base/encoding.h"
#include "sync/base/utf8.h"

namespace postern::relay {

namespace {

constexpr std::size_t depth_max = 20, parts_max = 1000;
constexpr std::size_t line_max = 76;  // RFC 2045 §6.7, §6.8

using Fault = std::optional<std::string>;  // why not, in words

Unfit not_converted(const std::string& why) {
    return Unfit{Reply{554, {5, 6, 3}, "the next host takes 7 bits only, and " + why}};
}

std::string field_value(const std::vector<Field>& fields, std::string_view name) {
    for (const auto& field : fields)
        if (field.name == name) return field.value();
    return {};
}

std::size_t count(const std::vector<Field>& fields, std::string_view name) {
    return static_cast<std::size_t>(std::count_if(fields.begin(), fields.end(),
                                                  [name](const Field& field) { return field.name == name; }));
}

std::size_t count_parts(const std::vector<MultipartSegment>& segments) {
    return static_cast<std::size_t>(std::count_if(
        segments.begin(), segments.end(), [](const MultipartSegment& segment) { return segment.part; }));
}

/// What comes out, handed on in pieces.
class Out {
public:
    explicit Out(const std::function<void(std::string_view)>& write) : write_(write) {}
    Out& operator+=(std::string_view text) {
        kept_ += text;
        if (kept_.size() > piece) flush();
        return *this;
    }
    Out& operator+=(char c) { return *this += std::string_view(&c, 1); }
    /// The last line gets its end.
    void finish() {
        if (!kept_.ends_with("\r\n")) kept_ += "\r\n";
        write_(kept_);
    }

private:
    static constexpr std::size_t piece = 64 << 10;
    /// All but the two octets that tell whether the line has ended.
    void flush() {
        write_(std::string_view(kept_).substr(0, kept_.size() - 2));
        kept_.erase(0, kept_.size() - 2);
    }
    const std::function<void(std::string_view)>& write_;
    std::string kept_;
};

void append_base64(Out& out, std::string_view body) {
    constexpr std::size_t octets_max = line_max / 4 * 3;
    for (std::size_t at = 0; at < body.size(); at += octets_max) {
        if (at > 0) out += "\r\n";
        out += base::base64(body.substr(at, octets_max));
    }
}

/// The header with its transfer encoding set to `encoding`.
void append_header(Out& out, std::string_view header, const std::vector<Field>& fields,
                   std::string_view encoding) {
    std::string_view old;
    for (const auto& field : fields)
        if (field.name == "content-transfer-encoding") old = field.text;
    std::size_t at = old.empty() ? header.size() : static_cast<std::size_t>(old.data() - header.data());
    out += header.substr(0, at);
    out += "Content-Transfer-Encoding: ";
    out += encoding;
    out += "\r\n";
    out += header.substr(at + old.size());
    out += "\r\n";
}

/// RFC 6532, RFC 6533: unlike message/rfc822 they may be encoded.
bool is_global(const MediaType& type) { return type.type == "message" && type.subtype.starts_with("global"); }

class Converter {
public:
    explicit Converter(Out& out) : out_(out) {}

    Fault entity(std::string_view text, std::size_t depth) {
        if (base::is_ascii(text)) {
            out_ += text;
            return std::nullopt;
        }
        auto [header, body] = split_entity(text);
        if (!base::is_ascii(header)) return "its header has 8-bit characters";
        auto fields = fields_of(header);
        if (count(fields, "content-type") > 1 || count(fields, "content-transfer-encoding") > 1)
            return "a part of it is described in two ways";
        std::string encoding = base::lower(field_value(fields, "content-transfer-encoding"));
        if (!encoding.empty() && encoding != "7bit" && encoding != "8bit" && encoding != "binary")
            return "a part of it is not encoded as it says";
        std::string value = field_value(fields, "content-type");
        auto type = value.empty() ? MediaType{"text", "plain", {}} : parse_media_type(value);
        if (!type) return "a part of it is of no known type";
        if (type->type == "multipart") return multipart(header, fields, body, *type, depth);
        if (type->type == "message" && !is_global(*type)) return enclosed(header, fields, body, *type, depth);
        if (type->subtype == "pkcs7-mime" || type->subtype == "x-pkcs7-mime")
            return "it is signed or encrypted";
        leaf(header, fields, body, *type);
        return std::nullopt;
    }

private:
    Fault multipart(std::string_view header, const std::vector<Field>& fields, std::string_view body,
                    const MediaType& type, std::size_t depth) {
        if (type.subtype == "signed" || type.subtype == "encrypted") return "it is signed or encrypted";
        auto segments = depth < depth_max && !type.boundary.empty()
                            ? split_multipart(body, type.boundary, parts_max - parts_)
                            : std::nullopt;
        if (!segments) return "its parts cannot be told apart";
        parts_ += count_parts(*segments);
        append_container(header, fields);
        for (const auto& segment : *segments) {
            if (!segment.part) {
                if (!base::is_ascii(segment.text)) return "there are 8-bit characters between its parts";
                out_ += segment.text;
                continue;
            }
            if (auto fault = entity(segment.text, depth + 1)) return fault;
        }
        return std::nullopt;
    }

    /// message/*: a whole message, which must be MIME itself.
    Fault enclosed(std::string_view header, const std::vector<Field>& fields, std::string_view body,
                   const MediaType& type, std::size_t depth) {
        if (type.subtype != "rfc822" || depth >= depth_max) return "a part of it must not be encoded";
        if (count(fields_of(split_entity(body).header), "mime-version") == 0)
            return "a message enclosed in it is not MIME";
        append_container(header, fields);
        return entity(body, depth + 1);
    }

    void append_container(std::string_view header, const std::vector<Field>& fields) {
        if (count(fields, "content-transfer-encoding") > 0) {
            append_header(out_, header, fields, "7bit");
            return;
        }
        out_ += header;
        out_ += "\r\n";
    }

    void leaf(std::string_view header, const std::vector<Field>& fields, std::string_view body,
              const MediaType& type) {
        auto high = static_cast<std::size_t>(std::count_if(
            body.begin(), body.end(), [](char c) { return static_cast<unsigned char>(c) > 127; }));
        // Up to there it is the shorter one, and a person can read most of it.
        bool readable = (type.type == "text" || is_global(type)) && high < body.size() / 6;
        append_header(out_, header, fields, readable ? "quoted-printable" : "base64");
        if (readable)
            append_quoted_printable(out_, body);
        else
            append_base64(out_, body);
    }

    Out& out_;
    std::size_t parts_ = 0;
};

/// What there is in UTF-8 in the headers below the first one.
struct Utf8Below {
    bool hidden_by_mime = false;  // in a message/global, which can be encoded as a whole
    bool bare = false;
};

/// What cannot be told apart has none.
void look_below(std::string_view text, std::size_t depth, std::size_t& parts, Utf8Below& seen) {
    if (base::is_ascii(text)) return;
    auto [header, body] = split_entity(text);
    seen.bare = seen.bare || (depth > 0 && !base::is_ascii(header));
    auto type = parse_media_type(field_value(fields_of(header), "content-type"));
    if (!type || depth >= depth_max) return;
    if (is_global(*type)) {
        seen.hidden_by_mime = seen.hidden_by_mime || !base::is_ascii(body);
        return;
    }
    if (type->type == "message" && type->subtype == "rfc822") return look_below(body, depth + 1, parts, seen);
    if (type->type != "multipart" || type->boundary.empty()) return;
    auto segments = split_multipart(body, type->boundary, parts_max - parts);
    if (!segments) return;
    parts += count_parts(*segments);
    for (const auto& segment : *segments)
        if (segment.part) look_below(segment.text, depth + 1, parts, seen);
}

}  // namespace

bool needs_a_look(const Envelope& envelope, Abilities host) {
    // Who offers SMTPUTF8 takes 8 bits (RFC 6531 §3.1).
    bool utf8 = envelope.utf8 && host.utf8;
    return (envelope.utf8 && !host.utf8) || (!host.eight_bit && !utf8);
}

tl::expected<Fit, Unfit> fit(const Message& message, std::string_view content, Abilities host) {
    const Envelope& envelope = message.envelope;
    if (!needs_a_look(envelope, host)) return Fit::as_is;
    Fit unchanged = Fit::as_is;
    if (envelope.utf8 && !host.utf8) {
        const Address& from = envelope.sent_as.null() ? envelope.reverse_path : envelope.sent_as;
        if (!base::is_ascii(from.local))
            return tl::unexpected(
                Unfit{Reply{550, {5, 6, 7}, "the next host takes no sender address in UTF-8"}});
        std::size_t parts = 0;
        Utf8Below seen;
        look_below(content, 0, parts, seen);
        if (!base::is_ascii(header_of(content)) || seen.bare)
            return tl::unexpected(Unfit{Reply{554, {5, 6, 9}, "the next host takes no header in UTF-8"}});
        if (seen.hidden_by_mime) return Fit::only_seven_bit;
        unchanged = Fit::ascii_only;
    }
    bool whole = content.size() == message.content.size;
    return host.eight_bit || !whole || base::is_ascii(content) ? unchanged : Fit::seven_bit;
}

tl::expected<void, Unfit> fit_recipient(const Address& recipient, Abilities host) {
    if (host.utf8 || base::is_ascii(recipient.local)) return {};
    return tl::unexpected(Unfit{Reply{553, {5, 6, 7}, "the next host takes no address in UTF-8"}});
}

tl::expected<void, Unfit> to_seven_bit(std::string_view content,
                                       const std::function<void(std::string_view)>& write) {
    if (base::is_ascii(content)) {
        write(content);
        return {};
    }
    auto fields = fields_of(split_entity(content).header);
    for (const auto& field : fields)
        if (field.name == "dkim-signature" || field.name == "arc-message-signature" ||
            field.name == "arc-seal")
            return tl::unexpected(not_converted("the message is signed"));
    if (count(fields, "mime-version") == 0) return tl::unexpected(not_converted("the message is not MIME"));
    Out out(write);
    Converter converter(out);
    if (auto fault = converter.entity(content, 0)) return tl::unexpected(not_converted(*fault));
    out.finish();
    return {};
}

tl::expected<std::string, Unfit> to_seven_bit(std::string_view content) {
    std::string out;
    auto done = to_seven_bit(content, [&out](std::string_view part) { out += part; });
    if (!done) return tl::unexpected(done.error());
    return out;
}

}  // namespace postern::relay
