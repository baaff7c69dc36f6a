// Makers of table rows, one per type of key: each checks unit and bounds and stores into a place in the
// settings.
#pragma once

#include <chrono>
#include <limits>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "agent/machine/address_text.h"
#include "agent/settings/key.h"
#include "agent/settings/quantity.h"
#include "sync/base/ascii.h"

namespace postern::agent::key {

inline std::string quoted(const std::string& text) { return '"' + text + '"'; }

template <class Place>
Key boolean(std::string_view name, bool initial, Place place, std::string_view help) {
    return {name, "true or false", initial, help, [place](Settings& settings, const Value& value) {
                place(settings) = std::get<bool>(value);
                return std::string();
            }};
}

template <class Place>
Key integer(std::string_view name, std::int64_t initial, std::int64_t least, std::int64_t most, Place place,
            std::string_view help) {
    const std::string bounds = std::to_string(least) + " to " + std::to_string(most);
    return {name, "number, " + bounds, initial, help,
            [place, least, most, bounds](Settings& settings, const Value& value) {
                const auto number = std::get<std::int64_t>(value);
                if (number < least || number > most) return std::to_string(number) + " is not in " + bounds;
                auto& target = place(settings);
                target = static_cast<std::remove_reference_t<decltype(target)>>(number);
                return std::string();
            }};
}

template <class Place>
Key duration(std::string_view name, std::string_view initial, std::string_view least, std::string_view most,
             Place place, std::string_view help) {
    const std::string bounds = std::string(least) + " to " + std::string(most);
    return {name, "duration, " + bounds, std::string(initial), help,
            [place, bounds, low = *parse_duration(least), high = *parse_duration(most)](Settings& settings,
                                                                                        const Value& value) {
                const auto& text = std::get<std::string>(value);
                const auto parsed = parse_duration(text);
                if (!parsed) return quoted(text) + " is not a duration: " + parsed.error();
                if (*parsed < low || *parsed > high) return quoted(text) + " is not in " + bounds;
                auto& target = place(settings);
                target = std::chrono::floor<std::remove_reference_t<decltype(target)>>(*parsed);
                if (target != *parsed) return quoted(text) + " is not in whole seconds";
                return std::string();
            }};
}

template <class Place>
Key size(std::string_view name, std::string_view initial, std::string_view least, std::string_view most,
         Place place, std::string_view help) {
    const std::string bounds = std::string(least) + " to " + std::string(most);
    return {name, "size, " + bounds, std::string(initial), help,
            [place, bounds, low = *parse_size(least), high = *parse_size(most)](Settings& settings,
                                                                                const Value& value) {
                const auto& text = std::get<std::string>(value);
                const auto parsed = parse_size(text);
                if (!parsed) return quoted(text) + " is not a size: " + parsed.error();
                if (*parsed < low || *parsed > high) return quoted(text) + " is not in " + bounds;
                place(settings) = *parsed;
                return std::string();
            }};
}

template <class T, class Place>
Key choice(std::string_view name, std::string_view initial,
           std::vector<std::pair<std::string_view, T>> choices, Place place, std::string_view help) {
    std::string names;
    for (const auto& [text, meaning] : choices) names.append(names.empty() ? "" : ", ").append(text);
    return {name, "one of " + names, std::string(initial), help,
            [place, names, choices = std::move(choices)](Settings& settings, const Value& value) {
                const auto& given = std::get<std::string>(value);
                for (const auto& [text, meaning] : choices) {
                    if (text != given) continue;
                    place(settings) = meaning;
                    return std::string();
                }
                return quoted(given) + " is not one of " + names;
            }};
}

template <class Place>
Key text(std::string_view name, std::string_view initial, Place place, std::string_view help) {
    return {name, "text", std::string(initial), help, [place](Settings& settings, const Value& value) {
                place(settings) = std::get<std::string>(value);
                return std::string();
            }};
}

/// A domain or host name, kept in lower case; "" when it may be left open.
template <class Place>
Key domain(std::string_view name, std::string_view initial, Place place, std::string_view help) {
    return {name, "domain", std::string(initial), help,
            [place, open = initial.empty()](Settings& settings, const Value& value) {
                const auto& text = std::get<std::string>(value);
                if (!(open && text.empty()) && !is_domain_name(text))
                    return quoted(text) +
                           " is not a domain name; international domains are written as A-labels "
                           "(\"xn--...\")";
                place(settings) = base::lower(text);
                return std::string();
            }};
}

/// Names people give to things; they appear in logs, metrics and commands.
template <class Place>
Key name(std::string_view key_name, std::string_view initial, Place place, std::string_view help) {
    return {key_name, "name", std::string(initial), help, [place](Settings& settings, const Value& value) {
                const auto& text = std::get<std::string>(value);
                constexpr std::string_view allowed =
                    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
                if (text.empty() || text.size() > 64 || text.find_first_not_of(allowed) != std::string::npos)
                    return quoted(text) + " is not a name of 1 to 64 letters, digits, \"-\", \"_\" and \".\"";
                place(settings) = text;
                return std::string();
            }};
}

template <class Place>
Key path(std::string_view name, std::string_view initial, Place place, std::string_view help) {
    return {name, "path", std::string(initial), help, [place](Settings& settings, const Value& value) {
                const auto& text = std::get<std::string>(value);
                if (!text.empty() && text.front() != '/') return quoted(text) + " is not an absolute path";
                if (text.find('\0') != std::string::npos) return quoted(text) + " has a NUL in it";
                place(settings) = text;
                return std::string();
            }};
}

template <class Place>
Key host_port(std::string_view name, std::string_view initial, std::optional<std::uint16_t> default_port,
              Place place, std::string_view help) {
    return {name, default_port ? "host:port or host" : "host:port", std::string(initial), help,
            [place, default_port](Settings& settings, const Value& value) {
                const auto& text = std::get<std::string>(value);
                if (text.empty() && default_port) return std::string();  // not given
                auto parsed = parse_host_port(text, default_port);
                if (!parsed) return quoted(text) + ": " + parsed.error();
                place(settings) = std::move(*parsed);
                return std::string();
            }};
}

template <class Place>
Key networks(std::string_view name, std::vector<std::string> example, Place place, std::string_view help) {
    return {name, "list of addresses and ranges", std::move(example), help,
            [place](Settings& settings, const Value& value) {
                for (const auto& text : std::get<std::vector<std::string>>(value)) {
                    auto parsed = parse_network(text);
                    if (!parsed) return quoted(text) + ' ' + parsed.error();
                    place(settings).push_back(std::move(*parsed));
                }
                return std::string();
            }};
}

}  // namespace postern::agent::key
