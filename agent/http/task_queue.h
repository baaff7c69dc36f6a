// The workers of the status server: few, with a short bounded line in front of them.
#pragma once

#include <httplib.h>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

namespace postern::agent {

/// When the line is full the accepting thread waits, so that further clients stay in the kernel's backlog.
class BoundedTaskQueue final : public httplib::TaskQueue {
public:
    BoundedTaskQueue(std::size_t workers, std::size_t most_waiting);
    ~BoundedTaskQueue() override;

    void enqueue(std::function<void()> task) override;
    /// Lets what is in the line finish, then ends the workers.
    void shutdown() override;

private:
    void work();

    const std::size_t most_waiting_;
    std::mutex mutex_;
    std::condition_variable arrived_, taken_;
    std::deque<std::function<void()>> waiting_;
    bool ending_ = false;
    std::vector<std::thread> workers_;
};

}  // namespace postern::agent
