// What the primary's own "SmarterMail gateway mode" may ask of us: requests in, answers out, nothing about
// sockets.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/gateway_mode/sessions.h"
#include "agent/http/answer.h"
#include "agent/log/gateway_mode_event.h"
#include "sync/base/clock.h"

namespace postern::agent {

/// A user name and its password, only to be compared with others in constant time.
class Credentials {
public:
    Credentials() = default;
    Credentials(std::string_view user, std::string_view password);
    friend bool operator==(const Credentials& a, const Credentials& b);

private:
    std::array<unsigned char, 64> digests_{};
};

struct GatewayModeRequest {
    std::string method, path;  // path decoded, without the query
    bool description = false;  // the query is "wsdl"
    std::string client;        // its IP address
    std::string bearer;        // token shown, "" for none
    std::string location;      // our own address as the client sees it, "https://gw1.example.net:9998"
    std::string body;
};

class GatewayMode {
public:
    /// `messages` gives how many the spool holds; `tell` is called for each request, by several threads.
    GatewayMode(std::string user, Credentials credentials, std::function<std::uint64_t()> messages,
                std::function<void(const GatewayModeEvent&)> tell, const base::Clock& clock);

    /// Other credentials end all sessions. Thread-safe, as is respond().
    void reload(std::string user, const Credentials& credentials);

    /// Exceptions of `messages` pass through.
    Answer respond(const GatewayModeRequest& request);

private:
    enum class Login : std::uint8_t { good, refused, too_often };

    Answer soap(const GatewayModeRequest& request, const std::string& service);
    Answer rest(const GatewayModeRequest& request, const std::string& endpoint);
    Answer sign_in(const GatewayModeRequest& request);
    Answer renew(const GatewayModeRequest& request);
    std::vector<std::pair<std::string, std::string>> status(const std::vector<std::string>& wanted) const;
    Login login(const std::string& client, const Credentials& shown);
    Answer told(const GatewayModeRequest& request, std::string_view operation, GatewayModeOutcome outcome,
                Answer answer) const;

    const std::function<std::uint64_t()> messages_;
    const std::function<void(const GatewayModeEvent&)> tell_;
    const base::Clock& clock_;
    const base::Moment started_ = clock_.now();
    std::mutex mutex_;  // over what follows
    std::string user_;
    Credentials credentials_;
    Sessions sessions_;
    LoginThrottle throttle_;
};

}  // namespace postern::agent
