#include "relay/reception/parameters.h"

#include <charconv>
#include <set>
#include <string>
#include <utility>

#include "relay/limits.h"
#include "relay/mail/xtext.h"
#include "sync/base/ascii.h"
#include "sync/base/utf8.h"

namespace postern::relay {

namespace {

Decision broken(std::string text) { return refuse(Rule::syntax, std::move(text)); }
Decision unknown(std::string text) { return refuse(Rule::parameter, std::move(text)); }

struct Parameter {
    std::string name;  // lower case
    std::optional<std::string_view> value;
};

/// Takes the first one off.
Parameter take_parameter(std::string_view& text) {
    std::size_t end = std::min(text.find(' '), text.size());
    std::string_view one = text.substr(0, end);
    text.remove_prefix(end);
    while (text.starts_with(' ')) text.remove_prefix(1);
    std::size_t equals = one.find('=');
    Parameter out{base::lower(one.substr(0, equals)), std::nullopt};
    if (equals != std::string_view::npos) out.value = one.substr(equals + 1);
    return out;
}

std::optional<Decision> size(std::string_view value, Command& command) {
    std::uint64_t size = 0;
    auto [stop, error] = std::from_chars(value.data(), value.data() + value.size(), size);
    if (value.empty() || value.size() > 20 || error != std::errc() || stop != value.data() + value.size())
        return broken("SIZE needs a number of bytes");
    command.size = size;
    return std::nullopt;
}

std::optional<Decision> body(std::string_view value, Command& command) {
    std::string type = base::lower(value);
    if (type != "7bit" && type != "8bitmime") return broken("BODY is 7BIT or 8BITMIME");
    command.body = type == "7bit" ? BodyType::seven_bit : BodyType::eight_bit;
    return std::nullopt;
}

std::optional<Decision> return_content(std::string_view value, Command& command) {
    std::string what = base::lower(value);
    if (what != "full" && what != "hdrs") return broken("RET is FULL or HDRS");
    command.return_content = what == "full" ? ReturnContent::full : ReturnContent::headers;
    return std::nullopt;
}

/// ENVID and ORCPT only make reports nicer to read: what is not well-formed is left out, and the mail taken.
void envelope_id(std::string_view value, Command& command) {
    if (value.size() <= limits::envelope_id && decode_xtext(value)) command.envelope_id = value;
}

std::optional<Decision> notify(std::string_view value, Command& command) {
    Notify out;
    out.given = true;
    for (std::string list = base::lower(value) + ','; !list.empty();) {
        std::string one = list.substr(0, list.find(','));
        list.erase(0, one.size() + 1);
        if (one == "never" && list.empty() && !out.success && !out.failure && !out.delay) break;
        bool* wanted = one == "success"   ? &out.success
                       : one == "failure" ? &out.failure
                       : one == "delay"   ? &out.delay
                                          : nullptr;
        if (wanted == nullptr || std::exchange(*wanted, true))
            return broken("NOTIFY is NEVER alone, or a list of SUCCESS, FAILURE and DELAY");
    }
    command.options.notify = out;
    return std::nullopt;
}

void original_recipient(std::string_view value, Command& command) {
    auto original = parse_original_recipient(value, true);
    std::string text = original ? original->text() : std::string();
    if (text.empty() || value.size() > limits::original_recipient || text.size() > limits::original_recipient)
        return;
    command.options.original = std::move(text);
    command.beyond_ascii |= !base::is_ascii(value);
}

std::optional<Decision> mail_parameter(const Parameter& parameter, Command& command) {
    const std::string& name = parameter.name;
    std::string_view value = parameter.value.value_or(std::string_view());
    if (name == "size") return size(value, command);
    if (name == "body") return body(value, command);
    if (name == "ret") return return_content(value, command);
    if (name == "envid") {
        envelope_id(value, command);
        return std::nullopt;
    }
    if (name == "smtputf8" || name == "requiretls") {
        if (parameter.value) return broken("SMTPUTF8 and REQUIRETLS take no value");
        (name == "smtputf8" ? command.utf8 : command.require_tls) = true;
        return std::nullopt;
    }
    return unknown("MAIL parameter not supported");
}

std::optional<Decision> recipient_parameter(const Parameter& parameter, Command& command) {
    std::string_view value = parameter.value.value_or(std::string_view());
    if (parameter.name == "notify") return notify(value, command);
    if (parameter.name == "orcpt") {
        original_recipient(value, command);
        return std::nullopt;
    }
    return unknown("RCPT parameter not supported");
}

}  // namespace

std::optional<Decision> parse_parameters(std::string_view text, Command& command) {
    std::set<std::string> seen;
    while (text.starts_with(' ')) text.remove_prefix(1);
    while (!text.empty()) {
        Parameter one = take_parameter(text);
        auto fault =
            command.verb == Verb::mail ? mail_parameter(one, command) : recipient_parameter(one, command);
        if (fault) return fault;
        if (!seen.insert(std::move(one.name)).second) return broken("a parameter is given twice");
    }
    return std::nullopt;
}

}  // namespace postern::relay
