// A real Redis server of one test.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/unit/sync/fixture.h"

namespace postern::tests {

/// An address of loopback that no other process of tests uses at the same time.
inline std::string own_address() {
    const auto process = static_cast<unsigned>(::getpid());
    return "127." + std::to_string(64 + (process >> 16) % 64) + "." + std::to_string(process >> 8 & 255) +
           "." + std::to_string(process & 255);
}

/// Ends with whoever has it, and keeps nothing.
class RedisServer {
public:
    /// `more`: its options; `port`: which of them says where it listens.
    explicit RedisServer(const std::vector<std::string>& more = {}, const std::string& port = "--port")
        : address_(own_address()), port_(free_port()) {
        std::vector<std::string> words{"redis-server",
                                       "--bind",
                                       address_,
                                       "--port",
                                       "0",
                                       "--save",
                                       "",
                                       "--appendonly",
                                       "no",
                                       "--dir",
                                       folder_.path(),
                                       port,
                                       std::to_string(port_)};
        words.insert(words.end(), more.begin(), more.end());
        std::vector<char*> arguments;
        for (std::string& word : words) arguments.push_back(word.data());
        arguments.push_back(nullptr);
        int said[2];
        if (::pipe2(said, O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
        process_ = ::fork();
        if (process_ == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            ::dup2(said[1], STDOUT_FILENO);
            ::dup2(said[1], STDERR_FILENO);
            ::execvp(arguments.front(), arguments.data());
            ::_exit(127);
        }
        ::close(said[1]);
        log_ = said[0];
        std::string log;
        while (log.find("Ready to accept connections") == log.npos) {
            char octets[4096];
            const ssize_t got = ::read(log_, octets, sizeof octets);
            if (got <= 0) throw std::runtime_error("redis-server has not started: " + log);
            log.append(octets, static_cast<std::size_t>(got));
        }
    }
    ~RedisServer() {
        ::kill(process_, SIGKILL);
        ::waitpid(process_, nullptr, 0);
        ::close(log_);
    }
    RedisServer(const RedisServer&) = delete;
    RedisServer& operator=(const RedisServer&) = delete;

    std::string where() const { return address_ + ":" + std::to_string(port_); }

private:
    std::uint16_t free_port() const {
        const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        ::inet_pton(AF_INET, address_.c_str(), &address.sin_addr);
        socklen_t size = sizeof address;
        auto* const any = reinterpret_cast<sockaddr*>(&address);
        const bool bound = ::bind(socket, any, size) == 0 && ::getsockname(socket, any, &size) == 0;
        ::close(socket);
        if (!bound) throw std::runtime_error("cannot bind " + address_);
        return ntohs(address.sin_port);
    }

    Folder folder_;
    std::string address_;
    std::uint16_t port_;
    pid_t process_ = -1;
    int log_ = -1;
};

}  // namespace postern::tests
