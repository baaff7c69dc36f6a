// DNS through a validating resolver library. What a delivery needs to know of a name, with the reasons in
// words.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "relay/net/answers.h"
#include "relay/net/asio.h"
#include "relay/settings.h"
#include "sync/base/clock.h"

namespace postern::relay::net {

class Dnssec;
class Outside;

/// Names in UTF-8 are asked for in A-labels (RFC 5891); one that cannot be a name is no_name with the reason.
/// Used from the thread of its io_context. Answers are cached by the library for as long as their TTL says;
/// each question ends within twice `DnsSettings::timeout`. Where the name servers are away, what they said
/// within a day before stands.
class Resolver {
public:
    /// Throws std::runtime_error when a setting cannot be used.
    Resolver(io_context& io, const base::Clock& clock, Outside& outside, const DnsSettings& settings,
             std::uint32_t seed = std::random_device{}());
    /// A copy asks the same way, and may outlive the original: then its questions never end, and whoever
    /// waits for them is destroyed.
    Resolver(const Resolver& other);
    Resolver& operator=(const Resolver&) = delete;
    ~Resolver();

    /// One that asks on behalf of `asker`, a message's id. Who asks much waits behind himself, not others
    /// behind him: at most some 50 of his questions are asked at once.
    Resolver for_asker(std::string asker) const;
    /// Other settings; what is under way is asked anew. Throws as the constructor does, and changes nothing
    /// then.
    void reload(const DnsSettings& settings);
    /// Finds out whether the name servers pass DNSSEC on, and goes on without where they never did: see
    /// dnssec.h. `proven`: it worked before with these settings. `told`: there is something else in dnssec().
    void watch_dnssec(bool proven, std::function<void()> told);
    const Dnssec& dnssec() const;

    awaitable<MxAnswer> mx(std::string domain);
    awaitable<AddressAnswer> addresses(std::string host);  // A and AAAA; an IP literal is its own answer
    awaitable<TlsaAnswer> tlsa(std::string host, std::uint16_t port);  // of _PORT._tcp.HOST
    awaitable<TextAnswer> text(std::string name);
    awaitable<NameAnswer> names(asio::ip::address address);  // PTR

private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
    std::string asker_;
    bool owner_ = false;
};

}  // namespace postern::relay::net
