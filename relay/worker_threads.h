// The threads beside the loops, for what waits for a disk or takes long.
#pragma once

#include <algorithm>
#include <array>
#include <asio/executor_work_guard.hpp>
#include <thread>
#include <vector>

#include "relay/net/asio.h"
#include "relay/net/machine.h"

namespace postern::relay {

/// What is done there uses what whoever asked for it owns: end() comes before that goes.
class WorkerThreads {
public:
    /// Throws std::system_error when the system gives no threads.
    WorkerThreads() = default;

    net::Workers workers() {
        return {writing_.executor(), reading_.executor(), converting_.executor(), keeping_.executor(),
                signing_.executor()};
    }
    /// What is being done is done to its end; what has not begun is not done, and goes, while the loops that
    /// it would have gone on upon are still there.
    void end() {
        const std::array pools{&writing_, &reading_, &converting_, &keeping_, &signing_};
        for (Pool* pool : pools) pool->stop();
        for (Pool* pool : pools) pool->join();
        for (Pool* pool : pools) pool->clear();
    }

private:
    /// Not the library's, which waits for ever for the threads that it has when it gets no more.
    class Pool {
    public:
        explicit Pool(int threads) {
            try {
                while (threads-- > 0) threads_.emplace_back([this] { work_.run(); });
            } catch (...) {
                end();
                throw;
            }
        }
        ~Pool() { end(); }
        Pool(const Pool&) = delete;
        Pool& operator=(const Pool&) = delete;

        asio::any_io_executor executor() { return work_.get_executor(); }
        void stop() { work_.stop(); }
        void join() {
            for (auto& thread : threads_)
                if (thread.joinable()) thread.join();
        }
        void clear() { work_.clear(); }

    private:
        void end() {
            stop();
            join();
        }
        struct Work : net::io_context {
            void clear() { shutdown(); }
        };

        Work work_;
        const asio::executor_work_guard<net::io_context::executor_type> open_{work_.get_executor()};
        std::vector<std::thread> threads_;
    };

    /// As many as can sign at the same time.
    static int processors() {
        return static_cast<int>(std::clamp(std::thread::hardware_concurrency(), 1u, 16u));
    }

    Pool writing_{4}, reading_{4}, converting_{1}, keeping_{1}, signing_{processors()};
};

}  // namespace postern::relay
