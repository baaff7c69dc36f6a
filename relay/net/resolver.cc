#include "relay/net/resolver.h"

#include <unbound.h>

#include <algorithm>
#include <asio/posix/stream_descriptor.hpp>
#include <functional>
#include <random>
#include <stdexcept>
#include <unordered_map>

#include "relay/mail/address.h"

namespace postern::relay::net {

namespace {

constexpr int type_a = 1, type_mx = 15, type_aaaa = 28, class_in = 1;
constexpr std::size_t exchangers_max = 50, addresses_max = 20;

struct FreeResult {
    void operator()(ub_result* result) const { ub_resolve_free(result); }
};
using Result = std::unique_ptr<ub_result, FreeResult>;

struct Answer {
    Lookup status = Lookup::transient;
    Result result;  // when found
    bool secure = false;
    std::string why;
};

/// A domain name in wire form to text; "." for the root. Empty when the octets are no name.
std::string name_of(std::string_view wire) {
    std::string out;
    for (std::size_t at = 0; at < wire.size();) {
        auto length = static_cast<unsigned char>(wire[at]);
        if (length == 0) return out.empty() ? "." : lower(out);
        if (length > 63 || at + 1 + length > wire.size()) return {};
        if (!out.empty()) out += '.';
        out += wire.substr(at + 1, length);
        at += 1u + length;
    }
    return {};
}

}  // namespace

struct Resolver::Impl : std::enable_shared_from_this<Resolver::Impl> {
    using Done = std::function<void(Answer)>;

    struct Question {
        Impl* impl;
        std::uint64_t number;
        int async_id = 0;
        Done done;
        asio::steady_timer timer;
    };

    Impl(io_context& io_, const DnsSettings& settings) : io(io_), timeout(settings.timeout), descriptor(io_) {
        context = ub_ctx_create();
        if (context == nullptr) throw std::runtime_error("the resolver cannot be started");
        // The order is libunbound's: threading, options, stubs, anchors, then the first question.
        ub_ctx_async(context, 1);
        option("do-not-query-localhost:", "no");
        option("cache-max-negative-ttl:", "300");
        for (const auto& server : settings.servers)
            if (ub_ctx_set_fwd(context, server.c_str()) != 0)
                fail("dns.servers: cannot use \"" + server + "\"");
        for (const auto& [zone, server] : settings.stub)
            if (ub_ctx_set_stub(context, zone.c_str(), server.c_str(), 0) != 0)
                fail("dns.stub: cannot use \"" + server + "\" for " + zone);
        std::error_code ignored;
        if (!settings.trust_anchors.empty() && std::filesystem::exists(settings.trust_anchors, ignored) &&
            ub_ctx_add_ta_file(context, settings.trust_anchors.c_str()) != 0)
            fail("dns.trust_anchors: cannot read " + settings.trust_anchors.string());
        descriptor.assign(ub_fd(context));
    }

    ~Impl() {
        descriptor.release();  // the descriptor belongs to the library
        ub_ctx_delete(context);
    }

    [[noreturn]] void fail(const std::string& why) {
        ub_ctx_delete(context);
        throw std::runtime_error(why);
    }

    void option(const char* name, const char* value) { ub_ctx_set_option(context, name, value); }

    void listen() {
        if (listening) return;
        listening = true;
        descriptor.async_wait(asio::posix::stream_descriptor::wait_read,
                              [weak = weak_from_this()](std::error_code error) {
                                  auto self = weak.lock();
                                  if (error || !self) return;
                                  self->listening = false;
                                  ub_process(self->context);
                                  if (!self->questions.empty()) self->listen();
                              });
    }

    static void answered(void* opaque, int error, ub_result* raw) {
        auto* question = static_cast<Question*>(opaque);
        Result result(raw);
        Answer answer;
        if (error != 0) {
            answer.why = ub_strerror(error);
        } else if (result->bogus != 0) {
            // A bogus answer still carries data; it must not be looked at.
            answer.why = "DNSSEC validation failed";
            if (result->why_bogus != nullptr) answer.why += std::string(": ") + result->why_bogus;
        } else if (result->havedata != 0) {
            answer.status = Lookup::found;
            answer.secure = result->secure != 0;
            answer.result = std::move(result);
        } else if (result->nxdomain != 0) {
            answer.status = Lookup::no_name;
            answer.why = "the name does not exist";
        } else if (result->rcode == 0) {
            answer.status = Lookup::no_data;
            answer.why = "the name has no such record";
        } else {
            answer.why = result->rcode == 2
                             ? "the name servers do not answer properly (SERVFAIL)"
                             : "the name servers answer with code " + std::to_string(result->rcode);
        }
        question->impl->finish(question->number, std::move(answer));
    }

    void finish(std::uint64_t number, Answer answer) {
        auto found = questions.find(number);
        if (found == questions.end()) return;
        Done done = std::move(found->second->done);
        questions.erase(found);
        done(std::move(answer));
    }

    void ask(const std::string& name, int type, Done done) {
        std::uint64_t number = ++last;
        auto& question = questions[number];
        question =
            std::make_unique<Question>(Question{this, number, 0, std::move(done), asio::steady_timer(io)});
        question->timer.expires_after(timeout);
        question->timer.async_wait([weak = weak_from_this(), number](std::error_code error) {
            auto self = weak.lock();
            if (error || !self) return;
            auto late = self->questions.find(number);
            if (late == self->questions.end()) return;
            ub_cancel(self->context, late->second->async_id);
            Answer answer;
            answer.why = "the name servers did not answer in time";
            self->finish(number, std::move(answer));
        });
        int error = ub_resolve_async(context, name.c_str(), type, class_in, question.get(), answered,
                                     &question->async_id);
        if (error != 0) {
            Answer answer;
            answer.why = ub_strerror(error);
            asio::post(
                io, [weak = weak_from_this(), number, shared = std::make_shared<Answer>(std::move(answer))] {
                    if (auto self = weak.lock()) self->finish(number, std::move(*shared));
                });
            return;
        }
        listen();
    }

    awaitable<Answer> resolve(std::string name, int type) {
        co_return co_await asio::async_initiate<const asio::use_awaitable_t<>, void(Answer)>(
            [this, &name, type](auto handler) {
                auto shared = std::make_shared<decltype(handler)>(std::move(handler));
                ask(name, type, [shared](Answer answer) { std::move (*shared)(std::move(answer)); });
            },
            asio::use_awaitable);
    }

    io_context& io;
    std::chrono::seconds timeout;
    asio::posix::stream_descriptor descriptor;
    ub_ctx* context = nullptr;
    std::unordered_map<std::uint64_t, std::unique_ptr<Question>> questions;
    std::uint64_t last = 0;
    bool listening = false;
    std::minstd_rand random{std::random_device{}()};
};

Resolver::Resolver(io_context& io, const DnsSettings& settings)
    : impl_(std::make_shared<Impl>(io, settings)) {}

Resolver::~Resolver() {
    // Waiting coroutines hold the Impl and the Impl holds their handlers: what is still open is let go here.
    auto open = std::move(impl_->questions);
    for (auto& [number, question] : open) ub_cancel(impl_->context, question->async_id);
}

awaitable<MxAnswer> Resolver::mx(std::string domain) {
    auto impl = impl_;
    Answer answer = co_await impl->resolve(std::move(domain), type_mx);
    MxAnswer out;
    out.status = answer.status;
    out.secure = answer.secure;
    out.why = std::move(answer.why);
    if (!answer.result) co_return out;
    for (int at = 0; answer.result->data[at] != nullptr && out.exchangers.size() < exchangers_max; ++at) {
        std::string_view record(answer.result->data[at], static_cast<std::size_t>(answer.result->len[at]));
        if (record.size() < 3) continue;
        std::string host = name_of(record.substr(2));
        if (host.empty()) continue;
        auto preference = static_cast<std::uint16_t>(static_cast<unsigned char>(record[0]) << 8 |
                                                     static_cast<unsigned char>(record[1]));
        out.exchangers.push_back(MailExchanger{preference, std::move(host)});
    }
    std::shuffle(out.exchangers.begin(), out.exchangers.end(), impl->random);
    std::stable_sort(
        out.exchangers.begin(), out.exchangers.end(),
        [](const MailExchanger& a, const MailExchanger& b) { return a.preference < b.preference; });
    if (out.exchangers.empty()) {
        out.status = Lookup::transient;
        out.why = "the MX records cannot be read";
    }
    co_return out;
}

awaitable<AddressAnswer> Resolver::addresses(std::string host) {
    auto impl = impl_;
    AddressAnswer out;
    std::error_code error;
    asio::ip::address literal = asio::ip::make_address(host, error);
    if (!error) {
        out.status = Lookup::found;
        out.addresses.push_back(literal);
        co_return out;
    }
    Answer six = co_await impl->resolve(host, type_aaaa);
    Answer four = co_await impl->resolve(host, type_a);
    auto collect = [&out](const Answer& answer, std::size_t length) {
        if (!answer.result) return;
        for (int at = 0; answer.result->data[at] != nullptr && out.addresses.size() < addresses_max; ++at) {
            if (static_cast<std::size_t>(answer.result->len[at]) != length) continue;
            const auto* octets = reinterpret_cast<const unsigned char*>(answer.result->data[at]);
            if (length == 4) {
                asio::ip::address_v4::bytes_type bytes{};
                std::copy_n(octets, 4, bytes.begin());
                out.addresses.emplace_back(asio::ip::address_v4(bytes));
            } else {
                asio::ip::address_v6::bytes_type bytes{};
                std::copy_n(octets, 16, bytes.begin());
                out.addresses.emplace_back(asio::ip::address_v6(bytes));
            }
        }
    };
    collect(six, 16);
    collect(four, 4);
    out.secure = (!six.result || six.secure) && (!four.result || four.secure);
    if (!out.addresses.empty()) {
        out.status = Lookup::found;
    } else if (four.status == Lookup::transient || six.status == Lookup::transient) {
        out.status = Lookup::transient;
        out.why = four.status == Lookup::transient ? four.why : six.why;
    } else {
        out.status = four.status;
        out.why = four.status == Lookup::no_name ? four.why : "the name has no address";
    }
    co_return out;
}

}  // namespace postern::relay::net
