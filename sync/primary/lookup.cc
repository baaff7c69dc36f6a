#include "sync/primary/lookup.h"

#include <netdb.h>
#include <sys/socket.h>

#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <thread>

namespace postern::sync {

struct Lookup::Question {
    std::mutex mutex;
    std::condition_variable_any answered;
    std::shared_ptr<const Addresses> answer;
};

namespace {

Addresses ask(const std::string& host, int port, int flags) {
    Addresses found;
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICSERV | flags;
    addrinfo* first = nullptr;
    found.error = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &first);
    found.system = errno;
    if (found.error != 0) return found;
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(first, &::freeaddrinfo);
    for (const addrinfo* each = first; each != nullptr; each = each->ai_next) {
        sockaddr_storage address{};
        std::memcpy(&address, each->ai_addr, each->ai_addrlen);
        found.list.emplace_back(address, each->ai_addrlen);
    }
    return found;
}

}  // namespace

std::shared_ptr<const Addresses> Lookup::of(const std::string& host, int port, const std::stop_token& stop,
                                            base::Moment deadline) {
    if (Addresses literal = ask(host, port, AI_NUMERICHOST); literal.error == 0)
        return std::make_shared<const Addresses>(std::move(literal));
    if (!open_) {
        open_ = std::make_shared<Question>();
        std::thread([question = open_, host, port] {
            auto answer = std::make_shared<const Addresses>(ask(host, port, 0));
            const std::lock_guard lock(question->mutex);
            question->answer = std::move(answer);
            question->answered.notify_all();
        }).detach();
    }
    std::unique_lock lock(open_->mutex);
    clock_.wait_until(open_->answered, lock, stop, deadline, [this] { return open_->answer != nullptr; });
    if (!open_->answer) return nullptr;
    auto answer = open_->answer;
    lock.unlock();
    open_.reset();
    return answer;
}

}  // namespace postern::sync
