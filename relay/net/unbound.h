// The validating resolver library in our loop: one question, its answer's octets, and what DNSSEC says of
// them.
#pragma once

#include <asio/posix/stream_descriptor.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "relay/net/asio.h"
#include "relay/net/resolver.h"

struct ub_ctx;
struct ub_result;

namespace postern::relay::net {

enum class RecordType : std::uint8_t { a = 1, cname = 5, ptr = 12, mx = 15, txt = 16, aaaa = 28, tlsa = 52 };

struct DnsAnswer {
    Lookup status = Lookup::transient;
    std::vector<std::string> records;  // RDATA in wire form, at most 100; only when found
    std::string canonical;             // the name at the end of the CNAMEs, lower case, no trailing dot
    bool secure = false;               // data or absence are proven, CNAMEs on the way included
    std::string why;                   // in words, when not found
};

/// A domain name in wire form to text in lower case, "." for the root. Empty when the octets are no host
/// name.
std::string name_of(std::string_view wire);

/// Used from the thread of its io_context. Each question ends within `DnsSettings::timeout`.
class Unbound : public std::enable_shared_from_this<Unbound> {
public:
    /// Throws std::runtime_error when a setting cannot be used.
    Unbound(io_context& io, const DnsSettings& settings);
    ~Unbound();
    Unbound(const Unbound&) = delete;
    Unbound& operator=(const Unbound&) = delete;

    /// `name` is ASCII. The caller keeps this object alive until the answer.
    awaitable<DnsAnswer> ask(std::string name, RecordType type);
    /// Two types of one name at the same time, their answers in the order of the types.
    awaitable<std::tuple<DnsAnswer, DnsAnswer>> ask(std::string name, RecordType one, RecordType other);
    /// Drops the questions under way: what waits for them is destroyed where it stands.
    void close();

private:
    using Done = std::function<void(DnsAnswer)>;

    struct Question {
        Unbound* owner;
        std::uint64_t number;
        int async_id;
        Done done;
        asio::steady_timer timer;
    };

    [[noreturn]] void fail(const std::string& why);
    void watch();
    void start(const std::string& name, RecordType type, Done done);
    void finish(std::uint64_t number, DnsAnswer answer);
    static void answered(void* question, int error, ub_result* result);

    io_context& io_;
    std::chrono::seconds timeout_;
    asio::posix::stream_descriptor descriptor_;
    ub_ctx* context_ = nullptr;
    std::unordered_map<std::uint64_t, std::unique_ptr<Question>> questions_;
    std::uint64_t last_ = 0;
    bool listening_ = false;
};

}  // namespace postern::relay::net
