// Columns of text, and the fields of an answer as text for a terminal.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "sync/base/clock.h"

namespace postern::agent {

using Row = std::vector<std::string>;

/// Columns as wide as their widest cell, two spaces apart, the last one ragged.
std::string table(const std::vector<Row>& rows, const std::string& indent);

// These throw nlohmann::json::exception when the field is not there or of another type.

/// Safe for a terminal; "" for null.
std::string text_field(const nlohmann::json& object, const char* key);
std::string number_field(const nlohmann::json& object, const char* key);
/// As base::local_time(); "" for null.
std::string time_field(const nlohmann::json& object, const char* key);
/// "2026-01-31 13:00:00 CET (in 4 min)"; "" for null.
std::string when_field(const nlohmann::json& object, const char* key, base::Time now);

std::string or_else(const std::string& value, const char* otherwise);
/// With "; " between them when there are two.
std::string joined(const std::string& one, const std::string& other);
std::string counted(std::uint64_t count, const char* noun);

}  // namespace postern::agent
