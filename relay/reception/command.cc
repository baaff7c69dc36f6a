#include "relay/reception/command.h"

#include <array>
#include <charconv>
#include <utility>

namespace postern::relay {

namespace {

constexpr std::array<std::pair<std::string_view, Verb>, 11> verbs{{{"HELO", Verb::helo},
                                                                   {"EHLO", Verb::ehlo},
                                                                   {"MAIL", Verb::mail},
                                                                   {"RCPT", Verb::rcpt},
                                                                   {"DATA", Verb::data},
                                                                   {"RSET", Verb::rset},
                                                                   {"NOOP", Verb::noop},
                                                                   {"QUIT", Verb::quit},
                                                                   {"VRFY", Verb::vrfy},
                                                                   {"HELP", Verb::help},
                                                                   {"STARTTLS", Verb::starttls}}};
constexpr std::array<std::string_view, 6> foreign_verbs{"GET", "POST", "PUT", "HEAD", "CONNECT", "OPTIONS"};

bool same(std::string_view a, std::string_view upper) {
    if (a.size() != upper.size()) return false;
    for (std::size_t at = 0; at < a.size(); ++at) {
        char c = a[at];
        if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
        if (c != upper[at]) return false;
    }
    return true;
}

std::string_view trim(std::string_view text) {
    while (text.starts_with(' ')) text.remove_prefix(1);
    while (text.ends_with(' ')) text.remove_suffix(1);
    return text;
}

Reply fault(std::uint16_t code, EnhancedStatus status, std::string text) {
    return Reply{code, status, std::move(text)};
}
Reply syntax(std::string text) { return fault(501, {5, 5, 4}, std::move(text)); }

/// A greeting name goes into our Received field and the log, so nothing but visible ASCII may be in it.
bool is_greeting_name(std::string_view text) {
    if (text.empty() || text.size() > 255) return false;
    for (char c : text)
        if (c <= ' ' || c > '~' || c == '(' || c == ')' || c == '<' || c == '>' || c == '\\' || c == '"')
            return false;
    return true;
}

std::optional<Reply> mail_parameter(std::string_view name, std::string_view value, Command& command,
                                    bool& body_given) {
    if (same(name, "SIZE")) {
        std::uint64_t size = 0;
        auto [stop, error] = std::from_chars(value.data(), value.data() + value.size(), size);
        if (value.empty() || value.size() > 20 || error != std::errc() || stop != value.data() + value.size())
            return syntax("SIZE needs a number of bytes");
        if (command.size) return syntax("SIZE is given twice");
        command.size = size;
        return std::nullopt;
    }
    if (same(name, "BODY")) {
        if (std::exchange(body_given, true)) return syntax("BODY is given twice");
        if (same(value, "7BIT"))
            command.body = BodyType::seven_bit;
        else if (same(value, "8BITMIME"))
            command.body = BodyType::eight_bit;
        else
            return syntax("BODY is 7BIT or 8BITMIME");
        return std::nullopt;
    }
    return fault(555, {5, 5, 4}, "MAIL parameter not supported");
}

std::optional<Reply> path_command(std::string_view text, std::string_view keyword, Command& command) {
    if (text.size() < keyword.size() || !same(text.substr(0, keyword.size()), keyword))
        return syntax(command.verb == Verb::mail ? "syntax: MAIL FROM:<address>"
                                                 : "syntax: RCPT TO:<address>");
    // A space before the bracket is against the grammar and common.
    auto path = parse_path(trim(text.substr(keyword.size())));
    bool from = command.verb == Verb::mail;
    if (!path || (!from && path->address.null()))
        return fault(501, {5, 1, static_cast<std::uint16_t>(from ? 7 : 3)}, "malformed address");
    command.address = std::move(path->address);
    std::string_view rest = path->rest;
    if (!rest.empty() && rest[0] != ' ')
        return fault(501, {5, 1, static_cast<std::uint16_t>(from ? 7 : 3)}, "malformed address");
    bool body_given = false;
    for (rest = trim(rest); !rest.empty();) {
        std::size_t end = rest.find(' ');
        std::string_view parameter = rest.substr(0, end);
        rest = end == std::string_view::npos ? std::string_view() : trim(rest.substr(end));
        std::size_t equals = parameter.find('=');
        std::string_view name = parameter.substr(0, equals);
        std::string_view value =
            equals == std::string_view::npos ? std::string_view() : parameter.substr(equals + 1);
        if (!from) return fault(555, {5, 5, 4}, "RCPT parameter not supported");
        if (auto wrong = mail_parameter(name, value, command, body_given)) return wrong;
    }
    return std::nullopt;
}

}  // namespace

Parsed parse_command(std::string_view line) {
    Parsed out;
    for (char c : line) {
        if (c == '\0') {
            out.fault = fault(500, {5, 5, 2}, "a command must not contain NUL");
            return out;
        }
        if (static_cast<unsigned char>(c) > 126 || static_cast<unsigned char>(c) < 32) {
            if (c == '\t') continue;
            out.fault = fault(500, {5, 5, 2}, "a command must be plain ASCII");
            return out;
        }
    }
    std::size_t space = line.find(' ');
    std::string_view word = line.substr(0, space);
    std::string_view rest = space == std::string_view::npos ? std::string_view() : trim(line.substr(space));
    for (auto& [name, verb] : verbs)
        if (same(word, name)) out.command.verb = verb;

    switch (out.command.verb) {
        case Verb::helo:
        case Verb::ehlo:
            if (!is_greeting_name(rest)) out.fault = syntax("syntax: EHLO name");
            out.command.argument = rest;
            break;
        case Verb::mail: out.fault = path_command(rest, "FROM:", out.command); break;
        case Verb::rcpt: out.fault = path_command(rest, "TO:", out.command); break;
        case Verb::data:
        case Verb::rset:
        case Verb::quit:
        case Verb::starttls:
            if (!rest.empty()) out.fault = syntax("this command takes no parameters");
            break;
        case Verb::noop:
        case Verb::vrfy:
        case Verb::help:
        case Verb::foreign: break;
        case Verb::unknown:
            for (auto name : foreign_verbs)
                if (same(word, name)) out.command.verb = Verb::foreign;
            if (out.command.verb == Verb::unknown)
                out.fault = fault(500, {5, 5, 2}, "command not recognized");
            break;
    }
    return out;
}

}  // namespace postern::relay
