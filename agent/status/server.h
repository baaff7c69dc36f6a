// Who may ask what of the running gateway, and where: the status endpoint (TCP) and the commands' socket.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "agent/settings/settings.h"
#include "agent/status/control.h"
#include "sync/base/clock.h"

namespace postern::agent {

/// What a reload can change.
struct StatusTerms {
    std::string token;     // empty: nobody can show it
    std::string no_token;  // why there is none, for who asks; "" when there is one
    bool reads_need_token = false;
};

struct StatusPlaces {
    relay::HostPort address;       // for browsers, monitoring and programs
    std::filesystem::path socket;  // for the commands, and the one beside it for those of others; empty: none
    uid_t account = 0;             // besides root, whose commands may change things
};

/// Serves on its own threads. A place that cannot be had is told to `trouble` and tried again every few
/// seconds: mail does not depend on it. Takes no request bodies, one request per connection.
class StatusServer {
public:
    using Trouble = std::function<void(const std::string& where, const std::string& text)>;

    StatusServer(StatusPlaces places, StatusTerms terms, Control control, const Trouble& trouble,
                 const base::Clock& clock);
    ~StatusServer();
    StatusServer(const StatusServer&) = delete;
    StatusServer& operator=(const StatusServer&) = delete;

    void start();
    /// False when what a client asked for still goes on after `grace`: the server must then not be destroyed.
    bool stop(std::chrono::milliseconds grace);

    void reload(StatusTerms terms);  // any thread
    /// Places that are not open, and why there is no token, in words; any thread.
    std::vector<std::string> troubles() const;
    std::uint16_t port() const;  // of the endpoint; 0 while it is not open

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace postern::agent
