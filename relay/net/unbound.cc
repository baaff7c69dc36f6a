#include "relay/net/unbound.h"

#include <unbound.h>

#include <stdexcept>

#include "relay/mail/address.h"

namespace postern::relay::net {

namespace {

constexpr int class_in = 1, rcode_servfail = 2;
constexpr std::size_t records_max = 100;

struct FreeResult {
    void operator()(ub_result* result) const { ub_resolve_free(result); }
};

DnsAnswer read(const ub_result& result) {
    DnsAnswer answer;
    if (result.bogus != 0) {
        // A bogus answer still carries data; it must not be looked at.
        answer.why = "DNSSEC validation failed";
        if (result.why_bogus != nullptr) answer.why += std::string(": ") + result.why_bogus;
        return answer;
    }
    answer.secure = result.secure != 0;
    if (result.havedata != 0) {
        answer.status = Lookup::found;
        for (int at = 0; result.data[at] != nullptr && answer.records.size() < records_max; ++at)
            answer.records.emplace_back(result.data[at], static_cast<std::size_t>(result.len[at]));
        answer.canonical = lower(result.canonname != nullptr ? result.canonname : result.qname);
        if (answer.canonical.size() > 1 && answer.canonical.ends_with('.')) answer.canonical.pop_back();
    } else if (result.nxdomain != 0) {
        answer.status = Lookup::no_name;
        answer.why = "the name does not exist";
    } else if (result.rcode == 0) {
        answer.status = Lookup::no_data;
        answer.why = "the name has no such record";
    } else {
        answer.secure = false;
        answer.why = result.rcode == rcode_servfail
                         ? "the name servers do not answer properly (SERVFAIL)"
                         : "the name servers answer with code " + std::to_string(result.rcode);
    }
    return answer;
}

DnsAnswer failed(int error) {
    DnsAnswer answer;
    if (error == UB_SYNTAX) {
        answer.status = Lookup::no_name;
        answer.why = "cannot be a domain name";
    } else {
        answer.why = ub_strerror(error);
    }
    return answer;
}

}  // namespace

std::string name_of(std::string_view wire) {
    std::string out;
    for (std::size_t at = 0; at < wire.size();) {
        const auto length = static_cast<unsigned char>(wire[at]);
        if (length == 0) {
            if (out.empty()) return ".";
            return is_domain_name(out) ? lower(out) : std::string();
        }
        if (length > 63 || at + 1 + length > wire.size()) return {};
        const std::string_view label = wire.substr(at + 1, length);
        if (label.find('.') != std::string_view::npos) return {};
        if (!out.empty()) out += '.';
        out += label;
        at += 1u + length;
    }
    return {};
}

Unbound::Unbound(io_context& io, const DnsSettings& settings)
    : io_(io), timeout_(settings.timeout), descriptor_(io), context_(ub_ctx_create()) {
    if (context_ == nullptr) throw std::runtime_error("the resolver cannot be started");
    // The order is libunbound's: threading, options, stubs, anchors, then the first question.
    ub_ctx_async(context_, 1);
    ub_ctx_set_option(context_, "do-not-query-localhost:", "no");
    ub_ctx_set_option(context_, "cache-max-negative-ttl:", "300");
    for (const auto& server : settings.servers)
        if (ub_ctx_set_fwd(context_, server.c_str()) != 0) fail("dns.servers: cannot use \"" + server + "\"");
    for (const auto& [zone, server] : settings.stub)
        if (ub_ctx_set_stub(context_, zone.c_str(), server.c_str(), 0) != 0)
            fail("dns.stub: cannot use \"" + server + "\" for " + zone);
    std::error_code ignored;
    if (!settings.trust_anchors.empty() && std::filesystem::exists(settings.trust_anchors, ignored) &&
        ub_ctx_add_ta_file(context_, settings.trust_anchors.c_str()) != 0)
        fail("dns.trust_anchors: cannot read " + settings.trust_anchors.string());
    descriptor_.assign(ub_fd(context_));
}

Unbound::~Unbound() {
    descriptor_.release();  // the descriptor belongs to the library
    ub_ctx_delete(context_);
}

void Unbound::fail(const std::string& why) {
    ub_ctx_delete(context_);
    throw std::runtime_error(why);
}

/// Listens while there is a question, and no longer: a wait without one would keep the loop from ending.
void Unbound::watch() {
    if (listening_ == !questions_.empty()) return;
    listening_ = !listening_;
    if (!listening_) {
        descriptor_.cancel();
        return;
    }
    descriptor_.async_wait(asio::posix::stream_descriptor::wait_read,
                           [weak = weak_from_this()](std::error_code error) {
                               auto self = weak.lock();
                               if (error || !self) return;
                               self->listening_ = false;
                               ub_process(self->context_);
                               self->watch();
                           });
}

void Unbound::answered(void* opaque, int error, ub_result* raw) {
    const std::unique_ptr<ub_result, FreeResult> result(raw);
    const auto* question = static_cast<Question*>(opaque);
    question->owner->finish(question->number, error != 0 ? failed(error) : read(*result));
}

void Unbound::finish(std::uint64_t number, DnsAnswer answer) {
    auto found = questions_.find(number);
    if (found == questions_.end()) return;
    Done done = std::move(found->second->done);
    questions_.erase(found);
    done(std::move(answer));
}

void Unbound::start(const std::string& name, RecordType type, Done done) {
    const std::uint64_t number = ++last_;
    auto& question = questions_[number];
    question =
        std::make_unique<Question>(Question{this, number, 0, std::move(done), asio::steady_timer(io_)});
    question->timer.expires_after(timeout_);
    question->timer.async_wait([weak = weak_from_this(), number](std::error_code error) {
        auto self = weak.lock();
        if (error || !self) return;
        auto late = self->questions_.find(number);
        if (late == self->questions_.end()) return;
        ub_cancel(self->context_, late->second->async_id);
        DnsAnswer answer;
        answer.why = "the name servers did not answer in time";
        self->finish(number, std::move(answer));
        self->watch();
    });
    // An empty or over-long name goes to the library too: it says what is wrong with it.
    const int error = ub_resolve_async(context_, name.c_str(), static_cast<int>(type), class_in,
                                       question.get(), answered, &question->async_id);
    if (error == 0) {
        watch();
    } else {
        asio::post(io_, [weak = weak_from_this(), number, error] {
            if (auto self = weak.lock()) self->finish(number, failed(error));
        });
    }
}

awaitable<DnsAnswer> Unbound::ask(std::string name, RecordType type) {
    co_return co_await asio::async_initiate<const asio::use_awaitable_t<>, void(DnsAnswer)>(
        [this, &name, type](auto handler) {
            auto shared = std::make_shared<decltype(handler)>(std::move(handler));
            start(name, type, [shared](DnsAnswer answer) { std::move (*shared)(std::move(answer)); });
        },
        asio::use_awaitable);
}

awaitable<std::tuple<DnsAnswer, DnsAnswer>> Unbound::ask(std::string name, RecordType one, RecordType other) {
    co_return co_await asio::async_initiate<const asio::use_awaitable_t<>, void(DnsAnswer, DnsAnswer)>(
        [this, &name, one, other](auto handler) {
            struct Pair {
                decltype(handler) waiting;
                DnsAnswer answers[2];
                int missing = 2;
            };
            auto pair = std::make_shared<Pair>(Pair{std::move(handler), {}});
            auto take = [pair](std::size_t which) {
                return [pair, which](DnsAnswer&& answer) {
                    pair->answers[which] = std::move(answer);
                    if (--pair->missing == 0)
                        std::move(pair->waiting)(std::move(pair->answers[0]), std::move(pair->answers[1]));
                };
            };
            start(name, one, take(0));
            start(name, other, take(1));
        },
        asio::use_awaitable);
}

void Unbound::close() {
    // Waiting coroutines hold this object and it holds their handlers: what is still open is let go here.
    auto open = std::move(questions_);
    questions_.clear();
    for (auto& [number, question] : open) ub_cancel(context_, question->async_id);
}

}  // namespace postern::relay::net
