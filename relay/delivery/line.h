// Jobs in line for a site and one of our addresses.
#pragma once

#include <deque>
#include <vector>

#include "relay/queue/queue.h"

namespace postern::relay {

/// First in, first out, but for a message with so many recipients that it makes several jobs: its first
/// stands in line like everybody's, of the further ones every fourth turn takes one. So a mailing to a
/// thousand recipients neither holds up the small mail behind it nor starves.
class Line {
public:
    void push(Job job) { (job.further ? further_ : first_).push_back(std::move(job)); }
    void push_front(Job job) { first_.push_front(std::move(job)); }
    Job pop();  // of one that is not empty
    std::vector<Job> drain();
    std::size_t size() const { return first_.size() + further_.size(); }
    bool empty() const { return first_.empty() && further_.empty(); }
    /// Takes out what `wanted` says.
    template <typename Wanted>
    std::vector<Job> extract(Wanted wanted) {
        std::vector<Job> out;
        for (auto* part : {&first_, &further_})
            for (auto job = part->begin(); job != part->end();) {
                if (!wanted(*job)) {
                    ++job;
                    continue;
                }
                out.push_back(std::move(*job));
                job = part->erase(job);
            }
        return out;
    }

private:
    static constexpr unsigned share = 4;
    std::deque<Job> first_, further_;
    unsigned turn_ = 0;
};

}  // namespace postern::relay
