#include "agent/command_line.h"

#include <sysexits.h>

#include <CLI/CLI.hpp>

namespace postern::agent {
namespace {

/// A subcommand that only sets the verb; options are added by the caller.
CLI::App* verb(CLI::App& parent, const char* name, const char* help, Command& command, Verb verb) {
    auto* sub = parent.add_subcommand(name, help);
    sub->fallthrough();
    sub->callback([&command, verb] { command.verb = verb; });
    return sub;
}

void add_filter(CLI::App& app, Command& command) {
    auto& filter = command.filter;
    app.add_option("--sender", filter.sender, "reverse-path or its domain");
    app.add_option("--recipient", filter.recipient, "forward-path or its domain");
    app.add_option("--route", filter.route, "as \"queue list\" shows it, such as mx:example.net");
}

void add_queue(CLI::App& app, Command& command) {
    auto* queue = app.add_subcommand("queue", "list, show, retry or delete messages");
    queue->fallthrough();
    queue->require_subcommand(1);
    auto* list = verb(*queue, "list", "what waits and why", command, Verb::queue_list);
    add_filter(*list, command);
    list->add_option("--limit", command.limit, "at most so many messages")->check(CLI::Range(1, 10'000));
    auto* show = verb(*queue, "show", "one message", command, Verb::queue_show);
    show->add_option("ID", command.filter.id, "of the message")->required();
    auto* retry = verb(*queue, "retry", "try again now: all, or those chosen", command, Verb::queue_retry);
    retry->add_option("ID", command.filter.id, "of one message");
    add_filter(*retry, command);
    auto* remove =
        verb(*queue, "delete", "take out of the queue without a bounce", command, Verb::queue_delete);
    remove->add_option("ID", command.filter.id, "of one message");
    add_filter(*remove, command);
    remove->add_flag("--all", command.all, "the whole queue");
}

/// A filter that was forgotten must not become "everything".
void check_choice(const Command& command) {
    if (command.verb != Verb::queue_delete) return;
    const auto& filter = command.filter;
    const bool chosen = !(filter.id + filter.sender + filter.recipient + filter.route).empty();
    if (chosen == command.all)
        throw CLI::ValidationError("queue delete",
                                   "give an ID, --sender, --recipient or --route, or --all alone");
}

void add_commands(CLI::App& app, Command& command) {
    verb(app, "run", "be the gateway, in the foreground", command, Verb::run);
    verb(app, "check", "read the configuration and say what is wrong with it", command, Verb::check);
    auto* config = app.add_subcommand("config", "print every configuration key");
    config->fallthrough();
    auto* format = config->add_option_group("format");
    format->add_flag_callback(
        "--defaults", [&] { command.verb = Verb::config_defaults; }, "as a postern.toml");
    format->add_flag_callback(
        "--markdown", [&] { command.verb = Verb::config_markdown; }, "as tables");
    format->require_option(1);
    auto* explain = verb(app, "explain", "what would happen to a message, and why", command, Verb::explain);
    explain->add_option("--from", command.from, "sender; leave out for the null reverse-path");
    explain->add_option("--to", command.to, "recipient")->required();
    explain->add_option("--client", command.client, "IP address it would come from; else a primary's");
    verb(app, "status", "the state at a glance", command, Verb::status);
    add_queue(app, command);
    auto* directory = app.add_subcommand("directory", "what is known of the primaries");
    directory->fallthrough();
    directory->preparse_callback([&command](std::size_t) { command.verb = Verb::directory; });
    auto* show =
        verb(*directory, "show", "what is known of a domain or an address", command, Verb::directory);
    show->add_option("DOMAIN|ADDRESS", command.subject, "what to look up")->required();
    auto* forget = verb(*directory, "forget", "ask the primary anew about an address", command, Verb::forget);
    forget->add_option("ADDRESS", command.subject, "that was asked for by itself")->required();
    auto* sync = verb(app, "sync", "read the primaries' directories now", command, Verb::sync);
    sync->add_flag("--accept", command.accept, "believe what was held back because too much is gone");
    verb(app, "reload", "take the changed configuration file", command, Verb::reload);
}

}  // namespace

tl::expected<Command, int> parse_command_line(int argc, const char* const* argv) {
    Command command;
    CLI::App app("postern: a mail gateway beside your mail server", "postern");
    app.require_subcommand(1);
    app.set_version_flag("--version", "postern " POSTERN_VERSION);
    app.add_option("--config", command.config, "configuration file")->capture_default_str();
    app.add_flag("--json", command.json, "answer in JSON");
    add_commands(app, command);
    try {
        app.parse(argc, argv);
        check_choice(command);
    } catch (const CLI::ParseError& error) {
        return tl::unexpected(app.exit(error) == 0 ? EX_OK : EX_USAGE);
    }
    return command;
}

}  // namespace postern::agent
