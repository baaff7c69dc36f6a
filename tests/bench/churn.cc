// Does the spool age? Messages of mixed sizes go through a queue that holds 10,000, then a backlog is built
// up and drained in random order, then the first part is run again. Its commit time and CPU per message
// should be those of the first part, and the backlog's disk space given back. A report, not a verdict.
//
//   churn FOLDER [MESSAGES [BACKLOG [HELD]]]      defaults: 300000 500000 10000
#include <fcntl.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <cstdio>
#include <filesystem>
#include <mutex>
#include <random>
#include <string>
#include <vector>

#include "relay/queue/spool.h"
#include "sync/base/file.h"

namespace {

using namespace postern::relay;
using Steady = std::chrono::steady_clock;

constexpr std::size_t batch = 32;  // messages that arrive together, and as many that leave

double cpu_seconds() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    auto seconds = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

/// Sizes are log-normal around 8 KiB, from 1 KiB to 1 MiB; beyond 256 KiB a content has its own file.
class Mail {
public:
    explicit Mail(std::uint64_t seed) : random_(seed), octets_(1 << 20, 'x') {}

    StoredPtr next(Spool& spool) {
        auto size = static_cast<std::size_t>(std::clamp(std::exp(size_(random_)), 1024.0, 1048576.0));
        auto stored = std::make_shared<Stored>();
        Message& message = stored->message;
        message.id = spool.new_id();
        message.envelope.reverse_path = Address{"sender", "bench.example"};
        message.envelope.forward_paths = {Address{"recipient", "dest.example"}};
        message.content.size = size;
        std::string_view octets(octets_.data(), size);
        message.content.checksum = checksum(octets);
        if (size <= 256 * 1024) {
            message.content.bytes = std::make_shared<const std::string>(octets);
        } else {
            message.content.file = spool.content_file(message.id);
            auto file = postern::base::open_file(message.content.file, O_WRONLY | O_CREAT).value();
            postern::base::write_all(file.get(), octets);
            stored->written = postern::base::disk_file(std::move(file));
        }
        return stored;
    }

private:
    std::mt19937_64 random_;
    std::normal_distribution<> size_{std::log(8192.0), 1.2};
    std::string octets_;
};

class Bench {
public:
    Bench(const std::filesystem::path& dir, std::uint64_t seed)
        : spool_(
              dir, clock_, disk_, {}, [this](Committed done) { committed(done); },
              [](std::string_view what, bool) {
                  std::printf("spool: %.*s\n", static_cast<int>(what.size()), what.data());
              }),
          mail_(seed),
          random_(seed) {
        spool_.start();
    }

    void fill(std::size_t count) {
        for (std::size_t done = 0; done < count; done += batch) arrive(std::min(batch, count - done));
    }
    void drain(std::size_t left) {
        while (held_.size() > left) leave(std::min(batch, held_.size() - left));
        settle();
    }
    void through(const char* name, std::size_t count, std::size_t held) {
        if (held_.size() < held) fill(held - held_.size());
        settle();
        commits_.clear();
        double cpu = cpu_seconds();
        auto begun = Steady::now();
        for (std::size_t done = 0; done < count; done += batch) {
            arrive(batch);
            leave(batch);
        }
        settle();
        report(name, count, cpu, begun);
    }
    void report(const char* name, std::size_t count, double cpu, Steady::time_point begun) {
        std::lock_guard lock(mutex_);
        double wall = std::chrono::duration<double>(Steady::now() - begun).count();
        std::sort(commits_.begin(), commits_.end());
        auto at = [this](double part) {
            return commits_.empty()
                       ? 0
                       : commits_[static_cast<std::size_t>(part * static_cast<double>(commits_.size() - 1))];
        };
        std::printf(
            "%-22s %8zu messages %8.0f/s  cpu %6.1f us/message  commit p50 %.2f p99 %.2f max %.1f ms  disk "
            "%5.0f MiB  held %zu\n",
            name, count, static_cast<double>(count) / wall,
            (cpu_seconds() - cpu) * 1e6 / static_cast<double>(count), at(0.5) / 1e3, at(0.99) / 1e3,
            at(1.0) / 1e3, static_cast<double>(spool_.bytes()) / (1 << 20), held_.size());
        std::fflush(stdout);
        commits_.clear();
    }
    Spool& spool() { return spool_; }

private:
    void committed(const Committed& done) {
        std::lock_guard lock(mutex_);
        if (done.error) std::printf("commit: %s\n", done.error.message().c_str());
        if (!done.accepted.empty()) commits_.push_back(static_cast<double>(done.duration.count()));
        accepted_ += done.accepted.size();
        changes_ = done.changes;
        wake_.notify_all();
    }
    void arrive(std::size_t count) {
        std::uint64_t wanted = 0;
        {
            std::lock_guard lock(mutex_);
            wanted = accepted_ + count;
        }
        for (std::size_t at = 0; at < count; ++at) {
            held_.push_back(mail_.next(spool_));
            spool_.accept(held_.back(), {});
        }
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [&] { return accepted_ >= wanted; });
        for (std::size_t at = held_.size() - count; at < held_.size(); ++at)
            held_[at]->message.content.bytes.reset();
    }
    void leave(std::size_t count) {
        for (std::size_t at = 0; at < count; ++at) {
            std::size_t which = std::uniform_int_distribution<std::size_t>(0, held_.size() - 1)(random_);
            std::swap(held_[which], held_.back());
            StoredPtr stored = std::move(held_.back());
            held_.pop_back();
            Change change;
            change.id = stored->message.id;
            change.file = stored->message.content.file;
            change.done = true;
            spool_.note_delivered(stored->message.id, {0});
            last_change_ = spool_.change(std::move(change));
        }
        std::unique_lock lock(mutex_);
        // As the delivery does: no more may be on its way to the disk than it can take.
        wake_.wait(lock, [&] { return changes_ + 20'000 > last_change_; });
    }
    void settle() {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [&] { return changes_ >= last_change_; });
    }

    std::mutex mutex_;
    std::condition_variable wake_;
    std::vector<double> commits_;  // microseconds
    std::uint64_t accepted_ = 0, changes_ = 0, last_change_ = 0;
    std::vector<StoredPtr> held_;
    postern::base::SystemClock clock_;
    postern::base::SystemDisk disk_;
    Spool spool_;
    Mail mail_;
    std::mt19937_64 random_;
};

}  // namespace

int main(int count, char** arguments) {
    if (count < 2) return std::fprintf(stderr, "usage: churn FOLDER [MESSAGES [BACKLOG [HELD]]]\n"), 64;
    auto number = [&](int at, std::size_t otherwise) {
        return count > at ? std::stoul(arguments[at]) : otherwise;
    };
    std::size_t messages = number(2, 300'000), backlog = number(3, 500'000), held = number(4, 10'000);
    std::filesystem::remove_all(arguments[1]);
    Bench bench(arguments[1], 1);
    bench.through("before the backlog", messages, held);

    double cpu = cpu_seconds();
    auto begun = Steady::now();
    bench.fill(backlog);
    bench.report("backlog arrives", backlog, cpu, begun);
    cpu = cpu_seconds();
    begun = Steady::now();
    bench.drain(held);
    bench.report("backlog drains", backlog, cpu, begun);

    bench.through("after the backlog", messages, held);
    bench.drain(0);
    bench.report("empty", 1, cpu_seconds(), Steady::now());
    return 0;
}
