#include "relay/net/unbound.h"

#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unbound.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <stdexcept>
#include <system_error>

#include "relay/mail/address.h"
#include "relay/net/anchors.h"
#include "relay/net/dns_message.h"
#include "sync/base/ascii.h"
#include "sync/base/descriptor.h"
#include "sync/base/file_fault.h"

namespace postern::relay::net {

namespace {

constexpr int class_in = 1, rcode_servfail = 2;
constexpr std::size_t records_max = 100;

/// That this process may open.
std::size_t descriptors() {
    rlimit limit{};
    return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : 1024;
}

/// The library ends the process when it finds none left for its own use.
void require_descriptors() {
    std::array<base::Descriptor, 24> some;
    for (auto& one : some) {
        one = base::Descriptor(::eventfd(0, EFD_CLOEXEC));
        if (one) continue;
        const int error = errno;
        throw std::runtime_error("the resolver cannot be started: " + std::generic_category().message(error) +
                                 " (raise the limit of open files: LimitNOFILE= of the unit, ulimit -n)");
    }
}

/// What this machine lacks to ask anybody, in words; "" when nothing. The library takes that for a failure of
/// the name servers, and does not say.
std::string shortage() {
    const base::Descriptor probe(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const std::error_code error(probe ? 0 : errno, std::generic_category());
    if (!base::is_passing(error)) return {};
    return "this machine cannot ask the name servers: " + error.message();
}

/// Whether a name can be asked for at all (RFC 1035 §2.3.4).
bool fits(std::string_view name) {
    if (name.size() > 253) return false;
    while (!name.empty()) {
        const std::size_t dot = std::min(name.find('.'), name.size());
        if (dot == 0 || dot > 63) return false;
        name.remove_prefix(std::min(dot + 1, name.size()));
    }
    return true;
}

struct FreeResult {
    void operator()(ub_result* result) const { ub_resolve_free(result); }
};

DnsAnswer read(const ub_result& result) {
    DnsAnswer answer;
    if (result.qtype == static_cast<int>(RecordType::dnskey) && result.answer_packet != nullptr)
        answer.has_signatures = is_signed(
            {static_cast<const char*>(result.answer_packet), static_cast<std::size_t>(result.answer_len)});
    if (result.bogus != 0 || (result.havedata == 0 && result.rcode == rcode_servfail))
        if (answer.why = shortage(); !answer.why.empty()) {
            answer.lacking = true;
            return answer;
        }
    if (result.bogus != 0) {
        // A bogus answer still carries data; it must not be looked at.
        answer.bogus = true;
        answer.why = "DNSSEC validation failed";
        if (result.why_bogus != nullptr) answer.why += std::string(": ") + result.why_bogus;
        return answer;
    }
    answer.secure = result.secure != 0;
    if (result.havedata != 0) {
        answer.status = Lookup::found;
        for (int at = 0; result.data[at] != nullptr && answer.records.size() < records_max; ++at)
            answer.records.emplace_back(result.data[at], static_cast<std::size_t>(result.len[at]));
        answer.canonical = base::lower(result.canonname != nullptr ? result.canonname : result.qname);
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

DnsAnswer failed(int error, std::string_view name) {
    DnsAnswer answer;
    // Without memory the library says the same as of a name that is none.
    if (error == UB_SYNTAX && !fits(name)) {
        answer.status = Lookup::no_name;
        answer.why = "cannot be a domain name";
        return answer;
    }
    answer.why = shortage();
    answer.lacking = !answer.why.empty() || error == UB_SYNTAX || error == UB_NOMEM;
    if (answer.why.empty()) answer.why = ub_strerror(answer.lacking ? UB_NOMEM : error);
    return answer;
}

}  // namespace

Unbound::Unbound(io_context& io, const DnsSettings& settings) : io_(io), descriptor_(io) {
    require_descriptors();
    context_.reset(ub_ctx_create(), &ub_ctx_delete);
    if (!context_) throw std::runtime_error("the resolver cannot be started");
    set_up(settings);
    descriptor_.assign(ub_fd(context_.get()));
    first_question();
}

/// With the first question it opens what it needs, and must not do so at a time when nothing can be opened.
/// This one it answers itself.
void Unbound::first_question() {
    int id = 0;
    auto ignore = [](void*, int, ub_result* raw) {
        const std::unique_ptr<ub_result, FreeResult> result(raw);
    };
    if (ub_resolve_async(context_.get(), "localhost", static_cast<int>(RecordType::a), class_in, nullptr,
                         ignore, &id) == 0)
        ub_cancel(context_.get(), id);
}

/// The order is the library's: threading, options, servers, anchors, zones, then the first question.
void Unbound::set_up(const DnsSettings& settings) {
    ub_ctx* context = context_.get();
    ub_ctx_async(context, 1);
    // As a library it would have 16 sockets, so that sixteen silent name servers keep it from all others. A
    // question from the root down needs more than one of them at times.
    const std::size_t sockets = std::clamp<std::size_t>(descriptors() / 8, 64, 4096);
    at_once_ = sockets / 2;
    set_option("outgoing-range:", std::to_string(sockets));
    set_option("num-queries-per-thread:", std::to_string(sockets));
    set_option("outgoing-num-tcp:", std::to_string(std::clamp<std::size_t>(sockets / 16, 10, 100)));
    set_option("msg-cache-size:", "16m");
    set_option("rrset-cache-size:", "32m");
    set_option("cache-max-negative-ttl:", "300");
    set_option("do-not-query-localhost:", "no");
    // A server that was away is asked again as soon as it is back: what is known of its silence is forgotten
    // after a second, not in a quarter of an hour, and before so many that it is not asked at all. Where one
    // question went unanswered for long the others are not asked meanwhile, and fail at once.
    set_option("infra-keep-probing:", "yes");
    set_option("infra-host-ttl:", "1");
    for (const auto& server : settings.servers)
        if (ub_ctx_set_fwd(context, server.c_str()) != 0)
            throw std::runtime_error("dns.servers: cannot use \"" + server + "\"");
    for (const auto& [zone, server] : settings.stub)
        if (ub_ctx_set_stub(context, zone.c_str(), server.c_str(), 0) != 0)
            throw std::runtime_error("dns.stub: cannot use \"" + server + "\" for " + zone);
    const auto anchored = anchored_zones_of(settings.trust_anchors);
    bool private_zones = !settings.servers.empty();
    for (const auto& [zone, server] : settings.stub) {
        // A zone of the administrator's own is seldom one that the root leads to: what its server says is
        // believed, unless there is a key for it.
        if (!anchored || !is_anchored(*anchored, zone)) set_option("domain-insecure:", zone);
        private_zones = private_zones || zone == "arpa" || zone.ends_with(".arpa");
    }
    // The library answers for private zones itself, with "does not exist", as long as nobody else is named.
    if (private_zones) {
        set_option("unblock-lan-zones:", "yes");
        set_option("insecure-lan-zones:", "yes");
    }
    if (anchored && ub_ctx_add_ta_file(context, settings.trust_anchors.c_str()) != 0)
        throw std::runtime_error("dns.trust_anchors: cannot read " + settings.trust_anchors.string());
    // The same of test, home.arpa and others (RFC 6761). Opening just a part of them is not what it can do: a
    // zone added later hides its parent from the names beside it.
    for (const auto& [zone, server] : settings.stub)
        for (std::string_view rest = zone; !rest.empty();) {
            ub_ctx_zone_remove(context, (std::string(rest) + '.').c_str());
            const std::size_t dot = rest.find('.');
            rest = dot == std::string_view::npos ? std::string_view() : rest.substr(dot + 1);
        }
}

void Unbound::set_option(const char* name, const std::string& value) {
    if (ub_ctx_set_option(context_.get(), name, value.c_str()) != 0)
        throw std::runtime_error(std::string("the resolver does not know the option ") + name);
}

Unbound::~Unbound() {
    descriptor_.release();  // it belongs to the library
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
                               ub_process(self->context_.get());
                               self->watch();
                           });
}

void Unbound::answered(void* opaque, int error, ub_result* raw) {
    const std::unique_ptr<ub_result, FreeResult> result(raw);
    const auto* question = static_cast<Question*>(opaque);
    question->owner->finish(question->number, error != 0 ? failed(error, question->name) : read(*result));
}

void Unbound::finish(std::uint64_t number, DnsAnswer answer) {
    auto found = questions_.find(number);
    if (found == questions_.end()) return;
    Done done = std::move(found->second->done);
    questions_.erase(found);
    done(std::move(answer));
}

void Unbound::ask(const std::string& name, RecordType type, Done done) {
    const std::uint64_t number = ++last_;
    auto& question = questions_[number];
    question = std::make_unique<Question>(Question{this, number, 0, name, std::move(done)});
    // An empty or over-long name goes to the library too: it says what is wrong with it.
    const int error = ub_resolve_async(context_.get(), name.c_str(), static_cast<int>(type), class_in,
                                       question.get(), answered, &question->async_id);
    if (error == 0) return watch();
    asio::post(io_, [weak = weak_from_this(), number, answer = failed(error, name)] {
        if (auto self = weak.lock()) self->finish(number, answer);
    });
}

void Unbound::close() {
    auto open = std::move(questions_);
    questions_.clear();
    for (auto& [number, question] : open) ub_cancel(context_.get(), question->async_id);
    watch();
}

}  // namespace postern::relay::net
