// A resolver that refuses to be asked for DNSSEC keys, and says of anything else that there is no such
// record.
#pragma once

#include <cstdint>
#include <string>
#include <thread>

#include "sync/base/descriptor.h"

namespace postern::tests {

class RefusingServer {
public:
    explicit RefusingServer(std::uint8_t code);  // of the refusal: 2 SERVFAIL, 5 REFUSED
    ~RefusingServer();
    RefusingServer(const RefusingServer&) = delete;
    RefusingServer& operator=(const RefusingServer&) = delete;

    /// As in [dns].
    std::string address() const;

private:
    void answer();

    std::uint8_t code_;
    base::Descriptor socket_;
    std::thread thread_;
};

}  // namespace postern::tests
