// The validating resolver library in our loop: one question, its answer's octets, and what DNSSEC says of
// them. Nothing here waits its turn or ends in time: `Questions` sees to that.
#pragma once

#include <asio/posix/stream_descriptor.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "relay/net/answers.h"
#include "relay/net/asio.h"
#include "relay/settings.h"

struct ub_ctx;
struct ub_result;

namespace postern::relay::net {

enum class RecordType : std::uint8_t {
    a = 1,
    ns = 2,
    cname = 5,
    ptr = 12,
    mx = 15,
    txt = 16,
    aaaa = 28,
    dnskey = 48,
    tlsa = 52,
};

struct DnsAnswer {
    Lookup status = Lookup::transient;
    std::vector<std::string> records;  // RDATA in wire form, at most 100; only when found
    std::string canonical;             // the name at the end of the CNAMEs, lower case, no trailing dot
    bool secure = false;               // data or absence are proven, CNAMEs on the way included
    bool bogus = false;                // transient, because DNSSEC says that it was tampered with
    bool silent = false;               // transient, because nobody answered in time
    bool lacking = false;              // transient, because this machine had nothing left to ask with
    std::string why;                   // in words, when not found
    bool has_signatures = false;       // of DNSKEY: RRSIG records came with it, whatever they are worth
};

/// Used from the thread of its io_context.
class Unbound : public std::enable_shared_from_this<Unbound> {
public:
    using Done = std::function<void(DnsAnswer)>;

    /// Throws std::runtime_error when a setting cannot be used.
    Unbound(io_context& io, const DnsSettings& settings);
    ~Unbound();
    Unbound(const Unbound&) = delete;
    Unbound& operator=(const Unbound&) = delete;

    /// `name` is ASCII. `done` comes once, from the loop, when the library has an answer or gives up: that
    /// may take longer than anybody wants to wait.
    void ask(const std::string& name, RecordType type, Done done);
    /// Questions it is fit for at the same time: a share of the descriptors this process may open.
    std::size_t at_once() const { return at_once_; }
    /// Drops the questions under way; their `done` never comes.
    void close();

private:
    struct Question {
        Unbound* owner;
        std::uint64_t number;
        int async_id;
        std::string name;
        Done done;
    };

    void set_up(const DnsSettings& settings);
    void first_question();
    void set_option(const char* name, const std::string& value);
    void watch();
    void finish(std::uint64_t number, DnsAnswer answer);
    static void answered(void* question, int error, ub_result* result);

    io_context& io_;
    asio::posix::stream_descriptor descriptor_;
    std::shared_ptr<ub_ctx> context_;
    std::size_t at_once_ = 0;
    std::unordered_map<std::uint64_t, std::unique_ptr<Question>> questions_;
    std::uint64_t last_ = 0;
    bool listening_ = false;
};

}  // namespace postern::relay::net
