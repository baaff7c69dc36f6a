// Asks one primary about single addresses that the directory does not know, on a connection of its own.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "sync/base/token_bucket.h"
#include "sync/directory/learned.h"
#include "sync/polling/quiet.h"
#include "sync/primary/primary.h"

namespace postern::sync {

struct Question {
    std::string local_part, domain;  // as in Answer
    std::string spelling;            // of the domain, as the primary writes it
    bool unlisted = false;           // the domain is in no list of domains yet
};

/// All members may be called from any thread. One thing: who waits, for what, and whether it may still be
/// asked are under one lock.
class Asker final {
public:
    using Connect = std::function<std::unique_ptr<Primary>(std::stop_token)>;
    using Learn = std::function<void(Answer)>;  // called before those who wait are told

    static constexpr std::chrono::seconds patience{2};  // of those who wait
    /// Requests, about addresses in domains that it has, and in those it is not known to have: anybody can
    /// name any number of these.
    static constexpr base::TokenBucket::Rate listed_rate{std::chrono::milliseconds(500),
                                                         std::chrono::seconds(20)};
    static constexpr base::TokenBucket::Rate unlisted_rate{std::chrono::seconds(2), std::chrono::seconds(24)};

    /// Connects at the first question.
    Asker(Connect connect, Learn learn, const base::Clock& clock);
    ~Asker();  // tells all who wait
    Asker(const Asker&) = delete;
    Asker& operator=(const Asker&) = delete;

    /// `done` is called exactly once, within `patience`, on any thread, and told whether the primary has
    /// answered: at once when the question cannot be put, because the primary does not answer, refuses the
    /// credentials or was asked enough. Questions about unlisted domains have a small budget of their own.
    using Done = std::function<void(bool answered)>;
    void ask(Question question, Done done);

    /// See Quiet.
    void heard(bool refused, Time last_success);

private:
    using Key = std::pair<std::string, std::string>;
    struct Waiter {
        base::Moment until;
        Done done;
    };
    struct Pending {
        Question question;
        std::vector<Waiter> waiters;
    };

    bool open(base::Moment now);
    void work();
    void watch();
    bool put(const Question& question, base::Moment until);
    base::TokenBucket& budget_of(const Question& question) { return question.unlisted ? unlisted_ : listed_; }
    std::vector<Done> take_all();

    Connect connect_;
    Learn learn_;
    const base::Clock& clock_;
    std::unique_ptr<Primary> primary_;  // the working thread's alone
    std::stop_source stop_;

    std::mutex mutex_;  // guards what follows
    std::condition_variable_any asked_, waiting_more_;
    std::map<Key, Pending> pending_;
    std::deque<Key> queue_;  // not put yet
    std::size_t waiting_ = 0;
    base::TokenBucket listed_{listed_rate}, unlisted_{unlisted_rate};
    Quiet quiet_;

    std::thread worker_, watcher_;
};

}  // namespace postern::sync
