// JSON from whoever sends it, kept only as far as it is wanted: linear in time, 24 octets a value and the
// text itself in memory, bounded in depth and number of values (RFC 8259).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace postern::base {

struct JsonLimits {
    int depth = 32;
    std::size_t values = 2'000'000;  // that are kept
    std::size_t value = 1u << 20;    // octets of a string or number, kept or not
};

enum class JsonFault : std::uint8_t { damaged, too_deep, too_many, too_long, interrupted };

class Json final {
public:
    /// One value, or none. Valid as long as the Json it is from stays where it is.
    class Value {
    public:
        explicit operator bool() const { return json_ != nullptr; }

        bool is_object() const;
        bool is_array() const;
        bool is_string() const;
        bool is_null() const;  // "null" is a value

        std::string_view text() const;  // "" unless it is a string
        std::optional<bool> flag() const;
        std::optional<std::uint64_t> count() const;  // an integer that is not negative
        std::optional<std::int64_t> integer() const;

        /// The last member of that name; none unless this is an object that has one.
        Value member(std::string_view key) const;
        /// The first value in an array or object, and the one beside this one.
        Value first() const;
        Value next() const;

    private:
        friend class Json;
        Value() = default;
        Value(const Json* json, std::uint32_t at) : json_(json), at_(at) {}

        const Json* json_ = nullptr;
        std::uint32_t at_ = 0;
    };

    /// Members whose names are not among `keys`, which must outlive the result, are passed over. `text` is
    /// one value and nothing else.
    static tl::expected<Json, JsonFault> parse(std::string_view text, std::span<const std::string_view> keys,
                                               JsonLimits limits = {}, std::stop_token stop = {});

    Value root() const { return {this, 0}; }

private:
    enum class Type : std::uint8_t { null, boolean, integer, count, number, string, array, object };
    struct Node {
        Type type = Type::null;
        std::uint16_t key = 0;    // in keys_
        std::uint32_t next = 0;   // its neighbour; 0: it is the last
        std::uint64_t value = 0;  // of a string: offset and length; of an array or object: its first value
    };
    class Builder;

    Json() = default;

    std::span<const std::string_view> keys_;
    std::vector<Node> nodes_;
    std::string text_;
};

}  // namespace postern::base
