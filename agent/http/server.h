// What every HTTP server of ours does the same way: limits, its place, its thread.
#pragma once

#include <httplib.h>

#include <chrono>
#include <cstdint>
#include <future>
#include <string_view>
#include <thread>

#include "relay/settings.h"

namespace postern::agent {

/// Few workers with a bounded line before them, one request per connection, two seconds for each wait, and
/// nothing shown of an exception.
void set_limits(httplib::Server& server, std::size_t workers);

/// Binds and gives the port; port 0 takes any free one. Throws std::runtime_error that names the key.
std::uint16_t bind(httplib::Server& server, const relay::HostPort& address, std::string_view key);

/// The thread that accepts. Outlives nothing: stop before the server goes.
class HttpThread {
public:
    explicit HttpThread(httplib::Server& server) : server_(server) {}

    void start();
    /// False when a client still holds a connection after `grace`: the server must then not be destroyed.
    bool stop(std::chrono::milliseconds grace);

private:
    httplib::Server& server_;
    std::thread thread_;
    std::promise<void> ended_;
    std::future<void> end_ = ended_.get_future();
};

}  // namespace postern::agent
