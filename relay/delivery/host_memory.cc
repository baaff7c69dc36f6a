#include "relay/delivery/host_memory.h"

#include <algorithm>
#include <utility>

namespace postern::relay {

namespace {

constexpr std::chrono::minutes bad_longest{15};
// After which TLS that failed is tried again.
constexpr std::chrono::minutes tls_first{1}, tls_longest{60};
constexpr std::size_t hosts_max = 200;  // of each kind

}  // namespace

void HostMemory::failed(const net::Endpoint& host, Time now, std::chrono::milliseconds pause) {
    Bad& bad = bad_[host];
    ++bad.times;
    bad.until = now + std::min<std::chrono::milliseconds>(bad_longest, pause);
}

unsigned HostMemory::failures(const net::Endpoint& host) const {
    auto bad = bad_.find(host);
    return bad == bad_.end() ? 0 : bad->second.times;
}

bool HostMemory::doubtful(const net::Endpoint& host, Time now) const {
    auto bad = bad_.find(host);
    return bad != bad_.end() && bad->second.until > now;
}

void HostMemory::tls_worked(const net::Endpoint& host) {
    if (tls_works_.size() > hosts_max) tls_works_.clear();
    tls_works_.insert(host);
    tls_failed_.erase(host);
}

void HostMemory::tls_failed(const net::Endpoint& host, Time now, std::string why) {
    if (tls_failed_.size() > hosts_max) tls_failed_.clear();
    TlsFailure& failure = tls_failed_[host];
    failure.until =
        now + std::min<Time::duration>(tls_longest, tls_first * (1u << std::min(failure.times, 9u)));
    ++failure.times;
    failure.why = std::move(why);
}

std::string HostMemory::tls_fault(const net::Endpoint& host, Time now) const {
    auto failure = tls_failed_.find(host);
    return failure != tls_failed_.end() && failure->second.until > now ? failure->second.why : std::string();
}

void HostMemory::trim() {
    if (bad_.size() > hosts_max) bad_.clear();
}

}  // namespace postern::relay
