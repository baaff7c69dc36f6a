#include "sync/cluster/hearing.h"

#include <csignal>
#include <exception>
#include <utility>

namespace postern::sync {

namespace {

constexpr std::size_t saved_every = 200;  // entries, while there are many

}  // namespace

void Hearing::start(Remembered remembered) {
    remembered_ = saved_ = std::move(remembered);
    thread_ = std::thread([this] { run(); });
}

void Hearing::stop() {
    {
        const std::lock_guard lock(mutex_);
        ending_ = true;
        woken_.notify_all();
    }
    if (thread_.joinable()) thread_.join();
}

bool Hearing::room() const {
    const std::lock_guard lock(mutex_);
    return waiting_.size() < most;
}

void Hearing::put(Heard heard) {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(heard));
    woken_.notify_all();
}

void Hearing::know(const std::string& generation, unsigned gateways, const std::string& position) {
    const std::lock_guard lock(mutex_);
    remembered_.generation = generation;
    remembered_.gateways = gateways;
    if (waiting_.empty()) remembered_.position = position;
    woken_.notify_all();
}

std::uint64_t Hearing::heard() const {
    const std::lock_guard lock(mutex_);
    return heard_;
}

void Hearing::run() {
    sigset_t all;  // signals belong to the main thread
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, nullptr);
    std::unique_lock lock(mutex_);
    for (std::size_t entries = 0; !ending_;) {
        if (waiting_.empty() || entries >= saved_every) {
            entries = 0;
            if (const Remembered now = remembered_; now != saved_) {
                lock.unlock();
                const bool done = keep(kept_, now);
                lock.lock();
                if (done) saved_ = now;
            }
            if (waiting_.empty() && !ending_) woken_.wait(lock);
            continue;
        }
        const Heard one = std::move(waiting_.front());
        waiting_.pop_front();
        ++entries;
        for (std::size_t at = 0; at < one.telling.facts.size() && !ending_; ++at) {
            ++heard_;
            lock.unlock();
            try {
                hear_(one.name, one.telling.facts[at]);
            } catch (const std::exception&) {  // out of memory, mostly: it is as if it had not been told
            }
            lock.lock();
        }
        if (!ending_) remembered_.position = one.position;
    }
    const Remembered last = remembered_;
    lock.unlock();
    if (last != saved_) keep(kept_, last);
}

}  // namespace postern::sync
