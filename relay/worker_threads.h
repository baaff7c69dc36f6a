// The threads beside the loops, for what waits for a disk or takes long.
#pragma once

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
    /// What is being done is done to its end, what has not begun is not done.
    void end() {
        for (asio::thread_pool* pool : {&writing_, &reading_, &converting_, &keeping_}) pool->stop();
        for (asio::thread_pool* pool : {&writing_, &reading_, &converting_, &keeping_}) pool->join();
    }

private:
    asio::thread_pool writing_{4}, reading_{4}, converting_{1}, keeping_{1};
};

}  // namespace postern::relay
