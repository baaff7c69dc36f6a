#include "agent/status/table.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "agent/log/log_line.h"
#include "sync/base/time_text.h"

namespace postern::agent {

std::string table(const std::vector<Row>& rows, const std::string& indent) {
    std::vector<std::size_t> widths;
    for (const auto& row : rows) {
        widths.resize(std::max(widths.size(), row.size()));
        for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
    }
    std::string result;
    for (const auto& row : rows) {
        std::string line = indent;
        for (std::size_t i = 0; i < row.size(); ++i)
            line.append(row[i]).append(widths[i] - row[i].size() + 2, ' ');
        result.append(line, 0, line.find_last_not_of(' ') + 1).append("\n");
    }
    return result;
}

std::string text_field(const nlohmann::json& object, const char* key) {
    const auto& value = object.at(key);
    return value.is_null() ? std::string() : printable(value.get_ref<const std::string&>());
}

std::string number_field(const nlohmann::json& object, const char* key) {
    return std::to_string(object.at(key).get<std::uint64_t>());
}

std::string time_field(const nlohmann::json& object, const char* key) {
    const auto text = text_field(object, key);
    const auto time = base::parse_iso_time(text);
    return time ? base::local_time(*time) : text;
}

std::string when_field(const nlohmann::json& object, const char* key, base::Time now) {
    const auto text = text_field(object, key);
    const auto time = base::parse_iso_time(text);
    return time ? base::local_time(*time) + " (" + base::relative_time(*time, now) + ')' : text;
}

std::string or_else(const std::string& value, const char* otherwise) {
    return value.empty() ? otherwise : value;
}

std::string joined(const std::string& one, const std::string& other) {
    return one.empty() || other.empty() ? one + other : one + "; " + other;
}

std::string counted(std::uint64_t count, const char* noun) {
    return std::to_string(count) + ' ' + noun + (count == 1 ? "" : "s");
}

}  // namespace postern::agent
