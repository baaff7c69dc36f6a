// The validating resolver library in our loop: one question, its answer's octets, and what DNSSEC says of
// them.
#pragma once

#include <asio/posix/stream_descriptor.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>

#include "relay/net/asio.h"
#include "relay/net/name_service.h"
#include "relay/settings.h"

struct ub_ctx;
struct ub_result;

namespace postern::relay::net {

class Unbound final : public NameService, public std::enable_shared_from_this<Unbound> {
public:
    /// Throws std::runtime_error when a setting cannot be used.
    Unbound(io_context& io, const DnsSettings& settings);
    ~Unbound() override;

    void ask(const std::string& name, RecordType type, Done done) override;
    /// A share of the descriptors this process may open.
    std::size_t at_once() const override { return at_once_; }
    void close() override;

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
