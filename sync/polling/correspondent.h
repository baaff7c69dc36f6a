// Puts the questions to one primary on a thread of their own, so that one that is slow to answer, or never
// comes to an end, keeps no other waiting.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>
#include <variant>
#include <vector>

#include "sync/base/clock.h"
#include "sync/primary/primary.h"

namespace postern::sync {

/// Used by one thread, with one question at a time.
class Correspondent final {
public:
    using Connect = std::function<std::unique_ptr<Primary>(std::stop_token)>;
    using Listing = Result<std::vector<ListedDomain>>;
    using Reading = Result<DomainReading>;
    struct Answer {
        std::variant<Listing, Reading> content;
        base::Moment::duration took{0};
        std::uint64_t requests = 0;  // that it cost
    };

    /// `told` is called on the thread when an answer can be taken; without it there is no thread, and answers
    /// are there when the question was put. Throws what `connect` does.
    Correspondent(const Connect& connect, const base::Clock& clock, std::function<void()> told);
    /// Interrupts what is under way.
    ~Correspondent();
    Correspondent(const Correspondent&) = delete;
    Correspondent& operator=(const Correspondent&) = delete;

    /// `gap`: between two requests, beginning with those of this question.
    void list(std::chrono::milliseconds gap);
    /// `first`: nothing is known of the domain yet, so that it is read in a hurry.
    void read(DomainRecord known, bool first, std::chrono::milliseconds gap);

    /// A question was put, and its answer not taken.
    bool waiting() const { return waiting_; }
    std::optional<Answer> take();

    std::uint64_t requests() const { return requests_; }  // as of the last answer taken

    /// Interrupts what is under way. Nothing is asked after it.
    void interrupt() { stop_.request_stop(); }

private:
    using Question = std::function<std::variant<Listing, Reading>()>;

    void ask(Question question);
    Answer answer(const Question& question);
    void work();

    const base::Clock& clock_;
    std::stop_source stop_;
    std::unique_ptr<Primary> primary_;  // the thread's alone while an answer is waited for
    std::function<void()> told_;
    bool waiting_ = false;
    std::uint64_t requests_ = 0;

    std::mutex mutex_;  // guards what follows
    std::condition_variable_any asked_;
    Question question_;  // not taken up yet
    std::optional<Answer> answer_;

    std::thread thread_;
};

}  // namespace postern::sync
