#include "sync/polling/asker.h"

#include <algorithm>
#include <csignal>
#include <exception>

#include "sync/base/ensure.h"
#include "sync/limits.h"

namespace postern::sync {

namespace {

constexpr int usual_cost = 4;  // requests for an address that does not exist

/// A primary that does not have the domain refuses the question in words of its own; one whose answer cannot
/// be read has not said so.
bool orderly_no(const Failure& failure) {
    return failure.fault == Fault::refused || failure.fault == Fault::unauthorised;
}

void block_signals() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

}  // namespace

Asker::Asker(Connect connect, Learn learn, const base::Clock& clock)
    : connect_(std::move(connect)), learn_(std::move(learn)), clock_(clock) {
    worker_ = std::thread([this] {
        block_signals();
        work();
    });
    watcher_ = std::thread([this] {
        block_signals();
        watch();
    });
}

Asker::~Asker() {
    stop_.request_stop();
    worker_.join();
    watcher_.join();
    for (const Done& done : take_all()) done(false);
}

bool Asker::open(base::Moment now) { return !stop_.stop_requested() && quiet_.over(now); }

void Asker::ask(Question question, Done done) {
    {
        const std::lock_guard lock(mutex_);
        const auto now = clock_.now();
        Key key(question.local_part, question.domain);
        auto found = pending_.find(key);
        if (open(now) && waiting_ < limits::waiting) {
            if (found == pending_.end() && pending_.size() < limits::questions &&
                budget_of(question).take(now, usual_cost)) {
                found = pending_.emplace(key, Pending{std::move(question), {}}).first;
                queue_.push_back(std::move(key));
                asked_.notify_one();
            }
            if (found != pending_.end()) {
                found->second.waiters.push_back({now + patience, std::move(done)});
                ++waiting_;
                waiting_more_.notify_one();
                return;
            }
        }
    }
    done(false);
}

void Asker::heard(bool refused, Time last_success) {
    const std::lock_guard lock(mutex_);
    quiet_.heard(refused, last_success);
}

std::vector<Asker::Done> Asker::take_all() {
    const std::lock_guard lock(mutex_);
    std::vector<Done> all;
    for (auto& [key, pending] : pending_)
        for (Waiter& waiter : pending.waiters) all.push_back(std::move(waiter.done));
    pending_.clear();
    queue_.clear();
    waiting_ = 0;
    return all;
}

/// Puts one question; what it came to is noted and given on. True when the primary has answered.
bool Asker::put(const Question& question, base::Moment until) {
    const Time asked = clock_.wall();
    std::uint64_t before = 0;
    Result<std::optional<Kind>> answer = tl::make_unexpected(Failure{});
    try {
        if (!primary_) primary_ = connect_(stop_.get_token());
        before = primary_->requests();
        answer = primary_->look_up(question.local_part, question.spelling, until);
        if (!answer && question.unlisted && orderly_no(answer.error())) answer = std::optional<Kind>();
        if (answer) learn_({question.local_part, question.domain, *answer, asked});
    } catch (const std::exception& error) {  // out of memory, or a library's own
        answer = tl::make_unexpected(Failure{Fault::busy, error.what(), {}});
    }
    const std::uint64_t spent = primary_ ? primary_->requests() - before : 0;
    const std::lock_guard lock(mutex_);
    budget_of(question).correct(static_cast<int>(spent) - usual_cost);
    if (!answer) quiet_.failed(answer.error(), clock_.now(), clock_.wall());
    return answer.has_value() || answer.error().fault == Fault::refused;  // an answer, if not to this
}

void Asker::work() {
    std::unique_lock lock(mutex_);
    while (asked_.wait(lock, stop_.get_token(), [this] { return !queue_.empty(); })) {
        if (stop_.stop_requested()) return;
        const Key key = std::move(queue_.front());
        queue_.pop_front();
        const auto found = pending_.find(key);
        const Pending& pending = found->second;
        bool answered = false;
        if (pending.waiters.empty() || !open(clock_.now())) {  // nobody waits any more, or in vain
            budget_of(pending.question).correct(-usual_cost);
        } else {
            const Question question = pending.question;
            const auto until = pending.waiters.front().until;
            lock.unlock();
            answered = put(question, until);
            lock.lock();
        }
        std::vector<Waiter> waiters = std::move(found->second.waiters);
        ENSURE(waiting_ >= waiters.size(), "whoever waits is counted");
        waiting_ -= waiters.size();
        pending_.erase(found);
        lock.unlock();
        for (const Waiter& waiter : waiters) waiter.done(answered);
        lock.lock();
    }
}

/// Tells those whose patience has ended; the question goes on for those who come later.
void Asker::watch() {
    std::unique_lock lock(mutex_);
    while (waiting_more_.wait(lock, stop_.get_token(), [this] { return waiting_ > 0; })) {
        if (stop_.stop_requested()) return;
        const auto now = clock_.now();
        auto next = now + patience;
        std::vector<Done> late;
        for (auto& [key, pending] : pending_) {
            auto& waiters = pending.waiters;  // in the order of their patience
            auto at = waiters.begin();
            for (; at != waiters.end() && at->until <= now; ++at) late.push_back(std::move(at->done));
            waiters.erase(waiters.begin(), at);
            if (!waiters.empty()) next = std::min(next, waiters.front().until);
        }
        ENSURE(waiting_ >= late.size(), "whoever waits is counted");
        waiting_ -= late.size();
        if (late.empty()) {
            clock_.wait_until(waiting_more_, lock, stop_.get_token(), next, [] { return false; });
            continue;
        }
        lock.unlock();
        for (const Done& done : late) done(false);
        lock.lock();
    }
}

}  // namespace postern::sync
