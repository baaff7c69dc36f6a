// The threads beside the loops, for what waits for a disk or takes long.
#pragma once

#include <array>
#include <asio/thread_pool.hpp>

#include "relay/net/machine.h"

namespace postern::relay {

/// What is done there uses what whoever asked for it owns: end() comes before that goes.
class WorkerThreads {
public:
    net::Workers workers() {
        return {writing_.get_executor(), reading_.get_executor(), converting_.get_executor(),
                keeping_.get_executor()};
    }
    /// What is being done is done to its end; what has not begun is not done, and goes, while the loops that
    /// it would have gone on upon are still there.
    void end() {
        const std::array pools{&writing_, &reading_, &converting_, &keeping_};
        for (Pool* pool : pools) pool->stop();
        for (Pool* pool : pools) pool->join();
        for (Pool* pool : pools) pool->clear();
    }

private:
    struct Pool : asio::thread_pool {
        using thread_pool::thread_pool;
        void clear() { shutdown(); }
    };

    Pool writing_{4}, reading_{4}, converting_{1}, keeping_{1};
};

}  // namespace postern::relay
