#include "relay/queue/notes.h"

#include <iterator>
#include <utility>

#include "sync/base/file_fault.h"
#include "sync/base/thread_name.h"

namespace postern::relay {

namespace {

constexpr std::chrono::seconds patience{1};  // until something noted should be written
constexpr std::chrono::seconds again{1};     // after a shortage
/// Before what came meanwhile is written: to wake the thread for each note costs more than to write it.
constexpr std::chrono::microseconds company_for{500};

/// What is kept until it can be written.
bool is_shortage(const std::error_code& error) { return base::is_passing(error) || base::is_full(error); }

}  // namespace

Notes::Notes(const base::Clock& clock, Write write, Tell tell)
    : clock_(clock), write_(std::move(write)), tell_(std::move(tell)), thread_([this] { run(); }) {}

Notes::~Notes() {
    {
        std::lock_guard lock(mutex_);
        stopping_ = true;
        wake_.notify_one();
    }
    thread_.join();
}

void Notes::add(Note note) {
    std::lock_guard lock(mutex_);
    if (waiting_since_ == 0) waiting_since_ = clock_.now().time_since_epoch().count();
    notes_.push_back(std::move(note));
    if (!busy_ && !short_) wake_.notify_one();
}

bool Notes::behind() const {
    const base::Moment::rep since = waiting_since_;
    return since != 0 && clock_.now() - base::Moment(base::Moment::duration(since)) > patience;
}

void Notes::wait() {
    std::unique_lock lock(mutex_);
    ++waiters_;
    wake_.notify_one();
    clock_.wait_until(done_, lock, {}, base::Moment::max(),
                      [this] { return (notes_.empty() && !busy_) || short_; });
    --waiters_;
}

void Notes::run() {
    base::name_thread("spool-notes");
    std::unique_lock lock(mutex_);
    for (;;) {
        if (short_)
            clock_.wait_until(wake_, lock, {}, clock_.now() + again, [this] { return stopping_; });
        else
            clock_.wait_until(wake_, lock, {}, base::Moment::max(),
                              [this] { return stopping_ || !notes_.empty(); });
        if (notes_.empty()) {
            done_.notify_all();
            if (stopping_) return;
            continue;
        }
        auto notes = std::exchange(notes_, {});
        busy_ = true;
        lock.unlock();
        std::error_code error = write_(notes), given_up;
        if (error && !is_shortage(error)) given_up = std::exchange(error, {});
        lock.lock();
        if (error)
            notes_.insert(notes_.begin(), std::make_move_iterator(notes.begin()),
                          std::make_move_iterator(notes.end()));
        else
            clock_.wait_until(wake_, lock, {}, clock_.now() + company_for,
                              [this] { return stopping_ || waiters_ > 0; });
        busy_ = false;
        const bool was_short = std::exchange(short_, bool(error)), late = behind();
        waiting_since_ = error ? 1 : notes_.empty() ? 0 : clock_.now().time_since_epoch().count();
        done_.notify_all();
        if (given_up || short_ != was_short || (!error && late)) {
            lock.unlock();
            if (given_up) tell_(given_up);
            if (bool(error) != was_short || (!error && late)) tell_(error);
            lock.lock();
        }
        if (error && stopping_) return;
    }
}

}  // namespace postern::relay
