#include "agent/command/command_line.h"

#include <sysexits.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <map>
#include <optional>
#include <string_view>
#include <vector>

#include "agent/log/log_line.h"
#include "agent/settings/suggestion.h"
#include "agent/status/endpoints.h"

namespace postern::agent {
namespace {

constexpr const char* everywhere =
    "Every command also takes --config FILE (/etc/postern/postern.toml) and --json.\n";
constexpr const char* exit_codes =
    "Exit codes:\n"
    "  0   done\n"
    "  1   spool check: something is wrong\n"
    "  64  wrong use\n"
    "  65  what was named does not exist, or is of no use\n"
    "  66  no message matches, of all queue commands\n"
    "  67  explain: the message would be refused\n"
    "  69  no gateway answers; check --online: something failed\n"
    "  75  try later; explain: the message would be refused for now\n"
    "  77  not allowed\n"
    "  78  the configuration file has faults\n";

/// A subcommand; options are added by the caller.
CLI::App* subcommand(CLI::App& parent, std::string_view name, std::string_view help) {
    auto* sub = parent.add_subcommand(std::string(name), std::string(help));
    sub->fallthrough();
    return sub;
}

CLI::App* verb(CLI::App& parent, const char* name, const char* help, Command& command, Verb verb) {
    auto* sub = subcommand(parent, name, help);
    sub->footer(std::string(everywhere) + exit_codes);
    sub->callback([&command, verb] { command.verb = verb; });
    return sub;
}

void add_parameter(CLI::App& app, const Parameter& parameter, Command& command) {
    using Place = Parameter::Place;
    const std::string name(parameter.name), value(parameter.value), help(parameter.help);
    const auto keep = [&command, name](const std::string& text) { command.parameters.emplace(name, text); };
    const CLI::Validator valid([&parameter](std::string& text) { return parameter.fault(text); }, "",
                               "value");
    switch (parameter.place) {
        case Place::words:
        case Place::paths:
            app.add_option(value, command.subjects, help)
                ->type_name("")
                ->check(valid)
                ->required(parameter.place == Place::paths);
            break;
        case Place::path:
            app.add_option_function<std::string>(
                   value, [&command](const std::string& text) { command.subjects = {text}; }, help)
                ->type_name("")
                ->check(valid)
                ->required();
            break;
        case Place::word:
            app.add_option_function<std::string>(value, keep, help)
                ->type_name("")
                ->check(valid)
                ->required(parameter.initial.empty());
            break;
        case Place::option:
        case Place::text_only:
            if (parameter.kind == Parameter::Kind::flag)
                app.add_flag_callback(
                    "--" + name, [keep] { keep("true"); }, help);
            else
                app.add_option_function<std::string>("--" + name, keep, help)
                    ->type_name(value)
                    ->check(valid)
                    ->required(parameter.required)
                    ->default_str(std::string(parameter.initial));
            break;
    }
}

void add_endpoint(CLI::App& app, const Endpoint& endpoint, Command& command) {
    for (const auto& parameter : endpoint.parameters) add_parameter(app, parameter, command);
}

const Endpoint& endpoint_of(std::string_view words) {
    return *std::find_if(endpoints().begin(), endpoints().end(),
                         [words](const Endpoint& each) { return each.words == words; });
}

/// "next hops: list, enable, disable".
std::string help_of(const CommandGroup& group) {
    std::string text(group.help);
    const char* separator = ": ";
    if (!group.local.empty()) {
        text.append(separator).append(group.local);
        separator = ", ";
    }
    for (const auto& each : endpoints())
        if (each.words.starts_with(group.name) && each.words.size() > group.name.size()) {
            text.append(separator).append(each.words.substr(group.name.size() + 1));
            separator = ", ";
        }
    return text;
}

CLI::App* add_group(CLI::App& app, const CommandGroup& group, Command& command) {
    auto* sub = subcommand(app, group.name, help_of(group));
    if (group.alone.empty())
        sub->require_subcommand(1);
    else
        sub->preparse_callback(
            [&command, &group](std::size_t) { command.endpoint = &endpoint_of(group.alone); });
    return sub;
}

/// The commands that ask the running gateway, in the order of their table.
void add_endpoints(CLI::App& app, Command& command) {
    std::map<std::string_view, CLI::App*> groups;
    for (const auto& endpoint : endpoints()) {
        if (endpoint.words.empty()) continue;
        const auto first = endpoint.words.substr(0, endpoint.words.find(' '));
        CLI::App* parent = &app;
        for (const auto& group : command_groups()) {
            if (group.name != first) continue;
            auto& made = groups[first];
            if (made == nullptr) {
                made = add_group(app, group, command);
                if (group.name == "spool")
                    verb(*made, "check", "go through all of the mail's files and say what is wrong", command,
                         Verb::spool_check);
            }
            parent = made;
        }
        if (parent != &app && endpoint.words == first) {  // the group alone means it
            add_endpoint(*parent, endpoint, command);
            continue;
        }
        const auto name = parent == &app ? first : endpoint.words.substr(first.size() + 1);
        auto* sub = subcommand(*parent, name, endpoint.help);
        sub->footer(std::string(everywhere) + exit_codes);
        sub->callback([&command, &endpoint] { command.endpoint = &endpoint; });
        add_endpoint(*sub, endpoint, command);
    }
}

/// What is wrong with what was given together: told before anybody is asked.
void check_together(const Command& command) {
    if (command.endpoint == nullptr || command.endpoint->objection == nullptr) return;
    const auto asked = command.asked(command.subjects.empty() ? "" : command.subjects.front());
    if (const auto why = command.endpoint->objection(asked); !why.empty())
        throw CLI::ValidationError(std::string(command.endpoint->words), why);
}

void add_dkim(CLI::App& app, Command& command) {
    auto* group = subcommand(app, "dkim", "keys that sign outgoing mail: new, list");
    group->require_subcommand(1);
    auto* make =
        verb(*group, "new", "make a key for a domain and print its DNS record", command, Verb::dkim_new);
    make->add_option_function<std::string>(
            "DOMAIN", [&command](const std::string& text) { command.subjects = {text}; },
            "whose mail it signs")
        ->type_name("")
        ->required();
    make->add_option("--selector", command.selector, "name of the key; else by the day")->type_name("NAME");
    make->add_flag("--ed25519", command.ed25519,
                   "short and fast, but not verified by everybody: beside one of RSA");
    auto* list =
        verb(*group, "list", "print the DNS records of the keys there are", command, Verb::dkim_list);
    list->add_option_function<std::string>(
            "DOMAIN", [&command](const std::string& text) { command.subjects = {text}; }, "of this one only")
        ->type_name("");
}

void add_commands(CLI::App& app, Command& command) {
    verb(app, "run", "be the gateway, in the foreground", command, Verb::run);
    auto* check =
        verb(app, "check", "read the configuration and say what is wrong with it", command, Verb::check);
    auto* online = check->add_flag("--online", command.online,
                                   "try primaries, name servers, gateways and egress addresses too");
    check->add_option("--from", command.from, "sender to try gateways with; else postmaster here")
        ->type_name("ADDRESS")
        ->needs(online);
    check->add_option("--to", command.to, "recipient to try gateways with; nothing is sent")
        ->type_name("ADDRESS")
        ->needs(online);
    auto* config = subcommand(app, "config", "print every configuration key");
    auto* format = config->add_option_group("format");
    format->add_flag_callback(
        "--defaults", [&] { command.verb = Verb::config_defaults; }, "as a postern.toml");
    format->add_flag_callback(
        "--markdown", [&] { command.verb = Verb::config_markdown; }, "as tables");
    format->add_flag_callback(
        "--reply-rules", [&] { command.verb = Verb::config_rules; },
        "instead the rules that tell what a receiver's refusal is about");
    format->require_option(1);
    add_dkim(app, command);
    add_endpoints(app, command);
}

/// The words in front of the first option, the values of --config stepped over, three at most: which command
/// was meant.
std::vector<std::string> leading_words(int argc, const char* const* argv) {
    std::vector<std::string> words;
    for (int at = 1; at < argc && words.size() < 3; ++at) {
        const std::string_view word = argv[at];
        if (word == "--config")
            ++at;
        else if (!word.starts_with('-'))
            words.emplace_back(word);
        else if (!words.empty() && word != "--json")
            break;
    }
    return words;
}

std::vector<const CLI::App*> subcommands(const CLI::App& app) {
    return app.get_subcommands([](const CLI::App* sub) { return !sub->get_name().empty(); });
}

/// The first option that is given as "--name=" and nothing, "" when there is none: CLI11 would take the next
/// word for its value, whatever that is.
std::string option_without_value(int argc, const char* const* argv) {
    for (int at = 1; at < argc; ++at) {
        const std::string_view word = argv[at];
        if (word.starts_with("--") && word.find('=') == word.size() - 1)
            return std::string(word.substr(0, word.size() - 1));
    }
    return {};
}

/// Whether `word` was to be a subcommand of `app` and is none: "there is no command ...".
std::string unknown_command(const CLI::App& app, const std::string& word) {
    const auto known = subcommands(app);
    if (known.empty()) return {};
    std::vector<std::string_view> names;
    for (const auto* sub : known) {
        if (sub->get_name() == word) return {};
        names.push_back(sub->get_name());
    }
    const std::string prefix = app.get_parent() ? "postern " + app.get_name() : app.get_name();
    std::string text = "there is no command \"" + prefix + " " + word + "\"";
    if (const auto meant = nearest(word, names); !meant.empty())
        return text + "; is \"" + prefix + " " + std::string(meant) + "\" meant?";
    text += ". There are:";
    for (const auto name : names) text.append(" ").append(name);
    return text;
}

/// "postern help", "postern help queue", "postern version", and what is no command at all: nullopt when it is
/// none of these.
std::optional<int> answered(CLI::App& app, int argc, const char* const* argv) {
    const auto words = leading_words(argc, argv);
    if (argc < 2) {
        std::fputs(app.help().c_str(), stderr);
        return EX_USAGE;
    }
    if (words.empty()) return std::nullopt;
    if (words[0] == "version") {
        std::fputs((app.version() + '\n').c_str(), stdout);
        return EX_OK;
    }
    const auto refuse = [](const std::string& why) {
        std::fprintf(stderr, "postern: %s\n", printable(why).c_str());
        return EX_USAGE;
    };
    if (words[0] == "help") {
        if (words.size() == 1) return std::fputs(app.help().c_str(), stdout) < 0 ? EX_IOERR : EX_OK;
        const CLI::App* asked = &app;
        std::string in_front;
        for (std::size_t at = 1; at < words.size(); ++at) {
            if (const auto why = unknown_command(*asked, words[at]); !why.empty()) return refuse(why);
            if (subcommands(*asked).empty()) break;
            in_front.append(in_front.empty() ? "" : " ").append(asked->get_name());
            asked = asked->get_subcommand(words[at]);
        }
        std::fputs(asked->help(in_front).c_str(), stdout);
        return EX_OK;
    }
    if (const auto why = unknown_command(app, words[0]); !why.empty()) return refuse(why);
    if (const auto name = option_without_value(argc, argv); !name.empty()) return refuse(name + " is empty");
    if (words.size() < 2) return std::nullopt;
    if (const auto why = unknown_command(*app.get_subcommand(words[0]), words[1]); !why.empty())
        return refuse(why);
    return std::nullopt;
}

}  // namespace

Parameters Command::asked(const std::string& subject) const {
    Parameters all = parameters;
    for (const auto& each : endpoint->parameters)
        if (each.place == Parameter::Place::words && !subject.empty()) all.emplace(each.name, subject);
    return all;
}

tl::expected<Command, int> parse_command_line(int argc, const char* const* argv) {
    Command command;
    CLI::App app("postern: a mail gateway beside your mail server", "postern");
    app.require_subcommand(1);
    app.set_version_flag("--version", "postern " POSTERN_VERSION);
    app.add_option("--config", command.config, "configuration file")
        ->type_name("FILE")
        ->capture_default_str();
    app.add_flag("--json", command.json, "answer in JSON");
    add_commands(app, command);
    app.footer(std::string(exit_codes) + "\"postern help COMMAND\" tells more of one.");
    if (const auto code = answered(app, argc, argv)) return tl::unexpected(*code);
    try {
        app.parse(argc, argv);
        check_together(command);
    } catch (const CLI::ParseError& error) {
        return tl::unexpected(app.exit(error) == 0 ? EX_OK : EX_USAGE);
    }
    return command;
}

}  // namespace postern::agent
