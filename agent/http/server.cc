#include "agent/http/server.h"

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string>

#include "agent/http/task_queue.h"
#include "agent/machine/address_text.h"

namespace postern::agent {
namespace {

constexpr std::size_t most_waiting = 64;

}  // namespace

void set_limits(httplib::Server& server, std::size_t workers) {
    server.new_task_queue = [workers] { return new BoundedTaskQueue(workers, most_waiting); };
    server.set_keep_alive_max_count(1);
    server.set_keep_alive_timeout(2);
    server.set_read_timeout(2);
    server.set_write_timeout(2);
    server.set_tcp_nodelay(true);
    server.set_socket_options(
        [](socket_t socket) {  // the library's own would share the port with another process
            const int on = 1;
            setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        });
    server.set_exception_handler(
        [](const httplib::Request&, httplib::Response& response, const std::exception_ptr&) {
            response.status = 500;
            response.set_content("", "text/plain");
        });
}

std::uint16_t bind(httplib::Server& server, const relay::HostPort& address, std::string_view key) {
    errno = 0;
    int port = 0;
    if (address.port == 0)
        port = server.bind_to_any_port(address.host);
    else if (server.bind_to_port(address.host, address.port))
        port = address.port;
    if (port <= 0)
        throw std::runtime_error(std::string(key) + ' ' + format_host_port(address) + " cannot be bound" +
                                 (errno ? std::string(": ") + std::strerror(errno) : ""));
    return static_cast<std::uint16_t>(port);
}

void HttpThread::start() {
    thread_ = std::thread([this] {
        server_.listen_after_bind();
        ended_.set_value();
    });
}

bool HttpThread::stop(std::chrono::milliseconds grace) {
    if (!thread_.joinable()) return true;
    while (!server_.is_running() &&
           end_.wait_for(std::chrono::milliseconds(1)) != std::future_status::ready) {
    }
    server_.stop();
    if (end_.wait_for(grace) != std::future_status::ready) return false;
    thread_.join();
    return true;
}

}  // namespace postern::agent
