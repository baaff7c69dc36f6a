#include "agent/http/task_queue.h"

namespace postern::agent {

BoundedTaskQueue::BoundedTaskQueue(std::size_t workers, std::size_t most_waiting)
    : most_waiting_(most_waiting) {
    for (std::size_t i = 0; i < workers; ++i) workers_.emplace_back([this] { work(); });
}

BoundedTaskQueue::~BoundedTaskQueue() { shutdown(); }

void BoundedTaskQueue::enqueue(std::function<void()> task) {
    std::unique_lock lock(mutex_);
    taken_.wait(lock, [this] { return waiting_.size() < most_waiting_; });
    waiting_.push_back(std::move(task));  // never dropped: the task owns the accepted socket
    arrived_.notify_one();
}

void BoundedTaskQueue::shutdown() {
    {
        const std::lock_guard lock(mutex_);
        ending_ = true;
    }
    arrived_.notify_all();
    for (auto& worker : workers_)
        if (worker.joinable()) worker.join();
}

void BoundedTaskQueue::work() {
    for (;;) {
        std::unique_lock lock(mutex_);
        arrived_.wait(lock, [this] { return ending_ || !waiting_.empty(); });
        if (waiting_.empty()) return;
        const auto task = std::move(waiting_.front());
        waiting_.pop_front();
        lock.unlock();
        taken_.notify_one();
        task();
    }
}

}  // namespace postern::agent
