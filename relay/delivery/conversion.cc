#include "relay/delivery/conversion.h"

#include <algorithm>

#include "relay/mail/mime.h"
#include "relay/mail/trace.h"
#include "relay/mail/utf8.h"

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

std::size_t count_parts(const std::vector<Segment>& segments) {
    return static_cast<std::size_t>(
        std::count_if(segments.begin(), segments.end(), [](const Segment& segment) { return segment.part; }));
}

/// No line of what comes out begins with a dot, so that Content::dots stays as true as it was.
void append_quoted_printable(std::string& out, std::string_view body) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::size_t length = 0;  // of the line in hand
    for (std::size_t at = 0; at < body.size(); ++at) {
        if (body.substr(at, 2) == "\r\n") {
            out += "\r\n";
            length = 0;
            ++at;
            continue;
        }
        char c = body[at];
        bool last = at + 1 == body.size() || body.substr(at + 1, 2) == "\r\n";
        bool blank = c == ' ' || c == '\t';
        // Room is kept for the soft line break, which counts as well.
        auto plain = [&] {
            return blank ? !last : c > ' ' && c <= '~' && c != '=' && (c != '.' || length > 0);
        };
        std::size_t width = plain() ? 1 : 3;
        if (length + width > line_max - 1) {
            out += "=\r\n";
            length = 0;
            width = plain() ? 1 : 3;
        }
        if (width == 1) {
            out += c;
        } else {
            auto octet = static_cast<unsigned char>(c);
            out += '=';
            out += digits[octet >> 4];
            out += digits[octet & 15];
        }
        length += width;
    }
}

void append_base64(std::string& out, std::string_view body) {
    constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::size_t length = 0;
    for (std::size_t at = 0; at < body.size(); at += 3) {
        if (length == line_max) {
            out += "\r\n";
            length = 0;
        }
        std::size_t octets = std::min<std::size_t>(3, body.size() - at);
        std::uint32_t bits = 0;
        for (std::size_t i = 0; i < 3; ++i)
            bits = bits << 8 | (i < octets ? static_cast<unsigned char>(body[at + i]) : 0u);
        for (std::size_t i = 0; i < 4; ++i) out += i <= octets ? digits[bits >> (18 - 6 * i) & 63] : '=';
        length += 4;
    }
}

/// The header with its transfer encoding set to `encoding`.
void append_header(std::string& out, std::string_view header, const std::vector<Field>& fields,
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

class Converter {
public:
    Fault entity(std::string_view text, std::size_t depth) {
        if (is_ascii(text)) {
            out_ += text;
            return std::nullopt;
        }
        auto [header, body] = split_entity(text);
        if (!is_ascii(header)) return "its header has 8-bit characters";
        auto fields = fields_of(header);
        if (count(fields, "content-type") > 1 || count(fields, "content-transfer-encoding") > 1)
            return "a part of it is described in two ways";
        std::string encoding = lower(field_value(fields, "content-transfer-encoding"));
        if (!encoding.empty() && encoding != "7bit" && encoding != "8bit" && encoding != "binary")
            return "a part of it is not encoded as it says";
        std::string value = field_value(fields, "content-type");
        auto type = value.empty() ? MediaType{"text", "plain", {}} : parse_media_type(value);
        if (!type) return "a part of it is of no known type";
        if (type->type == "multipart") return multipart(header, fields, body, *type, depth);
        if (type->type == "message") return enclosed(header, fields, body, *type, depth);
        if (type->subtype == "pkcs7-mime" || type->subtype == "x-pkcs7-mime")
            return "it is signed or encrypted";
        leaf(header, fields, body, *type);
        return std::nullopt;
    }

    std::string take() { return std::move(out_); }

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
                if (!is_ascii(segment.text)) return "there are 8-bit characters between its parts";
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
        bool readable = type.type == "text" && high < body.size() / 6;
        append_header(out_, header, fields, readable ? "quoted-printable" : "base64");
        if (readable)
            append_quoted_printable(out_, body);
        else
            append_base64(out_, body);
    }

    std::string out_;
    std::size_t parts_ = 0;
};

/// Whether a header below the first one has more than ASCII. What cannot be told apart has none.
bool utf8_below(std::string_view text, std::size_t depth, std::size_t& parts) {
    if (is_ascii(text)) return false;
    auto [header, body] = split_entity(text);
    if (depth > 0 && !is_ascii(header)) return true;
    auto type = parse_media_type(field_value(fields_of(header), "content-type"));
    if (!type || depth >= depth_max) return false;
    if (type->type == "message" && (type->subtype == "rfc822" || type->subtype == "global"))
        return utf8_below(body, depth + 1, parts);
    if (type->type != "multipart" || type->boundary.empty()) return false;
    auto segments = split_multipart(body, type->boundary, parts_max - parts);
    if (!segments) return false;
    parts += count_parts(*segments);
    return std::any_of(segments->begin(), segments->end(), [&](const Segment& segment) {
        return segment.part && utf8_below(segment.text, depth + 1, parts);
    });
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
        if (!is_ascii(from.local))
            return tl::unexpected(
                Unfit{Reply{550, {5, 6, 7}, "the next host takes no sender address in UTF-8"}});
        std::size_t parts = 0;
        if (!is_ascii(header_of(content)) || utf8_below(content, 0, parts))
            return tl::unexpected(Unfit{Reply{554, {5, 6, 9}, "the next host takes no header in UTF-8"}});
        unchanged = Fit::ascii_only;
    }
    if (host.eight_bit) return unchanged;
    bool whole = content.size() == message.content.size;
    bool eight_bit = !is_ascii(content) || (!whole && envelope.body == BodyType::eight_bit);
    if (!eight_bit) return unchanged;
    if (!whole) return tl::unexpected(not_converted("the message is too large to be converted"));
    return Fit::seven_bit;
}

tl::expected<void, Unfit> fit_recipient(const Address& recipient, Abilities host) {
    if (host.utf8 || is_ascii(recipient.local)) return {};
    return tl::unexpected(Unfit{Reply{553, {5, 6, 7}, "the next host takes no address in UTF-8"}});
}

tl::expected<std::string, Unfit> to_seven_bit(std::string_view content) {
    if (is_ascii(content)) return std::string(content);
    auto fields = fields_of(split_entity(content).header);
    for (const auto& field : fields)
        if (field.name == "dkim-signature" || field.name == "arc-message-signature" ||
            field.name == "arc-seal")
            return tl::unexpected(not_converted("the message is signed"));
    if (count(fields, "mime-version") == 0) return tl::unexpected(not_converted("the message is not MIME"));
    Converter converter;
    if (auto fault = converter.entity(content, 0)) return tl::unexpected(not_converted(*fault));
    std::string out = converter.take();
    if (!out.ends_with("\r\n")) out += "\r\n";
    return out;
}

}  // namespace postern::relay
