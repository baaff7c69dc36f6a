// Names a primary gives that cannot be used: mail for them is refused, so an administrator must hear of them.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace postern::sync {

/// How many there are, and a few of them to show.
class Unfit final {
public:
    /// `name` may be anything that came from the network.
    void note(std::string_view name);
    void note(const Unfit& more);

    std::size_t count() const { return count_; }
    /// "3 users ("a", "b", …)"; `kind` in the plural. "" when there are none.
    std::string words(std::string_view kind) const;
    bool operator==(const Unfit&) const = default;

private:
    std::size_t count_ = 0;
    std::vector<std::string> examples_;
};

}  // namespace postern::sync
