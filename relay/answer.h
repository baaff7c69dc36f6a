// What one thread asks of another and waits for.
#pragma once

#include <atomic>
#include <exception>
#include <future>

namespace postern::relay {

/// A value that one thread waits for and others give: the first counts, what making it throws too.
template <typename Value>
class Answer {
public:
    template <typename Make>
    void give(Make&& make) {
        if (given_.test_and_set()) return;
        try {
            promise_.set_value(make());
        } catch (...) {
            promise_.set_exception(std::current_exception());
        }
    }
    Value wait() { return promise_.get_future().get(); }

private:
    std::atomic_flag given_;
    std::promise<Value> promise_;
};

}  // namespace postern::relay
