#include "tests/simulation/simulation.h"

namespace postern::simulation {

namespace {

constexpr std::size_t threads = 3;  // of the spool

}  // namespace

Life::Life(Clock& clock, Outside& outside, tests::MemoryDisk& disk, relay::SettingsPtr settings,
           std::shared_ptr<const sync::Snapshot> directory, relay::Observer& observer, std::uint64_t seed,
           const std::optional<Death>& death)
    : clock_(clock), disk_(disk, static_cast<unsigned>(seed)) {
    if (death) disk_.kill_before(death->before, death->then);
    const auto executor = workers_.get_executor();
    const relay::net::Machine machine{clock,
                                      disk_,
                                      outside,
                                      {executor, executor, executor, executor, executor},
                                      static_cast<std::uint32_t>(seed | 1)};
    // Nothing but this waits for anything while it starts.
    clock.let_run(true);
    try {
        parts_ =
            std::make_unique<relay::RelayParts>(std::move(settings), std::move(directory), observer, machine);
    } catch (...) {
        clock.let_run(false);
        throw;
    }
    clock.let_run(false);
    for (io_context* io : parts_->reception_loops.ios()) loops_.push_back({"reception", io});
    for (io_context* io : parts_->delivery_loops.ios()) loops_.push_back({"delivery", io});
    loops_.push_back({"workers", &workers_});
    parts_->begin();
    clock.wait_for_threads(threads);
}

Life::~Life() {
    disk_.kill_before(0, {});  // threads that go on together would not do so in the same order again
    clock_.let_run(true);
    parts_->spool.stop();
    parts_.reset();
    clock_.let_run(false);
}

bool Life::step(Random& random) {
    const std::vector<std::string> ready = clock_.ready();
    const std::size_t ways = loops_.size() + ready.size(), first = random.pick(ways);
    for (std::size_t at = 0; at < ways; ++at) {
        const std::size_t way = (first + at) % ways;
        const bool thread = way >= loops_.size();
        if (thread) {
            last_ = ready[way - loops_.size()];
            clock_.give_turn(last_);
        } else {
            Loop& loop = loops_[way];
            loop.quiet = loop.quiet || loop.io->poll_one() == 0;
            if (loop.quiet) continue;
            last_ = loop.name;
        }
        awake();
        spoke_ = !thread;
        return true;
    }
    return false;
}

void Life::awake() {
    for (Loop& loop : loops_) loop.quiet = false;
}

void Life::stop(std::chrono::seconds grace) {
    if (std::exchange(stopping_, true)) return;
    const auto ended = [this](const std::exception_ptr&) { ++ended_; };
    asio::co_spawn(parts_->reception_loops.first().io(), parts_->reception.stop(grace), ended);
    asio::co_spawn(parts_->delivery_loops.first().io(), parts_->delivery.stop(grace), ended);
}

void Life::hurry() {
    parts_->reception.hurry();
    parts_->delivery.hurry();
}

}  // namespace postern::simulation
