#include "agent/settings/reference.h"

#include "agent/settings/keys.h"

namespace postern::agent {
namespace {

std::string string_literal(std::string_view text) {
    std::string result = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') result += '\\';
        result += c;
    }
    return result += '"';
}

std::string literal(const Value& value) {
    struct Write {
        std::string operator()(bool truth) const { return truth ? "true" : "false"; }
        std::string operator()(std::int64_t number) const { return std::to_string(number); }
        std::string operator()(const std::string& text) const { return string_literal(text); }
        std::string operator()(const std::vector<std::string>& texts) const {
            std::string list;
            for (const auto& text : texts) list.append(list.empty() ? "" : ", ").append(string_literal(text));
            return '[' + list + ']';
        }
        std::string operator()(const std::vector<std::int64_t>& numbers) const {
            std::string list;
            for (const auto number : numbers)
                list.append(list.empty() ? "" : ", ").append(std::to_string(number));
            return '[' + list + ']';
        }
        std::string operator()(const Pairs& pairs) const {
            std::string list;
            for (const auto& [key, text] : pairs)
                list.append(list.empty() ? " " : ", ")
                    .append(string_literal(key))
                    .append(" = ")
                    .append(string_literal(text));
            return list.empty() ? "{}" : '{' + list + " }";
        }
    };
    return std::visit(Write{}, value);
}

std::string header(const Section& section) {
    const std::string name(section.name);
    return section.repeated() ? "[[" + name + "]]" : '[' + name + ']';
}

/// Its help, and when it is taken.
std::string told(const Key& key) {
    return std::string(key.help) + (key.only_at_start ? "; taken at a start only" : "");
}

void pad(std::string& line, std::size_t width) {
    if (line.size() < width) line.append(width - line.size(), ' ');
}

/// What the literal does not show by itself of the type.
std::string bounds(const Key& key) {
    const bool evident = key.type == "path" || key.type == "text" || key.type == "name" ||
                         key.type == "domain" || key.type == "true or false";
    return evident ? "" : " (" + key.type + ')';
}

std::string toml(const Section& section) {
    std::size_t names = 0, assignments = 0;
    for (const auto& key : section.keys) names = std::max(names, key.name.size());
    for (const auto& key : section.keys)
        assignments =
            std::max(assignments, std::min<std::size_t>(48, names + 3 + literal(key.initial).size()));
    std::string text;
    const std::string mark = section.shown ? "" : "#";
    if (!section.name.empty()) {
        std::string line = mark + header(section);
        pad(line, mark.size() + assignments);
        text.append("\n").append(line).append("  # ").append(section.help).append("\n");
    }
    for (const auto& key : section.keys) {
        // Of a section in force, what has no default is shown as an example only.
        std::string line = section.shown && key.given == Given::optional ? "#" : mark;
        const std::size_t begin = line.size();
        line += key.name;
        pad(line, begin + names);
        line.append(" = ").append(literal(key.initial));
        pad(line, begin + assignments);
        text.append(line).append("  # ").append(told(key)).append(bounds(key)).append("\n");
    }
    return text;
}

std::string markdown(const Section& section) {
    std::string text =
        section.name.empty() ? "" : "\n`" + header(section) + "` " + std::string(section.help) + "\n";
    text += "\n| key | default | type | |\n|---|---|---|---|\n";
    for (const auto& key : section.keys) {
        const std::string initial = key.given == Given::defaulted ? '`' + literal(key.initial) + '`'
                                    : key.given == Given::required
                                        ? "required, as `" + literal(key.initial) + '`'
                                        : "none, as `" + literal(key.initial) + '`';
        text.append("| `").append(key.name).append("` | ").append(initial);
        text.append(" | ").append(key.type).append(" | ").append(told(key)).append(" |\n");
    }
    return text;
}

}  // namespace

std::string reference_toml() {
    std::string text =
        "# Every key of postern with its default. Check a changed file with \"postern check\", put it in "
        "force with\n"
        "# \"postern reload\". What begins with a bare \"#\" is an example: a [[primary]] must be filled "
        "in.\n\n";
    for (const auto& section : sections()) text += toml(section);
    return text;
}

std::string reference_markdown() {
    std::string text;
    for (const auto& section : sections()) text += markdown(section);
    return text.substr(text.find_first_not_of('\n'));
}

}  // namespace postern::agent
