// A name server that takes questions and never answers.
#pragma once

#include <string>

namespace postern::tests {

class SilentServer {
public:
    SilentServer();
    ~SilentServer();
    SilentServer(const SilentServer&) = delete;
    SilentServer& operator=(const SilentServer&) = delete;

    /// As in [dns].
    std::string address() const;

private:
    int socket_;
};

}  // namespace postern::tests
