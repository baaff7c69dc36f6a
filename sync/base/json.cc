#include "sync/base/json.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace postern::base {

namespace {

/// Octets of the longest string or number. The parser has each in memory several times.
std::size_t longest_value(std::string_view text) {
    constexpr std::string_view around = " \t\r\n,:[]{}";
    std::size_t longest = 0;
    for (std::size_t at = 0; at < text.size();) {
        std::size_t end = 0;
        if (text[at] == '"') {
            end = text.find_first_of("\"\\", at + 1);
            while (end < text.size() && text[end] == '\\') end = text.find_first_of("\"\\", end + 2);
            end = end < text.size() ? end + 1 : text.size();
        } else {
            end = std::min(text.find_first_of(around, at), text.size());
        }
        longest = std::max(longest, end - at);
        at = std::max(end, at + 1);
    }
    return longest;
}

}  // namespace

/// What the library's reader calls for each thing it finds; false ends the reading.
class Json::Builder {
public:
    Builder(Json& json, JsonLimits limits, std::stop_token stop)
        : json_(json), limits_(limits), stop_(std::move(stop)) {}

    JsonFault fault() const { return fault_; }

    bool null() { return add(Type::null, 0); }
    bool boolean(bool value) { return add(Type::boolean, value ? 1 : 0); }
    bool number_integer(std::int64_t value) { return add(Type::integer, static_cast<std::uint64_t>(value)); }
    bool number_unsigned(std::uint64_t value) { return add(Type::count, value); }
    bool number_float(double, const std::string&) { return add(Type::number, 0); }
    bool string(const std::string& value) {
        if (skipping()) return add(Type::string, 0);
        const std::uint64_t offset = json_.text_.size();
        json_.text_ += value;
        return add(Type::string, offset << 32 | value.size());
    }
    bool binary(const std::vector<std::uint8_t>&) { return false; }
    bool start_object(std::size_t) { return open(Type::object); }
    bool start_array(std::size_t) { return open(Type::array); }
    bool end_object() { return close(); }
    bool end_array() { return close(); }
    bool key(const std::string& name) {
        if (skipped_ > 0) return true;
        const auto found = std::find(json_.keys_.begin(), json_.keys_.end(), name);
        skip_next_ = found == json_.keys_.end();
        key_ = static_cast<std::uint16_t>(found - json_.keys_.begin());
        return true;
    }
    template <class Error>
    bool parse_error(std::size_t, const std::string&, const Error&) {
        return false;
    }

private:
    struct Open {
        std::uint32_t node = 0, last = 0;  // last: value in it so far; 0: none
    };

    bool skipping() const { return skip_next_ || skipped_ > 0; }

    bool fail(JsonFault fault) {
        fault_ = fault;
        return false;
    }

    bool add(Type type, std::uint64_t value) {
        if (stop_.stop_requested()) return fail(JsonFault::interrupted);
        if (skipping()) {
            skip_next_ = false;
            return true;
        }
        if (json_.nodes_.size() >= limits_.values) return fail(JsonFault::too_many);
        const auto at = static_cast<std::uint32_t>(json_.nodes_.size());
        json_.nodes_.push_back({type, std::exchange(key_, std::uint16_t{0}), 0, value});
        if (open_.empty()) return true;
        Open& parent = open_.back();
        if (parent.last == 0)
            json_.nodes_[parent.node].value = at;
        else
            json_.nodes_[parent.last].next = at;
        parent.last = at;
        return true;
    }

    bool open(Type type) {
        if (++depth_ > limits_.depth) return fail(JsonFault::too_deep);
        if (skipping()) {
            skip_next_ = false;
            ++skipped_;
            return !stop_.stop_requested() || fail(JsonFault::interrupted);
        }
        if (!add(type, 0)) return false;
        open_.push_back({static_cast<std::uint32_t>(json_.nodes_.size() - 1), 0});
        return true;
    }

    bool close() {
        --depth_;
        if (skipped_ > 0)
            --skipped_;
        else
            open_.pop_back();
        return true;
    }

    Json& json_;
    JsonLimits limits_;
    std::stop_token stop_;
    JsonFault fault_ = JsonFault::damaged;
    std::vector<Open> open_;
    std::uint16_t key_ = 0;
    bool skip_next_ = false;  // the value of a member nobody wants
    int depth_ = 0, skipped_ = 0;
};

tl::expected<Json, JsonFault> Json::parse(std::string_view text, std::span<const std::string_view> keys,
                                          JsonLimits limits, std::stop_token stop) {
    Json json;
    json.keys_ = keys;
    if (text.size() >> 32 != 0) return tl::make_unexpected(JsonFault::too_many);
    if (longest_value(text) > limits.value) return tl::make_unexpected(JsonFault::too_long);
    Builder builder(json, limits, std::move(stop));
    if (!nlohmann::json::sax_parse(text.begin(), text.end(), &builder) || json.nodes_.empty())
        return tl::make_unexpected(builder.fault());
    return json;
}

bool Json::Value::is_object() const { return json_ != nullptr && json_->nodes_[at_].type == Type::object; }
bool Json::Value::is_array() const { return json_ != nullptr && json_->nodes_[at_].type == Type::array; }
bool Json::Value::is_string() const { return json_ != nullptr && json_->nodes_[at_].type == Type::string; }
bool Json::Value::is_null() const { return json_ != nullptr && json_->nodes_[at_].type == Type::null; }

std::string_view Json::Value::text() const {
    if (!is_string()) return {};
    const std::uint64_t value = json_->nodes_[at_].value;
    return std::string_view(json_->text_).substr(value >> 32, value & 0xffffffffu);
}

std::optional<bool> Json::Value::flag() const {
    if (json_ == nullptr || json_->nodes_[at_].type != Type::boolean) return std::nullopt;
    return json_->nodes_[at_].value != 0;
}

std::optional<std::uint64_t> Json::Value::count() const {
    if (json_ == nullptr || json_->nodes_[at_].type != Type::count) return std::nullopt;
    return json_->nodes_[at_].value;
}

std::optional<std::int64_t> Json::Value::integer() const {
    if (json_ == nullptr) return std::nullopt;
    const Node& node = json_->nodes_[at_];
    if (node.type != Type::integer && node.type != Type::count) return std::nullopt;
    return static_cast<std::int64_t>(node.value);
}

Json::Value Json::Value::member(std::string_view key) const {
    Value found;
    if (!is_object()) return found;
    for (Value each = first(); each; each = each.next())
        if (json_->keys_[json_->nodes_[each.at_].key] == key) found = each;
    return found;
}

Json::Value Json::Value::first() const {
    if (!is_object() && !is_array()) return {};
    const auto at = static_cast<std::uint32_t>(json_->nodes_[at_].value);
    return at == 0 ? Value() : Value(json_, at);
}

Json::Value Json::Value::next() const {
    const std::uint32_t at = json_ == nullptr ? 0 : json_->nodes_[at_].next;
    return at == 0 ? Value() : Value(json_, at);
}

}  // namespace postern::base
