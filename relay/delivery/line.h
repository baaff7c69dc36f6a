// Jobs in line for a site and one of our addresses.
#pragma once

#include <deque>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "relay/queue/job.h"

namespace postern::relay {

/// The domains (routes) with mail in it take turns, each its own first in, first out: one with little does
/// not wait for one with much. Of a message with so many recipients that it makes several jobs, the first
/// stands in line like everybody's; of the others (Job::not_first) every fourth turn takes one. So a mailing
/// to a thousand recipients neither holds up the small mail behind it nor starves.
class Line {
public:
    void push(Job job);
    void push_front(Job job) {
        front_.push_front(std::move(job));
        ++size_;
    }
    Job pop();  // of one that is not empty
    std::vector<Job> drain();
    /// Of each of its domains the job that is next, of at most so many. They stand until something changes.
    std::vector<const Job*> first_of_each(std::size_t most) const;
    std::size_t size() const { return size_; }
    bool empty() const { return size_ == 0; }
    /// Takes out what `wanted` says.
    template <typename Wanted>
    std::vector<Job> extract(Wanted wanted) {
        std::vector<Job> out;
        take_from(front_, wanted, out);
        for (auto& route : turns_) take_from(by_route_[route], wanted, out);
        std::erase_if(turns_, [this](const RouteKey& route) {
            auto found = by_route_.find(route);
            if (!found->second.empty()) return false;
            by_route_.erase(found);
            return true;
        });
        take_from(not_first_, wanted, out);
        size_ -= out.size();
        return out;
    }

private:
    template <typename Wanted>
    static void take_from(std::deque<Job>& part, Wanted& wanted, std::vector<Job>& out) {
        std::deque<Job> kept;
        for (Job& job : part) {
            if (wanted(job))
                out.push_back(std::move(job));
            else
                kept.push_back(std::move(job));
        }
        part = std::move(kept);
    }

    static constexpr unsigned share = 4;
    std::deque<Job> front_, not_first_;
    std::unordered_map<RouteKey, std::deque<Job>> by_route_;  // none of them empty
    std::deque<RouteKey> turns_;                              // its routes, the next one first
    std::size_t size_ = 0;
    unsigned turn_ = 0;
};

}  // namespace postern::relay
