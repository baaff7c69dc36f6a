// A key of the configuration file as a row: its type, its default, its help, and where its value goes.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/settings/settings.h"

namespace postern::agent {

/// What happens when a key is not in the file.
enum class Given : std::uint8_t {
    defaulted,  // its `initial` is in force
    required,   // a fault; `initial` is an example
    optional,   // nothing is set; `initial` is an example
};

struct Key {
    std::string_view name;
    std::string type;  // in words, with unit and bounds: "duration, 1s to 365d"
    Value initial;
    std::string_view help;  // one line
    /// Puts a value of the shape of `initial` into the settings. Gives what is wrong with it, "" for nothing.
    std::function<std::string(Settings&, const Value&)> set;
    Given given = Given::defaulted;
    bool only_at_start = false;  // a reload does not take it, and says so when it differs

    Shape shape() const { return static_cast<Shape>(initial.index()); }
    Key need() const { return as(Given::required); }
    Key without() const { return as(Given::optional); }
    Key at_start() const {
        Key key = *this;
        key.only_at_start = true;
        return key;
    }
    Key as(Given other) const {
        Key key = *this;
        key.given = other;
        return key;
    }
};

struct Section {
    std::string_view name;  // "" for the keys at the top of the file
    std::string_view help;
    std::vector<Key> keys;
    void (*begin)(Settings&) = nullptr;  // of [[sections]]: appends the element that the keys then fill
    bool shown = true;                   // false: an example, commented out in the shipped file

    bool repeated() const { return begin != nullptr; }
};

}  // namespace postern::agent
