// Which entries of a long list are looked at one by one: a bounded number at a time, all of them in turn.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace postern::sync {

class Rotation final {
public:
    /// Up to `count` of `sorted`, starting after the one that came last, also where the list has changed.
    std::vector<std::string> next(const std::vector<std::string>& sorted, std::size_t count);

private:
    std::string last_;
};

}  // namespace postern::sync
