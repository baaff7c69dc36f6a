#include "agent/status/endpoint.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "agent/limits.h"
#include "agent/settings/quantity.h"

namespace postern::agent {
namespace {

std::optional<std::size_t> whole_number(std::string_view text) {
    std::size_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

/// "oldest|newest" as "oldest, newest".
std::string listed(std::string_view words) {
    std::string text;
    for (const char c : words) c == '|' ? text += ", " : text += c;
    return text;
}

bool is_one_of(std::string_view words, std::string_view text) {
    for (;;) {
        const auto end = words.find('|');
        if (words.substr(0, end) == text) return true;
        if (end == std::string_view::npos) return false;
        words.remove_prefix(end + 1);
    }
}

}  // namespace

std::string Parameter::fault(const std::string& text) const {
    if (text.empty()) return "is empty";
    switch (kind) {
        case Kind::text: return {};
        case Kind::flag: return text == "true" ? "" : "can only be true";
        case Kind::number:
            if (const auto given = whole_number(text); given && *given >= smallest && *given <= largest)
                return {};
            return "not a number from " + std::to_string(smallest) + " to " + std::to_string(largest);
        case Kind::word: return is_one_of(value, text) ? "" : "not one of " + listed(value);
        case Kind::duration:
            if (const auto age = parse_duration(text); !age)
                return age.error();
            else if (*age > limits::age)
                return "more than " + format_duration(limits::age);
            return {};
    }
    return {};
}

Presenter says(std::string_view text) {
    return [text](const nlohmann::json&, const Parameters&, base::Time) { return std::string(text); };
}

Presenter says_whether(std::string_view field, std::string_view yes, std::string_view no) {
    return [field, yes, no](const nlohmann::json& answer, const Parameters&, base::Time) {
        return std::string(answer.at(field).get<bool>() ? yes : no);
    };
}

Presenter shown_by(std::string (*present)(const nlohmann::json&)) {
    return [present](const nlohmann::json& answer, const Parameters&, base::Time) { return present(answer); };
}

Presenter shown_by(std::string (*present)(const nlohmann::json&, base::Time now)) {
    return [present](const nlohmann::json& answer, const Parameters&, base::Time now) {
        return present(answer, now);
    };
}

std::optional<std::string> Endpoint::match(std::string_view asked) const {
    const auto variable = std::find_if(parameters.begin(), parameters.end(),
                                       [](const Parameter& each) { return each.in_path(); });
    if (variable == parameters.end()) return asked == path ? std::optional(std::string()) : std::nullopt;
    const auto at = path.find(variable->name);
    const auto before = path.substr(0, at), behind = path.substr(at + variable->name.size());
    if (asked.size() <= before.size() + behind.size()) return std::nullopt;
    if (!asked.starts_with(before) || !asked.ends_with(behind)) return std::nullopt;
    return std::string(asked.substr(at, asked.size() - before.size() - behind.size()));
}

std::string Endpoint::path_of(const std::string& subject) const {
    std::string text(path);
    for (const auto& each : parameters)
        if (each.in_path()) text.replace(text.find(each.name), each.name.size(), subject);
    return text;
}

std::string Endpoint::fault(const Parameters& asked) const {
    for (const auto& [name, value] : asked) {
        const auto known = std::find_if(parameters.begin(), parameters.end(), [&](const auto& each) {
            return each.name == name && each.in_query();
        });
        if (known == parameters.end()) {
            std::string names;
            for (const auto& each : parameters)
                if (each.in_query()) names.append(names.empty() ? "" : ", ").append(each.name);
            return "unknown parameter; allowed here: " + (names.empty() ? "none" : names);
        }
        if (asked.count(name) > 1) return "parameter " + name + " is given twice";
        if (value.empty()) return "parameter " + name + " is empty";
        if (value.size() > limits::parameter) return "parameter " + name + " is too long";
        if (const auto wrong = known->fault(value); !wrong.empty()) return name + ": " + wrong;
    }
    for (const auto& each : parameters)
        if (each.required && each.in_query() && !asked.contains(std::string(each.name)))
            return std::string(each.name) + " is missing";
    return objection == nullptr ? "" : objection(asked);
}

Answer ok(const nlohmann::json& body) { return {200, dump(body), "application/json", ""}; }

std::string parameter(const Parameters& parameters, const std::string& name) {
    const auto found = parameters.find(name);
    return found == parameters.end() ? std::string() : found->second;
}

std::string parameter(const Request& request, const std::string& name) {
    return parameter(request.parameters, name);
}

std::size_t number(const Request& request, const std::string& name) {
    return whole_number(parameter(request, name)).value_or(0);
}

void note(const Control& control, const Request& request, const std::string& what,
          std::optional<std::size_t> messages) {
    control.process.changed(request.who, what, messages);
}

}  // namespace postern::agent
