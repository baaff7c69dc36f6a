#include "relay/reception/command_parser.h"

#include <array>
#include <utility>

#include "relay/reception/parameters.h"
#include "sync/base/ascii.h"
#include "sync/base/utf8.h"

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

constexpr std::string_view vrfy_utf8 = " SMTPUTF8";  // RFC 6531 §3.7.4.1

Decision syntax(std::string text) { return refuse(Rule::syntax, std::move(text)); }

/// A greeting name goes into our Received field and the log, so nothing but visible ASCII may be in it.
bool is_greeting_name(std::string_view text) {
    if (text.empty() || text.size() > 255) return false;
    for (char c : text)
        if (c <= ' ' || c > '~' || c == '(' || c == ')' || c == '<' || c == '>' || c == '\\' || c == '"')
            return false;
    return true;
}

Decision malformed(bool from) { return refuse(from ? Rule::sender_syntax : Rule::recipient_syntax); }

constexpr std::string_view postmaster =
    "<POSTMASTER>";  // the one forward-path without domain (RFC 5321 §4.1.1.3)

std::optional<Decision> path_command(std::string_view text, std::string_view keyword, Command& command) {
    if (text.size() < keyword.size() || !base::equal_ignoring_case(text.substr(0, keyword.size()), keyword))
        return syntax(command.verb == Verb::mail ? "syntax: MAIL FROM:<address>"
                                                 : "syntax: RCPT TO:<address>");
    bool from = command.verb == Verb::mail;
    // A space before the bracket is against the grammar and common.
    text = base::trim(text.substr(keyword.size()), " ");
    std::string_view rest;
    if (!from && text.size() >= postmaster.size() &&
        base::equal_ignoring_case(text.substr(0, postmaster.size()), postmaster)) {
        command.address.local = text.substr(1, postmaster.size() - 2);
        rest = text.substr(postmaster.size());
    } else {
        auto path = parse_path(text);
        if (!path || (!from && path->address.null())) return malformed(from);
        command.address = std::move(path->address);
        rest = path->rest;
        command.beyond_ascii = !base::is_ascii(text.substr(0, text.size() - rest.size()));
    }
    if (!rest.empty() && rest[0] != ' ') return malformed(from);
    return parse_parameters(rest, command);
}

Verb verb_of(std::string_view word) {
    for (const auto& [name, verb] : verbs)
        if (base::equal_ignoring_case(word, name)) return verb;
    for (const auto name : foreign_verbs)
        if (base::equal_ignoring_case(word, name)) return Verb::foreign;
    return Verb::unknown;
}

/// What is wrong with the octets of a line, whichever command it is.
std::optional<Decision> unfit_octets(std::string_view line) {
    for (const char c : line) {
        if (c == '\0') return refuse(Rule::command, "a command must not contain NUL");
        if ((static_cast<unsigned char>(c) < ' ' && c != '\t') || c == '\x7f')
            return refuse(Rule::command, "a command must be plain text");
    }
    return std::nullopt;
}

/// Of a line that is not ASCII.
std::optional<Decision> unfit_beyond_ascii(Verb verb, std::string_view rest) {
    if (verb != Verb::mail && verb != Verb::rcpt && verb != Verb::vrfy)
        return refuse(Rule::command, "a command must be plain ASCII");
    if (!base::is_printable_utf8(rest)) return refuse(Rule::not_utf8);
    return std::nullopt;
}

/// What stands behind the verb goes into the command; or what is wrong with it.
std::optional<Decision> take_rest(std::string_view rest, Command& command) {
    switch (command.verb) {
        case Verb::helo:
        case Verb::ehlo:
            command.argument = rest;
            if (!is_greeting_name(rest)) return syntax("syntax: EHLO name");
            break;
        case Verb::mail: return path_command(rest, "FROM:", command);
        case Verb::rcpt: return path_command(rest, "TO:", command);
        case Verb::data:
        case Verb::rset:
        case Verb::quit:
        case Verb::starttls:
            if (!rest.empty()) return syntax("this command takes no parameters");
            break;
        case Verb::vrfy:
            command.utf8 = rest.size() > vrfy_utf8.size() &&
                           base::equal_ignoring_case(rest.substr(rest.size() - vrfy_utf8.size()), vrfy_utf8);
            break;
        case Verb::unknown: return refuse(Rule::command);
        case Verb::noop:
        case Verb::help:
        case Verb::foreign: break;
    }
    return std::nullopt;
}

}  // namespace

Parsed parse_command(std::string_view line) {
    Parsed out;
    out.fault = unfit_octets(line);
    if (out.fault) return out;
    const std::size_t space = line.find(' ');
    const std::string_view rest =
        space == std::string_view::npos ? std::string_view() : base::trim(line.substr(space), " ");
    const Verb verb = out.command.verb = verb_of(line.substr(0, space));
    if (!base::is_ascii(line)) {
        out.fault = unfit_beyond_ascii(verb, rest);
        if (out.fault) return out;
        out.command.beyond_ascii = verb == Verb::vrfy;  // MAIL and RCPT: by what is kept of the line
    }
    out.fault = take_rest(rest, out.command);
    return out;
}

}  // namespace postern::relay
