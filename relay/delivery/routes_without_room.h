// Routes that were told there is no room, in the order in which they are called when there is.
#pragma once

#include <deque>
#include <set>
#include <string>
#include <utility>

namespace postern::relay {

/// Whoever is called and wants more stands at the end again: nobody is passed over for his name or his mass.
class RoutesWithoutRoom {
public:
    void add(const std::string& route) {
        if (known_.insert(route).second) line_.push_back(route);
    }
    bool empty() const { return line_.empty(); }
    std::size_t size() const { return line_.size(); }
    std::string take() {
        std::string out = std::move(line_.front());
        line_.pop_front();
        known_.erase(out);
        return out;
    }

private:
    std::deque<std::string> line_;
    std::set<std::string> known_;
};

}  // namespace postern::relay
