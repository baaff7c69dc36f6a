#include "agent/command/command_line.h"

#include <sysexits.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <optional>
#include <vector>

#include "agent/log/log_line.h"
#include "agent/settings/quantity.h"
#include "agent/settings/suggestion.h"

namespace postern::agent {
namespace {

constexpr const char* everywhere =
    "Every command also takes --config FILE (/etc/postern/postern.toml) and --json.\n";
constexpr const char* exit_codes =
    "Exit codes:\n"
    "  0   done\n"
    "  64  wrong use\n"
    "  65  what was named does not exist\n"
    "  66  no message matches, of all queue commands\n"
    "  67  explain: the message would be refused\n"
    "  69  no gateway answers; check --online: something failed\n"
    "  75  try later; explain: the message would be refused for now\n"
    "  77  not allowed\n"
    "  78  the configuration file has faults\n";

/// A subcommand that only sets the verb; options are added by the caller.
CLI::App* verb(CLI::App& parent, const char* name, const char* help, Command& command, Verb verb) {
    auto* sub = parent.add_subcommand(name, help);
    sub->fallthrough();
    sub->footer(std::string(everywhere) + exit_codes);
    sub->callback([&command, verb] { command.verb = verb; });
    return sub;
}

void add_filter(CLI::App& app, Command& command) {
    auto& filter = command.filter;
    app.add_option("--sender", filter.sender, "sender of the envelope, or its domain")
        ->type_name("ADDRESS|DOMAIN");
    app.add_option("--recipient", filter.recipient, "recipient of the envelope, or its domain")
        ->type_name("ADDRESS|DOMAIN");
    app.add_flag("--held", filter.held, "what is held");
    app.add_option("--older", command.older, "what has waited longer than this, as 4h or 1d12h")
        ->type_name("DURATION")
        ->check(CLI::Validator(
            [](const std::string& text) {
                const auto age = parse_duration(text);
                return age ? std::string() : age.error();
            },
            "", "duration"));
    app.add_option("--route", filter.route, "as \"queue list\" shows it, such as mx:example.net")
        ->type_name("ROUTE");
}

/// --gateway NAME as a shorter --route gateway:NAME.
void add_gateway_filter(CLI::App& app, Command& command) {
    app.add_option("--gateway", command.gateway, "what waits for this gateway")
        ->type_name("NAME")
        ->excludes("--route");
}

/// A command that changes messages and therefore needs to be told which.
CLI::App* change(CLI::App& queue, const char* name, const char* help, Command& command, Verb which) {
    auto* app = verb(queue, name, help, command, which);
    app->add_option("ID", command.ids, "of messages, several at once")->type_name("");
    add_filter(*app, command);
    app->add_flag("--all", command.all, "the whole queue");
    return app;
}

void add_queue(CLI::App& app, Command& command) {
    auto* queue = app.add_subcommand(
        "queue", "list, summary, show, retry, hold, release, move, bounce or delete messages");
    queue->fallthrough();
    queue->require_subcommand(1);
    auto* list = verb(*queue, "list", "what waits and why", command, Verb::queue_list);
    add_filter(*list, command);
    add_gateway_filter(*list, command);
    list->add_option("ID", command.ids, "of messages, several at once")->type_name("");
    list->add_option("--sort", command.sort, "what comes first: the next to be tried, the largest, ...")
        ->check(CLI::IsMember({"oldest", "newest", "next", "size", "attempts"}).description(""))
        ->type_name("oldest|newest|next|size|attempts")
        ->capture_default_str();
    list->add_option("--offset", command.offset, "leave out so many first")->type_name("NUMBER");
    list->add_option("--limit", command.limit, "at most so many messages")
        ->check(CLI::Range(1, 10'000).description(""))
        ->type_name("1-10000")
        ->capture_default_str();
    auto* summary = verb(*queue, "summary", "what waits by destination and age, by sender and by reason",
                         command, Verb::queue_summary);
    add_filter(*summary, command);
    add_gateway_filter(*summary, command);
    summary->add_option("--limit", command.rows, "at most so many destinations, senders and reasons")
        ->check(CLI::Range(1, 10'000).description(""))
        ->type_name("1-10000")
        ->capture_default_str();
    auto* show = verb(*queue, "show", "one message", command, Verb::queue_show);
    show->add_option("ID", command.ids, "of messages, several at once")->type_name("")->required();
    show->add_flag("--header", command.header, "with the message's whole header");
    auto* retry = verb(*queue, "retry", "try again now: all, or those chosen", command, Verb::queue_retry);
    retry->add_option("ID", command.ids, "of messages, several at once")->type_name("");
    add_filter(*retry, command);
    add_gateway_filter(*retry, command);
    add_gateway_filter(*change(*queue, "hold", "keep until released", command, Verb::queue_hold), command);
    add_gateway_filter(*change(*queue, "release", "try what is held", command, Verb::queue_release), command);
    auto* bounce = change(*queue, "bounce", "give up and tell the sender", command, Verb::queue_bounce);
    add_gateway_filter(*bounce, command);
    bounce->add_option("--reason", command.reason, "what the sender is told, one line")->type_name("TEXT");
    add_gateway_filter(
        *change(*queue, "delete", "take out of the queue without a bounce", command, Verb::queue_delete),
        command);
    auto* move = change(*queue, "move", "send another way", command, Verb::queue_move);
    auto* where = move->add_option_group("where to");
    where->add_option("--gateway", command.gateway, "through this gateway, whatever the rules say")
        ->type_name("NAME");
    where->add_flag("--rules", command.rules, "where the rules send it");
    where->require_option(1);
}

void add_ways(CLI::App& app, Command& command) {
    const auto group = [&](const char* name, const char* help, Verb list) {
        auto* sub = app.add_subcommand(name, help);
        sub->fallthrough();
        sub->preparse_callback([&command, list](std::size_t) { command.verb = list; });
        verb(*sub, "list", "all of them", command, list);
        return sub;
    };
    const auto with_subject = [&](CLI::App& parent, const char* name, const char* what, const char* help,
                                  Verb which) {
        auto* sub = verb(parent, name, help, command, which);
        sub->add_option(what, command.subject, "as listed")->type_name("")->required();
        return sub;
    };
    auto* gateway = group("gateway", "next hops: list, enable, disable", Verb::gateways);
    with_subject(*gateway, "enable", "NAME", "send mail through it", Verb::gateway_enable);
    with_subject(*gateway, "disable", "NAME", "send its mail where the rules say without it",
                 Verb::gateway_disable);
    auto* route = group("route", "which mail goes through which gateway: list, set, unset", Verb::routes);
    const auto with_mail = [&](const char* name, const char* help, Verb which) {
        auto* sub = verb(*route, name, help, command, which);
        sub->add_option("--sender", command.filter.sender, "user@domain, a domain, or * for everybody")
            ->type_name("ADDRESS|DOMAIN|*");
        sub->add_option("--recipient", command.filter.recipient, "a domain")->type_name("DOMAIN");
        return sub;
    };
    with_mail("set", "send mail through a gateway, until unset", Verb::route_set)
        ->add_option("GATEWAY", command.gateway, "its name")
        ->type_name("")
        ->required();
    with_mail("unset", "take back what was set", Verb::route_unset);
    auto* egress = group("egress", "addresses mail leaves from: list, suspend, resume, forget", Verb::egress);
    with_subject(*egress, "suspend", "ADDRESS", "let no mail leave from it", Verb::egress_suspend);
    with_subject(*egress, "resume", "ADDRESS", "use it again", Verb::egress_resume);
    with_subject(*egress, "forget", "ADDRESS", "drop what was learnt against it", Verb::egress_forget)
        ->add_option("--site", command.site, "only there, as \"egress list\" shows it")
        ->type_name("SITE");
}

/// What was forgotten must not become "everything".
void check_choice(const Command& command) {
    const auto& filter = command.filter;
    const bool chosen = filter.held || !command.ids.empty() ||
                        !(filter.sender + filter.recipient + filter.route + command.older).empty();
    switch (command.verb) {
        case Verb::queue_delete:
        case Verb::queue_hold:
        case Verb::queue_release:
        case Verb::queue_bounce:
            if ((chosen || !command.gateway.empty()) == command.all)
                throw CLI::ValidationError(
                    "queue",
                    "give IDs, --sender, --recipient, --held, --older, --route or --gateway, or --all alone");
            break;
        case Verb::queue_move:
            if (chosen == command.all)
                throw CLI::ValidationError(
                    "queue move",
                    "give IDs, --sender, --recipient, --held, --older or --route, or --all alone");
            break;
        case Verb::route_set:
        case Verb::route_unset:
            if (!chosen)
                throw CLI::ValidationError("route",
                                           "give --sender, --recipient or both; --sender \"*\" is everybody");
            break;
        default: break;
    }
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
    auto* config = app.add_subcommand("config", "print every configuration key");
    config->fallthrough();
    auto* format = config->add_option_group("format");
    format->add_flag_callback(
        "--defaults", [&] { command.verb = Verb::config_defaults; }, "as a postern.toml");
    format->add_flag_callback(
        "--markdown", [&] { command.verb = Verb::config_markdown; }, "as tables");
    format->add_flag_callback(
        "--reply-rules", [&] { command.verb = Verb::config_rules; },
        "instead the rules that tell what a receiver's refusal is about");
    format->require_option(1);
    auto* explain = verb(app, "explain", "what would happen to a message, and why", command, Verb::explain);
    explain->add_option("--from", command.from, "sender; leave out for a bounce, which has none")
        ->type_name("ADDRESS");
    explain->add_option("--to", command.to, "recipient")->type_name("ADDRESS")->required();
    explain->add_option("--client", command.client, "IP address it would come from; else a primary's")
        ->type_name("IP");
    verb(app, "status", "the state at a glance", command, Verb::status);
    add_queue(app, command);
    add_ways(app, command);
    auto* directory = app.add_subcommand("directory", "what is known of the primaries");
    directory->fallthrough();
    directory->preparse_callback([&command](std::size_t) { command.verb = Verb::directory; });
    auto* show =
        verb(*directory, "show", "what is known of a domain or an address", command, Verb::directory);
    show->add_option("DOMAIN|ADDRESS", command.subject, "what to look up")->type_name("")->required();
    auto* forget = verb(*directory, "forget", "ask the primary anew about an address", command, Verb::forget);
    forget->add_option("ADDRESS", command.subject, "that was asked for by itself")->type_name("")->required();
    auto* sync = verb(app, "sync", "read the primaries' directories now", command, Verb::sync);
    sync->add_flag("--accept", command.accept, "believe what was held back because too much is gone");
    verb(app, "reload", "take the changed configuration file", command, Verb::reload);
}

/// The words in front of the first option, the values of --config stepped over: which command was meant.
std::vector<std::string> leading_words(int argc, const char* const* argv) {
    std::vector<std::string> words;
    for (int at = 1; at < argc && words.size() < 2; ++at) {
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

/// Whether `word` was to be a subcommand of `app` and is none: "there is no command ...".
std::string unknown_command(const CLI::App& app, const std::string& word) {
    const auto known = app.get_subcommands([](const CLI::App* sub) { return !sub->get_name().empty(); });
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
        if (const auto why = unknown_command(app, words[1]); !why.empty()) return refuse(why);
        std::fputs(app.get_subcommand(words[1])->help().c_str(), stdout);
        return EX_OK;
    }
    if (const auto why = unknown_command(app, words[0]); !why.empty()) return refuse(why);
    if (words.size() < 2) return std::nullopt;
    if (const auto why = unknown_command(*app.get_subcommand(words[0]), words[1]); !why.empty())
        return refuse(why);
    return std::nullopt;
}

}  // namespace

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
        check_choice(command);
    } catch (const CLI::ParseError& error) {
        return tl::unexpected(app.exit(error) == 0 ? EX_OK : EX_USAGE);
    }
    return command;
}

}  // namespace postern::agent
