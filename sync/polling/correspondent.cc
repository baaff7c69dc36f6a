#include "sync/polling/correspondent.h"

#include <csignal>
#include <exception>
#include <utility>

namespace postern::sync {

namespace {

/// Out of memory, or a library's own fault: nothing follows from it.
template <class T, class Ask>
T guarded(Ask&& ask) {
    try {
        return ask();
    } catch (const std::exception& error) {
        return tl::make_unexpected(Failure{Fault::unreadable, error.what(), {}});
    }
}

}  // namespace

Correspondent::Correspondent(const Connect& connect, const base::Clock& clock, std::function<void()> told)
    : clock_(clock), primary_(connect(stop_.get_token())), told_(std::move(told)) {
    if (told_) thread_ = std::thread([this] { work(); });
}

Correspondent::~Correspondent() {
    interrupt();
    if (thread_.joinable()) thread_.join();
}

void Correspondent::list(std::chrono::milliseconds gap) {
    ask([this, gap] {
        return guarded<Listing>([&] {
            primary_->pause_between(gap);
            return primary_->domains();
        });
    });
}

void Correspondent::read(DomainRecord known, bool first, std::chrono::milliseconds gap) {
    ask([this, known = std::move(known), first, gap] {
        return guarded<Reading>([&] {
            primary_->pause_between(gap);
            primary_->hurry(first);
            auto reading = primary_->read(known);
            primary_->hurry(false);
            return reading;
        });
    });
}

std::optional<Correspondent::Answer> Correspondent::take() {
    if (!waiting_) return std::nullopt;
    std::unique_lock lock(mutex_);
    auto taken = std::exchange(answer_, std::nullopt);
    lock.unlock();
    if (!taken) return std::nullopt;
    waiting_ = false;
    requests_ += taken->requests;
    return taken;
}

void Correspondent::ask(Question question) {
    waiting_ = true;
    if (!told_) {
        answer_ = answer(question);
        return;
    }
    const std::lock_guard lock(mutex_);
    question_ = std::move(question);
    asked_.notify_one();
}

Correspondent::Answer Correspondent::answer(const Question& question) {
    const auto began = clock_.now();
    const std::uint64_t before = primary_->requests();
    auto content = question();
    return {std::move(content), clock_.now() - began, primary_->requests() - before};
}

void Correspondent::work() {
    sigset_t all;  // signals belong to the main thread; SIGPIPE to nobody
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, nullptr);
    for (;;) {
        std::unique_lock lock(mutex_);
        if (!asked_.wait(lock, stop_.get_token(), [this] { return static_cast<bool>(question_); })) return;
        const Question question = std::exchange(question_, nullptr);
        lock.unlock();
        Answer given = answer(question);
        lock.lock();
        answer_ = std::move(given);
        lock.unlock();
        told_();
    }
}

}  // namespace postern::sync
