// The addresses of a name as the system knows them, without being at the mercy of how long it takes.
#pragma once

#include <netinet/in.h>

#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "sync/base/clock.h"

namespace postern::sync {

struct Addresses {
    std::vector<std::pair<sockaddr_storage, socklen_t>> list;
    int error = 0;  // of getaddrinfo; EAI_SYSTEM: the errno is `system`
    int system = 0;
};

/// The system's look-up cannot be interrupted, so that it has a thread of its own and whoever asked may
/// leave. One that was left behind is waited for by the next call instead of being begun again.
class Lookup final {
public:
    explicit Lookup(const base::Clock& clock) : clock_(clock) {}

    /// nullptr when it is too late or `stop` was requested.
    std::shared_ptr<const Addresses> of(const std::string& host, int port, const std::stop_token& stop,
                                        base::Moment deadline);

private:
    struct Question;
    const base::Clock& clock_;
    std::shared_ptr<Question> open_;
};

}  // namespace postern::sync
