// Who has signed in to gateway mode: tokens, their ends, and who fails too often.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "sync/base/clock.h"

namespace postern::agent {

/// What a sign-in gives: two random secrets (256 bits each) and when they end.
struct Tokens {
    std::string access, refresh;  // `access` has the three parts of a JSON Web Token, as clients expect
    base::Time access_ends, refresh_ends;
};

/// The tokens in force; a new one beyond the most there may be ends the oldest. One thread at a time.
class Sessions {
public:
    using Time = base::Time;
    static constexpr std::size_t most = 64;
    static constexpr std::chrono::minutes access_life{15}, refresh_life{120};

    /// Throws std::runtime_error when the system gives no random numbers.
    Tokens begin(Time now);
    bool valid(std::string_view access, Time now) const;
    /// New tokens for a refresh token, which ends with its access token; nullopt when it is not in force.
    std::optional<Tokens> renew(std::string_view refresh, Time now);
    void clear() { sessions_.clear(); }

private:
    std::deque<Tokens> sessions_;  // oldest first
};

/// Makes guessing slow: from the fourth failure on a client has to wait, 1 s, then twice as long each time up
/// to 30 s. A success or ten quiet minutes start it anew. One thread at a time.
class LoginThrottle {
public:
    using Time = base::Moment;
    static constexpr std::size_t most_clients = 256;

    /// How long the client's next attempt is refused unseen; zero when it may try.
    std::chrono::seconds wait(const std::string& client, Time now) const;
    void failed(const std::string& client, Time now);
    void succeeded(const std::string& client) { clients_.erase(client); }

private:
    struct Record {
        unsigned failures = 0;
        Time last, until;
    };
    std::map<std::string, Record> clients_;
};

}  // namespace postern::agent
