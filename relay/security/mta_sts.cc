#include "relay/security/mta_sts.h"

#include <algorithm>
#include <charconv>

#include "relay/mail/address.h"
#include "sync/base/ascii.h"

namespace postern::relay {

namespace {

constexpr std::size_t patterns_max = 100, id_max = 32, name_max = 32, digits_max = 10;
constexpr std::chrono::seconds age_max{31557600};  // RFC 8461 §3.2

bool is_id(std::string_view text) {
    return !text.empty() && text.size() <= id_max &&
           std::all_of(text.begin(), text.end(), base::is_letter_or_digit);
}

/// The name of a field, in the record and in the policy alike.
bool is_field_name(std::string_view text) {
    if (text.empty() || text.size() > name_max || !base::is_letter_or_digit(text.front())) return false;
    return std::all_of(text.begin(), text.end(), [](char c) {
        return base::is_letter_or_digit(c) || c == '_' || c == '-' || c == '.';
    });
}

bool is_extension_value(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(),
                                        [](char c) { return c > ' ' && c <= '~' && c != ';' && c != '='; });
}

/// "v=STSv1" and a delimiter; only such records count (RFC 8461 §3.1).
bool is_sts_record(std::string_view text) {
    constexpr std::string_view version = "v=STSv1";
    return text.starts_with(version) && base::trim(text.substr(version.size())).starts_with(';');
}

std::optional<std::string> id_of(std::string_view record) {
    std::optional<std::string> id;
    record.remove_prefix(record.find(';') + 1);
    while (!record.empty()) {
        const std::size_t end = std::min(record.find(';'), record.size());
        const std::string_view field = base::trim(record.substr(0, end));
        if (field.empty() && end == record.size()) break;  // blanks behind the last delimiter
        record.remove_prefix(std::min(end + 1, record.size()));
        const std::size_t equals = field.find('=');
        if (equals == std::string_view::npos) return std::nullopt;
        const std::string_view value = field.substr(equals + 1);
        if (field.substr(0, equals) == "id") {
            if (id || !is_id(value)) return std::nullopt;
            id = value;
        } else if (!is_field_name(field.substr(0, equals)) || !is_extension_value(value)) {
            return std::nullopt;
        }
    }
    return id;
}

std::optional<StsPolicy::Mode> parse_mode(std::string_view value) {
    if (value == "enforce") return StsPolicy::Mode::enforce;
    if (value == "testing") return StsPolicy::Mode::testing;
    if (value == "none") return StsPolicy::Mode::none;
    return std::nullopt;
}

std::optional<std::chrono::seconds> parse_age(std::string_view value) {
    std::uint64_t seconds = 0;
    if (value.empty() || value.size() > digits_max) return std::nullopt;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), seconds);
    if (error != std::errc() || end != value.data() + value.size()) return std::nullopt;
    return std::min(std::chrono::seconds(seconds), age_max);
}

bool is_pattern(std::string_view value) {
    if (value.starts_with("*.")) value.remove_prefix(2);
    return is_domain_name(value);
}

/// The fields read so far. Of one that may not be repeated the first counts (RFC 8461 §3.2).
struct Fields {
    std::optional<std::string_view> version, mode, age;
    std::vector<std::string> patterns;

    /// "" or what is wrong.
    std::string take(std::string_view name, std::string_view value) {
        if (name == "mx") {
            if (!is_pattern(value)) return "an mx is no host name";
            if (patterns.size() == patterns_max) return "there are more than 100 mx lines";
            patterns.push_back(base::lower(value));
        } else if (name == "version") {
            if (!version) version = value;
        } else if (name == "mode") {
            if (!mode) mode = value;
        } else if (name == "max_age") {
            if (!age) age = value;
        } else if (!is_field_name(name)) {
            return "a line is no field";
        }
        return {};
    }
};

}  // namespace

std::optional<std::string> parse_sts_record(const std::vector<std::string>& texts) {
    const auto first = std::find_if(texts.begin(), texts.end(), is_sts_record);
    if (first == texts.end() || std::any_of(first + 1, texts.end(), is_sts_record)) return std::nullopt;
    return id_of(*first);
}

tl::expected<std::string, std::string> sts_reply(base::HttpMessage reply) {
    using Fault = tl::unexpected<std::string>;
    if (reply.status != 200) return Fault("answers " + std::to_string(reply.status));
    if (!reply.content_encoding.empty()) return Fault("answers with compressed content");
    if (reply.content_type != "text/plain")
        return Fault("answers with another type of content than text/plain");
    if (reply.body.empty()) return Fault("answers with an empty policy");
    return std::move(reply.body);
}

tl::expected<StsPolicy, std::string> parse_sts_policy(std::string_view body) {
    using Fault = tl::unexpected<std::string>;
    if (body.size() > sts_policy_max) return Fault("it is larger than 64 KiB");
    Fields fields;
    while (!body.empty()) {
        const std::size_t end = std::min(body.find('\n'), body.size());
        std::string_view line = body.substr(0, end);
        body.remove_prefix(std::min(end + 1, body.size()));
        if (line.ends_with('\r')) line.remove_suffix(1);
        if (base::trim(line).empty()) continue;
        const std::size_t colon = line.find(':');
        if (colon == std::string_view::npos) return Fault("a line is no field");
        std::string fault = fields.take(line.substr(0, colon), base::trim(line.substr(colon + 1)));
        if (!fault.empty()) return Fault(std::move(fault));
    }
    if (fields.version != "STSv1") return Fault("its version is not STSv1");
    const auto mode = parse_mode(fields.mode.value_or(""));
    if (!mode) return Fault("its mode is not one of enforce, testing, none");
    const auto age = parse_age(fields.age.value_or(""));
    if (!age) return Fault("its max_age is no number of seconds");
    if (*mode != StsPolicy::Mode::none && fields.patterns.empty()) return Fault("it lists no mx");
    return StsPolicy{*mode, std::move(fields.patterns), *age};
}

bool sts_allows(const StsPolicy& policy, std::string_view host) {
    return std::any_of(policy.patterns.begin(), policy.patterns.end(), [host](std::string_view pattern) {
        if (!pattern.starts_with("*.")) return pattern == host;
        const std::size_t dot = host.find('.');
        return dot != std::string_view::npos && dot > 0 && host.substr(dot) == pattern.substr(1);
    });
}

}  // namespace postern::relay
