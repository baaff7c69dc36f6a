#include "relay/parts.h"

#include <algorithm>
#include <thread>

#include "relay/delivery/route.h"
#include "relay/net/asio.h"
#include "relay/queue/queue.h"
#include "relay/queue/selection.h"
#include "relay/signing/keyring.h"

namespace postern::relay {

namespace {

constexpr std::chrono::seconds patience{10};  // for a change to get onto the disk
constexpr unsigned loops_by_itself = 16;      // at most, of each kind

std::size_t loops(const Settings& settings) {
    if (settings.threads > 0) return settings.threads;
    return std::clamp(std::thread::hardware_concurrency() / 2, 1u, loops_by_itself);
}

Spool::Options spool_options(const Settings& settings) {
    Spool::Options out;
    out.segment_size = settings.queue.volume_size;
    return out;
}

}  // namespace

RelayParts::RelayParts(SettingsPtr settings, std::shared_ptr<const sync::Snapshot> directory,
                       Observer& observer, const net::Machine& machine)
    : clock(machine.clock),
      disk(machine.disk),
      lock(settings->state_dir),
      reception_loops(event::Area::reception, loops(*settings), observer),
      delivery_loops(event::Area::delivery, loops(*settings), observer),
      durable(clock),
      spool(
          settings->state_dir, clock, disk, spool_options(*settings),
          [this](Committed done) { committed(std::move(done)); },
          [&observer](std::string_view what, bool grave) {
              observer.on(event::Trouble{event::Area::spool, what, grave});
          }),
      volume(machine, *settings, observer),
      marks(marks_for(disk, *settings)),
      screening(machine, *settings, observer),
      answers(observer, volume.watch, clock),
      delivery(
          delivery_loops.ios(), machine, spool, settings, load_keyring(settings->dkim.keys), directory,
          answers, [this](const Envelope& mail) { return volume.suspects(mail); }, marks, screening.returns),
      reception(reception_loops.ios(), machine, spool, volume, screening, settings, marks, directory,
                observer),
      in_force_{std::move(settings), std::move(directory)} {}

/// On the commit thread: one post per batch to each loop.
void RelayParts::committed(Committed done) {
    // Told before anybody else hears of it: what becomes of a message is told later than its acceptance.
    if (!done.error)
        for (auto& one : done.accepted)
            if (one.stored->told) std::exchange(one.stored->told, {})();
    std::vector<StoredPtr> stored = std::move(done.bounces);
    if (!done.error)
        for (auto& one : done.accepted) {
            stored.push_back(one.stored);
            if (one.stored->companion) stored.push_back(std::exchange(one.stored->companion, nullptr));
        }
    auto batch = std::make_shared<Committed>(std::move(done));
    const auto desks = reception_loops.ios();
    for (unsigned desk = 0; desk < desks.size(); ++desk) {
        const auto of_it = [desk](const Committed::Accept& one) { return one.from == desk; };
        if (std::none_of(batch->accepted.begin(), batch->accepted.end(), of_it)) continue;
        asio::post(*desks[desk], [batch, of_it] {
            for (auto& one : batch->accepted)
                if (of_it(one) && one.done) one.done(batch->error);
        });
    }
    durable.reached(batch->durable);
    asio::post(delivery_loops.first().io(), [this, stored = std::move(stored), changes = batch->changes,
                                             unstuck = batch->unstuck]() mutable {
        delivery.committed(std::move(stored), changes, unstuck);
    });
}

void RelayParts::begin() {
    spool.start();
    reception.start();
    asio::post(delivery_loops.first().io(), [this] { delivery.start(); });
}

void RelayParts::start() {
    try {
        begin();
        reception_loops.start();
        delivery_loops.start();
    } catch (...) {
        end_threads();
        throw;
    }
    started_ = true;
}

void RelayParts::stop(std::chrono::seconds grace) {
    if (!started_ || stopped_) return;
    reception_loops.first().finish(reception.stop(grace));
    delivery_loops.first().finish(delivery.stop(grace));
    volume.keep_at_once(true);  // with what receivers answered last
    screening.keep_at_once();
    end_threads();
}

void RelayParts::end_threads() {
    spool.stop();
    stopped_ = true;
    reception_loops.close();
    delivery_loops.close();
    durable.end();
    reception_loops.join();
    delivery_loops.join();
}

void RelayParts::hurry() {
    if (!started_ || stopped_) return;
    asio::post(reception_loops.first().io(), [this] { reception.hurry(); });
    asio::post(delivery_loops.first().io(), [this] { delivery.hurry(); });
}

RelayParts::InForce RelayParts::in_force() {
    const std::lock_guard guard(mutex_);
    return in_force_;
}

void RelayParts::put_in_force(SettingsPtr settings) {
    const std::lock_guard guard(mutex_);
    in_force_.settings = std::move(settings);
}

void RelayParts::put_in_force(std::shared_ptr<const sync::Snapshot> directory) {
    const std::lock_guard guard(mutex_);
    in_force_.directory = std::move(directory);
}

Search::Router RelayParts::router() {
    return [this](const Envelope& envelope, const Address& recipient) {
        const std::lock_guard guard(mutex_);
        return choose_route(*in_force_.settings, *in_force_.directory, envelope, recipient, clock.wall()).key;
    };
}

Applied RelayParts::operate(const QueueFilter& filter,
                            const std::function<Applied(Queue&, const std::vector<MessageId>&)>& work) {
    struct Part {
        Applied applied;
        std::uint64_t change = 0;  // the last that it made
    };
    const Search search(spool, filter, router());
    std::uint64_t last = 0;
    const Applied done = for_each_part(search, [&](const std::vector<MessageId>& ids) {
        const Part part = delivery_loops.first().ask([this, &work, ids] {
            Part out;
            out.applied = work(delivery.queue(), ids);
            delivery.recall();
            delivery.arm();
            out.change = delivery.queue().last_change();
            return out;
        });
        last = std::max(last, part.change);
        return part.applied;
    });
    spool.sync_soon();
    durable.wait(last, patience);
    return done;
}

}  // namespace postern::relay
