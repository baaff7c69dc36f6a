#include "relay/reception/reception.h"

#include <algorithm>
#include <asio/ip/v6_only.hpp>
#include <stdexcept>
#include <string_view>

#include "relay/net/elsewhere.h"
#include "relay/net/error.h"
#include "relay/reception/session.h"
#include "relay/reception/srs_secret.h"
#include "sync/base/file_fault.h"

namespace postern::relay {

namespace {

using Milliseconds = std::chrono::milliseconds;
constexpr Milliseconds answer_max{4'000};
constexpr std::uint64_t stranger_reserve = 256ull << 20;
constexpr std::chrono::seconds refusals_every{10};
constexpr Milliseconds room_every{500};
constexpr int backlog = 1024;  // a burst of new connections must not overflow into SYN cookies

net::awaitable<void> pause(net::io_context& io, const base::Clock& clock, Milliseconds time) {
    net::Timer timer(io, clock);
    timer.expires_after(time);
    co_await timer.async_wait(net::as_value);
}

}  // namespace

std::shared_ptr<const Srs> rewriting(const Settings& settings) {
    const AcceptSettings& accept = settings.accept;
    if (accept.foreign_sender != ForeignSender::rewrite) return nullptr;
    return std::make_shared<const Srs>(
        obtain_srs_secret(settings.state_dir / "srs.secret"),
        accept.rewrite_domain.empty() ? settings.hostname : accept.rewrite_domain);
}

Reception::Reception(net::io_context& io, const base::Clock& clock, Spool& spool, SettingsPtr settings,
                     std::shared_ptr<const sync::Snapshot> directory, Observer& observer)
    : io_(io),
      clock_(clock),
      spool_(spool),
      settings_(std::move(settings)),
      directory_(std::move(directory)),
      observer_(observer),
      running_(io, clock),
      refusals_(observer),
      tick_(io, clock),
      room_tick_(io, clock),
      free_(spool.free_bytes()) {
    tls_ = net::server_context(settings_->tls);
    srs_ = rewriting(*settings_);
    for (const auto& listener : settings_->listeners) bind(listener);
}

void Reception::bind(const ListenerSettings& settings) {
    using tcp = asio::ip::tcp;
    std::string name = settings.address.host + " port " + std::to_string(settings.address.port);
    auto fail = [&name](const std::error_code& error) {
        throw std::runtime_error("cannot listen on " + name + ": " + error.message());
    };
    std::error_code error;
    tcp::endpoint endpoint(asio::ip::make_address(settings.address.host, error), settings.address.port);
    if (error) fail(error);
    auto listener = std::make_unique<Listener>(Listener{tcp::acceptor(io_), settings.tls});
    if (settings.inherited_fd >= 0) {
        listener->acceptor.assign(endpoint.protocol(), settings.inherited_fd, error);
        if (error) fail(error);
    } else {
        listener->acceptor.open(endpoint.protocol(), error);
        if (error) fail(error);
        listener->acceptor.set_option(tcp::acceptor::reuse_address(true), error);
        // "[::]" and "0.0.0.0" may then both be listened on.
        if (endpoint.address().is_v6()) listener->acceptor.set_option(asio::ip::v6_only(true), error);
        listener->acceptor.bind(endpoint, error);
        if (error) fail(error);
        listener->acceptor.listen(backlog, error);
        if (error) fail(error);
    }
    listeners_.push_back(std::move(listener));
}

void Reception::start() {
    asio::co_spawn(io_, tell_refusals(), [this](const std::exception_ptr& fault) {
        if (fault)
            observer_.on(event::Trouble{"session", "refusals of strangers are no longer counted", false});
    });
    asio::co_spawn(io_, watch_room(), [this](const std::exception_ptr& fault) {
        if (fault) observer_.on(event::Trouble{"spool", "the room on the disk is no longer watched", true});
    });
    for (auto& listener : listeners_)
        asio::co_spawn(io_, accept(*listener), [this](const std::exception_ptr& fault) {
            if (fault) observer_.on(event::Trouble{"listener", "stopped accepting connections", true});
        });
}

net::awaitable<void> Reception::accept(Listener& listener) {
    while (!stopping_) {
        auto [error, socket] = co_await listener.acceptor.async_accept(net::as_value);
        if (stopping_) co_return;
        if (!error) {
            tell_of_shortage(error);
            begin(std::move(socket), listener.tls);
            continue;
        }
        if (error == asio::error::operation_aborted || error == asio::error::bad_descriptor) co_return;
        // Out of descriptors or memory: the connection stays in the backlog until there is room again.
        if (error != asio::error::connection_aborted) {
            tell_of_shortage(error);
            co_await pause(io_, clock_, Milliseconds(200));
        }
    }
}

/// Once, and once more when it is over.
void Reception::tell_of_shortage(const std::error_code& error) {
    if (std::exchange(turned_off_, bool(error)) == bool(error)) return;
    const std::string text = error
                                 ? base::file_fault("no connection can be accepted", net::of_system(error)) +
                                       "; clients wait, sessions go on"
                                 : "connections are accepted again";
    observer_.on(event::Trouble{"listener", text, false});
}

void Reception::begin(asio::ip::tcp::socket socket, ListenerTls tls) {
    std::error_code ignored;
    std::string client = socket.remote_endpoint(ignored).address().to_string();
    const PrimarySettings* known = primary_of(*settings_, client);
    std::string primary = known != nullptr ? known->name : std::string();
    if (auto full = places_.take(*settings_, primary, client))
        return turn_away(std::move(socket), client, known == nullptr, *full);
    auto session = std::make_shared<Session>(*this, net::Connection::create(std::move(socket), clock_), tls);
    sessions_.insert(session);
    asio::co_spawn(
        io_, session->run(),
        [this, session, primary, client, pass = running_.enter()](const std::exception_ptr& fault) {
            session->end();
            sessions_.erase(session);
            places_.give_back(primary, client);
            if (!fault) return;
            try {
                std::rethrow_exception(fault);
            } catch (const std::exception& what) {
                observer_.on(event::Trouble{"session", what.what(), true});
            }
        });
}

void Reception::turn_away(asio::ip::tcp::socket socket, const std::string& client, bool stranger, Rule rule) {
    const Decision decision = refuse(rule);
    std::error_code ignored;
    socket.non_blocking(true, ignored);
    std::string wire = decision.reply.wire();
    socket.write_some(asio::buffer(wire), ignored);
    event::Refused what;
    what.client = client;
    what.reply = decision.reply;
    what.rule = text_of(rule).name;
    what.reason = text_of(rule).when;
    refusals_.tell_of(what, rule, stranger, nullptr, clock_.now());
}

net::awaitable<void> Reception::tell_refusals() {
    while (!stopping_) {
        tick_.expires_after(refusals_every);
        co_await tick_.async_wait(net::as_value);
        refusals_.flush();
    }
}

/// Asks the disk, which may take its time, and never at MAIL.
net::awaitable<void> Reception::watch_room() {
    auto ask = [&spool = spool_] { return spool.free_bytes(); };
    while (!stopping_) {
        const std::uint64_t before = stored_;
        free_ = co_await net::elsewhere(files_, ask);
        known_ = before;
        room_tick_.expires_after(room_every);
        co_await room_tick_.async_wait(net::as_value);
    }
}

std::uint64_t Reception::room() const {
    const std::uint64_t since = stored_ - known_;
    return free_ > since ? free_ - since : 0;
}

void Reception::reload(SettingsPtr settings, const net::PreparedTls& tls, std::shared_ptr<const Srs> srs) {
    settings_ = std::move(settings);
    srs_ = std::move(srs);
    if (tls)
        tls_ = *tls;
    else
        observer_.on(
            event::Trouble{"tls", tls.error() + "; the certificate loaded before stays in use", false});
}

net::awaitable<bool> Reception::ask(Address address) {
    if (!ask_) co_return true;
    // The answer cancels the timer, so that a question that is never answered ends all the same.
    struct Question {
        Question(net::io_context& io, const base::Clock& clock) : timer(io, clock) {
            timer.expires_after(answer_max);
        }
        net::Timer timer;
        bool answered = false;
    };
    auto question = std::make_shared<Question>(io_, clock_);
    ask_(address.mailbox(), address.domain, [this, weak = std::weak_ptr(question)](bool answered) {
        asio::post(io_, [weak, answered] {
            auto waiting = weak.lock();
            if (!waiting) return;
            waiting->answered = answered;
            waiting->timer.cancel();
        });
    });
    co_await question->timer.async_wait(net::as_value);
    co_return question->answered;
}

Decision Reception::admission(std::uint64_t size, bool stranger) const {
    if (!spool_.unhealthy().empty()) return refuse(Rule::disk_fails);
    const std::uint64_t minimum = settings_->accept.minimum_free;
    const std::uint64_t room = stranger ? 8 * minimum + stranger_reserve : minimum;
    if (this->room() < room + size) return refuse(Rule::minimum_free);
    Decision out;
    out.reply = Reply{250, {2, 0, 0}, "ok"};
    return out;
}

net::awaitable<void> Reception::stop(std::chrono::seconds grace) {
    stopping_ = true;
    tick_.cancel();
    room_tick_.cancel();
    std::error_code ignored;
    for (auto& listener : listeners_) listener->acceptor.close(ignored);
    for (const auto& session : sessions_) session->leave();
    co_await running_.empty(clock_.now() + grace);
    for (const auto& session : sessions_) session->cut_off();
    co_await running_.empty(clock_.now() + std::chrono::seconds(1));
    refusals_.flush();
}

}  // namespace postern::relay
