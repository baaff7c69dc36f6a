#include "agent/settings/fault_words.h"

#include <algorithm>
#include <array>
#include <utility>

#include "agent/settings/keys.h"
#include "agent/settings/suggestion.h"

namespace postern::agent {
namespace {

/// What people write for a key that is called otherwise; only where the nearest name would not tell.
constexpr std::array<std::pair<std::string_view, std::string_view>, 3> other_names{
    {{"password", "password_file"}, {"pass", "password_file"}, {"passwd", "password_file"}}};

/// As word processors and mail programs make of ".
constexpr std::array<std::string_view, 7> typographic_quotes{"\u201c", "\u201d", "\u201e", "\u00ab",
                                                             "\u00bb", "\u2018", "\u2019"};

std::string_view line_of(std::string_view text, std::size_t number) {
    for (; number > 1; --number) {
        const auto end = text.find('\n');
        if (end == std::string_view::npos) return {};
        text.remove_prefix(end + 1);
    }
    return text.substr(0, text.find_first_of("\r\n"));
}

bool has(const Section& section, std::string_view name) {
    return std::any_of(section.keys.begin(), section.keys.end(),
                       [&](const Key& key) { return key.name == name; });
}

std::string heading(const Section& section) {
    if (section.name.empty()) return "above the first [section]";
    const std::string name(section.name);
    return section.repeated() ? "in [[" + name + "]]" : "in [" + name + ']';
}

}  // namespace

std::string syntax_fault(std::string_view description, std::string_view text, Position at) {
    const auto line = line_of(text, at.line);
    auto value = line.substr(std::min(line.size(), line.find('=')));
    for (const auto quote : typographic_quotes)
        if (value.find(quote) != std::string_view::npos)
            return "typographic quotes; text stands in plain ones, as \"text\"";
    value.remove_prefix(std::min(value.size(), value.find_first_not_of("= \t")));
    if (!value.empty() &&
        std::string_view("\"'[{+-.#0123456789").find(value.front()) == std::string_view::npos)
        return "text needs quotes, as name = \"text\"";
    return std::string(description);
}

std::string unknown_key(std::string_view section, std::string_view name) {
    const Section* own = nullptr;
    std::vector<const Section*> others;
    for (const auto& each : sections()) {
        if (each.name == section) own = &each;
        if (has(each, name)) others.push_back(&each);
    }
    for (const auto& [written, meant] : other_names)
        if (name == written && own != nullptr && has(*own, meant))
            return "there is no such key: it stands in a file, named by " + std::string(meant);
    // A key of the top lands in whatever section it was written behind.
    if (!others.empty() && (others.size() == 1 || others.front()->name.empty()))
        return "there is no such key here; it belongs " + heading(*others.front());
    std::vector<std::string_view> allowed;
    for (const auto& key : own->keys) allowed.push_back(key.name);
    return unknown_name("key", name, allowed);
}

std::string unknown_name(std::string_view what, std::string_view name,
                         const std::vector<std::string_view>& allowed) {
    std::string text = "there is no such " + std::string(what);
    if (const auto meant = nearest(name, allowed); !meant.empty())
        text.append("; is \"").append(meant).append("\" meant?");
    else
        text.append(".");
    text.append(" Allowed: ");
    for (std::size_t i = 0; i < allowed.size(); ++i) text.append(i ? ", " : "").append(allowed[i]);
    return text;
}

}  // namespace postern::agent
