#include "relay/queue/spool.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "relay/queue/checkpoint.h"
#include "relay/queue/journal.h"
#include "relay/queue/upkeep.h"
#include "sync/base/file_fault.h"

namespace postern::relay {

Spool::Spool(const std::filesystem::path& dir, const base::Clock& clock, base::Disk& disk, Options options,
             std::function<void(Committed)> committed, Report report)
    : dir_(dir / "spool"),
      contents_(dir_ / "content"),
      clock_(clock),
      disk_(disk),
      options_(options),
      committed_(std::move(committed)),
      report_(std::move(report)),
      damaged_(disk, dir / "damaged"),
      holdings_(std::make_unique<Holdings>()) {
    if (auto error = disk_.make_folder(contents_))
        throw std::runtime_error("state_dir: cannot create " + base::file_fault(contents_, error));
    open();
    notes_.emplace(
        clock_, [this](const std::vector<Note>& notes) { return note(notes); },
        [this](const std::error_code& error) { tell_of_notes(error); });
}

Spool::~Spool() {
    stop();
    notes_.reset();  // its thread tells what goes wrong, of what is destroyed before it
}

// ---- accepting

MessageId Spool::new_id() {
    std::uint64_t now = MessageId::first_at(clock_.wall()).value;
    std::uint64_t last = last_id_.load();
    while (!last_id_.compare_exchange_weak(last, std::max(last + 1, now))) {
    }
    return MessageId{std::max(last + 1, now)};
}

void Spool::accept(StoredPtr stored, std::function<void(std::error_code)> done, unsigned from) {
    if (stored->message.arrived == Time{}) stored->message.arrived = clock_.wall();
    std::unique_lock lock(mutex_);
    if (stopping_ && !running_) {
        lock.unlock();
        if (done) done(std::make_error_code(std::errc::operation_canceled));
        return;
    }
    accepts_.push_back(Committed::Accept{std::move(stored), std::move(done), from});
    if (!gathering_ || arriving_ <= stalled_ || accepts_.size() >= batch_messages) wake_.notify_one();
}

void Spool::arriving(int difference) {
    std::lock_guard lock(mutex_);
    arriving_ += difference;
    stalled_ = std::min(stalled_, arriving_);
    if (gathering_ && difference < 0 && arriving_ <= stalled_) wake_.notify_one();
}

std::string Spool::unhealthy() const {
    std::lock_guard lock(mutex_);
    return unhealthy_;
}

std::string Spool::want(std::uint64_t minimum_free) const {
    const std::string disk = "the disk of " + dir_.parent_path().string();
    if (stuck())
        return "what was delivered cannot be written down on " + disk +
               ", so deliveries pause; the trouble in the log says why";
    auto free = room();
    if (!free)
        return "no mail is taken, since " + disk +
               " does not tell how much room it has: " + base::file_fault(dir_, free.error());
    if (*free >= minimum_free) return {};
    return "no mail is taken, since " + disk + " has " + std::to_string(*free >> 20) +
           " MiB left, or no inodes, and accept.minimum_free wants " + std::to_string(minimum_free >> 20) +
           " MiB: make room";
}

std::uint64_t Spool::change(Change change) {
    std::lock_guard lock(mutex_);
    if (changes_.empty()) {
        changes_since_ = clock_.now();
        if (accepts_.empty()) wake_.notify_one();
    }
    if (change.bounce && change.bounce->message.arrived == Time{})
        change.bounce->message.arrived = clock_.wall();
    changes_.push_back(Numbered{++last_change_, std::move(change)});
    if (changes_.size() == group_changes) wake_.notify_one();
    return last_change_;
}

void Spool::sync_soon() {
    std::lock_guard lock(mutex_);
    sync_wanted_ = true;
    wake_.notify_one();
}

}  // namespace postern::relay
