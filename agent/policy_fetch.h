// Gets the MTA-STS policies of other domains over HTTPS (RFC 8461 §3.3), one after the other on a thread of
// its own.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace postern::agent {

struct PolicyFetchSettings {
    std::filesystem::path ca_file;  // PEM; empty: the system's store
    std::uint16_t port = 443;
    std::chrono::milliseconds connect{10000};  // to connect to one address
    std::chrono::milliseconds total{60000};    // for one policy
    std::size_t body = 64u << 10;              // octets
    unsigned workers = 4;        // so that a slow server does not hold up the policies of others
    std::size_t waiting = 1000;  // requests in line; more are answered with a fault at once
};

/// A relay::FetchPolicy. All functions may be called from any thread.
class PolicyFetch {
public:
    /// Throws std::runtime_error when the CA file cannot be used.
    explicit PolicyFetch(PolicyFetchSettings settings);
    ~PolicyFetch();  // stop()
    PolicyFetch(const PolicyFetch&) = delete;
    PolicyFetch& operator=(const PolicyFetch&) = delete;

    using Done = std::function<void(std::string body, std::string fault)>;

    /// Gets https://mta-sts.DOMAIN/.well-known/mta-sts.txt from the first of `addresses` (IP literals) that
    /// answers. `done` is called exactly once, on a fetching thread or, when the line is full or stopped,
    /// on the caller's: the body of a 200 of type text/plain, or "" and in words why there is none.
    void operator()(const std::string& domain, const std::vector<std::string>& addresses, Done done);

    /// Interrupts the requests under way; everything in line is answered with a fault. Returns when the last
    /// `done` has returned. Idempotent.
    void stop();

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace postern::agent
