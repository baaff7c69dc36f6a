// A resolver that knows no records, and refuses some questions or does not answer them.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <thread>

#include "sync/base/descriptor.h"

namespace postern::tests {

class RefusingServer {
public:
    static constexpr std::uint8_t no_error = 0, server_failure = 2, refused = 5, dnskey = 48;

    /// The code of the answer to a question of that type, none where there is no answer. Called by the
    /// server's own thread.
    using Rule = std::function<std::optional<std::uint8_t>(std::uint8_t type)>;
    explicit RefusingServer(Rule rule);
    ~RefusingServer();
    RefusingServer(const RefusingServer&) = delete;
    RefusingServer& operator=(const RefusingServer&) = delete;

    /// As in [dns].
    std::string address() const;

private:
    void answer();

    Rule rule_;
    base::Descriptor socket_;
    std::thread thread_;
};

}  // namespace postern::tests
