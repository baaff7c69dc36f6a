// How the configuration file is read: by the table of keys.
#include <toml++/toml.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "agent/limits.h"
#include "agent/settings/fault_words.h"
#include "agent/settings/keys.h"
#include "agent/settings/settings.h"
#include "sync/base/file.h"

namespace postern::agent {
namespace {

constexpr std::size_t most_elements = 1000;  // of one [[section]]

Position position(const toml::node& node) { return {node.source().begin.line, node.source().begin.column}; }
Position position(const toml::key& key) { return {key.source().begin.line, key.source().begin.column}; }

std::string join(std::string_view section, std::string_view key) {
    return section.empty() ? std::string(key) : std::string(section).append(".").append(key);
}

std::string_view words(Shape shape) {
    switch (shape) {
        case Shape::boolean: return "true or false, without quotes";
        case Shape::integer: return "a whole number, without quotes";
        case Shape::text: return "text in quotes";
        case Shape::texts: return "a list of texts, as [\"a\", \"b\"]";
        case Shape::pairs: return "a table of texts, as { \"a\" = \"b\" }";
        case Shape::integers: return "a list of whole numbers, as [1, 2]";
    }
    return "";
}

/// The elements of an array when all of them are of exactly that type.
template <class Element>
std::optional<Value> list_of(const toml::node& node) {
    if (!node.is_array()) return std::nullopt;
    std::vector<Element> list;
    for (const auto& each : *node.as_array()) {
        auto element = each.value_exact<Element>();
        if (!element) return std::nullopt;
        list.push_back(std::move(*element));
    }
    return Value(std::move(list));
}

/// The node's value when it has exactly that shape.
std::optional<Value> value_of(const toml::node& node, Shape shape) {
    switch (shape) {
        case Shape::boolean:
            if (const auto value = node.value_exact<bool>()) return Value(*value);
            return std::nullopt;
        case Shape::integer:
            if (const auto value = node.value_exact<std::int64_t>()) return Value(*value);
            return std::nullopt;
        case Shape::text:
            if (auto value = node.value_exact<std::string>()) return Value(std::move(*value));
            return std::nullopt;
        case Shape::texts: return list_of<std::string>(node);
        case Shape::integers: return list_of<std::int64_t>(node);
        case Shape::pairs: {
            if (!node.is_table()) return std::nullopt;
            Pairs pairs;
            for (const auto& [key, element] : *node.as_table()) {
                auto text = element.value_exact<std::string>();
                if (!text) return std::nullopt;
                pairs.emplace_back(std::string(key.str()), std::move(*text));
            }
            return Value(std::move(pairs));
        }
    }
    return std::nullopt;
}

std::vector<std::string_view> names_of(const Section& section) {
    std::vector<std::string_view> names;
    names.reserve(section.keys.size());
    for (const auto& key : section.keys) names.push_back(key.name);
    return names;
}

/// Sets the keys of one table, those not given to their defaults.
void read_keys(const Section& section, const toml::table* table, const std::string& path,
               ParsedConfiguration& parsed) {
    for (const auto& key : section.keys) {
        const std::string name = join(path, key.name);
        const toml::node* node = table ? table->get(key.name) : nullptr;
        if (key.only_at_start) parsed.settings.at_start[name] = key.initial;
        if (!node) {
            if (key.given == Given::required) parsed.fault(name, "is missing; it is needed here");
            if (key.given == Given::defaulted) key.set(parsed.settings, key.initial);
            continue;
        }
        parsed.positions[name] = position(*node);
        const auto value = value_of(*node, key.shape());
        if (!value) {
            parsed.fault(name, std::string(words(key.shape())) + " is expected here (" + key.type + ")");
            continue;
        }
        if (auto wrong = key.set(parsed.settings, *value); !wrong.empty())
            parsed.fault(name, std::move(wrong));
        if (key.only_at_start) parsed.settings.at_start[name] = *value;
    }
}

void refuse_unknown(const Section& section, const toml::table& table, const std::string& path,
                    ParsedConfiguration& parsed) {
    const auto allowed = names_of(section);
    for (const auto& [key, node] : table) {
        if (std::find(allowed.begin(), allowed.end(), key.str()) != allowed.end()) continue;
        const std::string name = join(path, key.str());
        parsed.positions[name] = position(key);
        parsed.fault(name, unknown_key(section.name, key.str()));
    }
}

void read_section(const Section& section, const toml::node* node, ParsedConfiguration& parsed) {
    const std::string name(section.name);
    if (node) parsed.positions[name] = position(*node);
    if (!section.repeated()) {
        if (node && !node->is_table()) {
            parsed.fault(name, "is a section that appears once: write [" + name + "]");
            node = nullptr;
        }
        const auto* table = node ? node->as_table() : nullptr;
        read_keys(section, table, name, parsed);
        if (table) refuse_unknown(section, *table, name, parsed);
        return;
    }
    if (!node) return;
    const auto* elements = node->as_array();
    if (!elements || elements->size() > most_elements) {
        parsed.fault(name, elements ? "there are more than " + std::to_string(most_elements)
                                    : "is a section that may appear several times: write [[" + name + "]]");
        return;
    }
    if (elements->empty()) parsed.positions.erase(name);  // as if it were not there
    for (std::size_t i = 0; i < elements->size(); ++i) {
        const std::string path = name + '[' + std::to_string(i) + ']';
        section.begin(parsed.settings);
        parsed.positions[path] = position((*elements)[i]);
        const auto* table = (*elements)[i].as_table();
        read_keys(section, table, path, parsed);
        if (table)
            refuse_unknown(section, *table, path, parsed);
        else
            parsed.fault(path, "a table is expected here: write [[" + name + "]]");
    }
}

void read_root(const toml::table& root, ParsedConfiguration& parsed) {
    std::vector<std::string_view> allowed;
    for (const auto& section : sections()) {
        if (!section.name.empty()) {
            allowed.push_back(section.name);
            read_section(section, root.get(section.name), parsed);
            continue;
        }
        const auto names = names_of(section);
        allowed.insert(allowed.end(), names.begin(), names.end());
        read_keys(section, &root, "", parsed);
    }
    for (const auto& [key, node] : root) {
        if (std::find(allowed.begin(), allowed.end(), key.str()) != allowed.end()) continue;
        parsed.positions[std::string(key.str())] = position(key);
        parsed.fault(key.str(), unknown_name("key or section", key.str(), allowed));
    }
}

std::string machine_name() {
    std::array<char, 256> name{};
    if (gethostname(name.data(), name.size() - 1) != 0) return "localhost";
    return name.data();
}

}  // namespace

ParsedConfiguration parse_settings(std::string_view text) {
    ParsedConfiguration parsed;
    try {
        read_root(toml::parse(text), parsed);
    } catch (const toml::parse_error& error) {
        const auto& begin = error.source().begin;
        const Position where{begin.line, begin.column};
        parsed.faults.push_back({where, "", syntax_fault(error.description(), text, where)});
        return parsed;
    }
    auto& settings = parsed.settings;
    if (settings.relay.hostname.empty()) settings.relay.hostname = machine_name();
    for (std::size_t i = 0; i < settings.directories.size(); ++i)
        settings.directories[i].name = settings.relay.primaries[i].name;
    for (auto& route : settings.relay.routes)
        if (route.sender == "*" && !route.recipient.empty()) route.sender.clear();
    check_consistency(parsed);
    sort_as_in_file(parsed.faults);
    return parsed;
}

tl::expected<std::string, std::string> read_small_file(const std::filesystem::path& file) {
    auto text = base::read_file(file, limits::file);
    if (text) return std::move(*text);
    if (text.error() == std::errc::file_too_large)
        return tl::unexpected<std::string>("is larger than 1 MiB; is it the right file?");
    return tl::make_unexpected("cannot be read: " + text.error().message() +
                               (text.error() == std::errc::permission_denied
                                    ? "; it is not for this account: run this as root, or with sudo"
                                    : ""));
}

ParsedConfiguration read_settings(const std::filesystem::path& file) {
    const auto text = read_small_file(file);
    if (text) return parse_settings(*text);
    ParsedConfiguration parsed;
    parsed.faults.push_back({{}, "", text.error()});
    return parsed;
}

}  // namespace postern::agent
