#include "agent/settings/reply_rules.h"

#include <toml++/toml.h>

#include <algorithm>
#include <array>
#include <stdexcept>

#include "agent/limits.h"
#include "agent/settings/quantity.h"
#include "agent/settings/suggestion.h"

namespace postern::agent {
namespace {

constexpr std::size_t most_rules = 1000;
constexpr std::size_t longest_field = 500;
constexpr std::chrono::hours longest_hold{24 * 30};

const std::vector<std::string_view> keys{"name", "meaning", "code", "status", "text", "host", "hold"};

struct Meaning {
    std::string_view word;
    relay::ReplyMeaning meaning;
};
constexpr std::array<Meaning, 8> meanings{{{"listed", relay::ReplyMeaning::listed},
                                           {"listed-everywhere", relay::ReplyMeaning::listed_everywhere},
                                           {"rate-limited", relay::ReplyMeaning::rate_limited},
                                           {"greylisted", relay::ReplyMeaning::greylisted},
                                           {"content", relay::ReplyMeaning::content},
                                           {"recipient", relay::ReplyMeaning::recipient},
                                           {"configuration", relay::ReplyMeaning::configuration},
                                           {"unknown", relay::ReplyMeaning::unknown}}};

Position position(const toml::source_region& source) { return {source.begin.line, source.begin.column}; }

std::string listed(const std::vector<std::string_view>& words) {
    std::string text;
    for (const auto word : words) text.append(text.empty() ? "" : ", ").append(word);
    return text;
}

/// What begins as an SMTP code begins: "5", "55", "550".
bool begins_code(std::string_view text) {
    return text.size() <= 3 && (text.empty() || text[0] == '4' || text[0] == '5') &&
           text.find_first_not_of("0123456789") == std::string_view::npos;
}

/// What begins as an enhanced status begins: "5", "5.7.", "4.7.650".
bool begins_status(std::string_view text) {
    return text.empty() || ((text[0] == '4' || text[0] == '5') && (text.size() == 1 || text[1] == '.') &&
                            std::count(text.begin(), text.end(), '.') <= 2 &&
                            text.find_first_not_of("0123456789.") == std::string_view::npos &&
                            text.find("..") == std::string_view::npos);
}

/// One [[rule]], with its faults added to those of the file.
class RuleReader {
public:
    RuleReader(const toml::table& table, std::string path, std::vector<Fault>& faults)
        : table_(table), path_(std::move(path)), faults_(faults) {}

    relay::ReplyRule read() {
        const auto before = faults_.size();
        refuse_unknown();
        relay::ReplyRule rule;
        rule.name = text("name");
        read_meaning(rule);
        rule.code = text("code");
        if (!begins_code(rule.code))
            fault("code", "is not how a refusal's code begins, as \"5\", \"45\" or \"550\"");
        rule.status = text("status");
        if (!begins_status(rule.status))
            fault("status", "is not how a refusal's enhanced status begins, as \"5.7.\" or \"5.7.606\"");
        rule.text = text("text");
        rule.host = text("host");
        read_hold(rule);
        if (rule.name.empty()) fault("name", "is missing; logs and commands need it");
        const auto all = [](std::string_view pattern) {
            return pattern.find_first_not_of("* ") == std::string_view::npos;
        };
        if (faults_.size() == before && rule.code.empty() && rule.status.empty() && all(rule.text) &&
            all(rule.host))
            fault("", "says nothing of the reply: give at least one of code, status, text and host");
        return rule;
    }

private:
    void fault(std::string_view key, std::string text) {
        const auto* node = key.empty() ? nullptr : table_.get(key);
        const auto where = position(node ? node->source() : table_.source());
        faults_.push_back({where, key.empty() ? path_ : path_ + '.' + std::string(key), std::move(text)});
    }

    void refuse_unknown() {
        for (const auto& [key, node] : table_) {
            if (std::find(keys.begin(), keys.end(), key.str()) != keys.end()) continue;
            std::string text = "there is no such key";
            if (const auto meant = nearest(key.str(), keys); !meant.empty())
                text.append("; is \"").append(meant).append("\" meant?");
            else
                text.append(". Allowed: ").append(listed(keys));
            faults_.push_back(
                {position(key.source()), path_ + '.' + std::string(key.str()), std::move(text)});
        }
    }

    std::string text(std::string_view key) {
        const auto* node = table_.get(key);
        if (!node) return "";
        auto value = node->value_exact<std::string>();
        if (!value) {
            fault(key, "text in quotes is expected here");
            return "";
        }
        if (value->size() > longest_field) {
            fault(key, "is longer than " + std::to_string(longest_field) + " characters");
            return "";
        }
        return std::move(*value);
    }

    void read_meaning(relay::ReplyRule& rule) {
        const auto word = text("meaning");
        const auto* found = std::find_if(meanings.begin(), meanings.end(),
                                         [&](const Meaning& meaning) { return meaning.word == word; });
        if (found != meanings.end()) {
            rule.meaning = found->meaning;
            return;
        }
        std::vector<std::string_view> allowed;
        for (const auto& meaning : meanings) allowed.push_back(meaning.word);
        if (!table_.contains("meaning"))
            fault("meaning", "is missing; one of " + listed(allowed));
        else if (table_.get("meaning")->is_string())
            fault("meaning", '"' + word + "\" is not one of " + listed(allowed));
    }

    void read_hold(relay::ReplyRule& rule) {
        const auto value = text("hold");
        if (value.empty()) return;
        const auto hold = parse_duration(value);
        if (!hold)
            fault("hold", hold.error());
        else if (*hold < std::chrono::seconds(1) || *hold > longest_hold)
            fault("hold", '"' + value + "\" is not between 1s and 30d");
        else if (rule.meaning != relay::ReplyMeaning::listed &&
                 rule.meaning != relay::ReplyMeaning::listed_everywhere)
            fault("hold", "is only for listed and listed-everywhere");
        else
            rule.hold = std::chrono::duration_cast<std::chrono::seconds>(*hold);
    }

    const toml::table& table_;
    std::string path_;
    std::vector<Fault>& faults_;
};

std::vector<relay::ReplyRule> read_rules(const toml::table& root, std::vector<Fault>& faults) {
    std::vector<relay::ReplyRule> rules;
    for (const auto& [key, node] : root)
        if (key.str() != "rule")
            faults.push_back({position(key.source()), std::string(key.str()),
                              "there is no such key or section; a rule begins with [[rule]]"});
    const auto* node = root.get("rule");
    if (!node) return rules;
    const auto* elements = node->as_array();
    if (!elements) {
        faults.push_back({position(node->source()), "rule", "may appear several times: write [[rule]]"});
        return rules;
    }
    if (elements->size() > most_rules) {
        faults.push_back(
            {position(node->source()), "rule", "there are more than " + std::to_string(most_rules)});
        return rules;
    }
    for (const auto& element : *elements) {
        auto path = "rule[" + std::to_string(rules.size()) + ']';
        rules.emplace_back();
        if (const auto* table = element.as_table())
            rules.back() = RuleReader(*table, std::move(path), faults).read();
        else
            faults.push_back(
                {position(element.source()), std::move(path), "a table is expected here: write [[rule]]"});
    }
    return rules;
}

}  // namespace

tl::expected<std::vector<relay::ReplyRule>, std::vector<Fault>> parse_reply_rules(std::string_view text) {
    std::vector<Fault> faults;
    if (text.size() > limits::file) {
        faults.push_back({{}, "", "is larger than 1 MiB; is it a file of rules?"});
        return tl::unexpected(std::move(faults));
    }
    try {
        auto rules = read_rules(toml::parse(text), faults);
        if (faults.empty()) return rules;
    } catch (const toml::parse_error& error) {
        faults.push_back({position(error.source()), "", std::string(error.description())});
    }
    sort_as_in_file(faults);
    return tl::unexpected(std::move(faults));
}

const std::vector<relay::ReplyRule>& shipped_reply_rules() {
    static const auto rules = [] {
        auto read = parse_reply_rules(shipped_reply_rules_text());
        if (!read) throw std::logic_error(read.error().front().line("reply-rules.toml"));
        return std::move(*read);
    }();
    return rules;
}

}  // namespace postern::agent
