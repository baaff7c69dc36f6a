#include "agent/http/door.h"

#include <sys/socket.h>

#include <array>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "agent/http/entrance.h"
#include "agent/http/guests.h"
#include "agent/http/workers.h"
#include "relay/net/connection.h"
#include "relay/net/timer.h"
#include "sync/base/ascii.h"

namespace postern::agent {
namespace {

using relay::net::as_value;
using relay::net::awaitable;
using relay::net::Connection;
using Step = HttpRequestReader::Step;

constexpr std::size_t most_discarded = 1 << 20;
constexpr std::chrono::seconds try_again{5};
constexpr std::chrono::milliseconds farewell{500}, breath{100};
constexpr std::chrono::hours no_end{24};  // work ends by itself

std::optional<uid_t> account_at(int socket) {
    ucred credentials{};
    socklen_t length = sizeof credentials;
    int domain = 0;
    socklen_t size = sizeof domain;
    if (getsockopt(socket, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0 || domain != AF_UNIX) return {};
    if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0) return {};
    return credentials.uid;
}

/// A loop on a thread of its own, which ends when nothing is left to be done there.
class LoopThread {
public:
    asio::io_context& io() { return io_; }
    void start() {
        thread_ = std::thread([this] {
            io_.run();
            const std::lock_guard lock(mutex_);
            ended_ = true;
            ends_.notify_all();
        });
    }
    bool runs() const { return thread_.joinable(); }
    /// False when it has not ended by then.
    bool join(std::chrono::milliseconds grace, const base::Clock& clock) {
        {
            std::unique_lock lock(mutex_);
            if (!clock.wait_until(ends_, lock, {}, clock.now() + grace, [this] { return ended_; }))
                return false;
        }
        thread_.join();
        return true;
    }

private:
    asio::io_context io_{1};
    std::thread thread_;
    std::mutex mutex_;  // over ended_
    bool ended_ = false;
    std::condition_variable_any ends_;
};

bool wants_continue(const HttpRequest& request) {
    return request.minor > 0 && base::equal_ignoring_case(request.field("expect"), "100-continue");
}

}  // namespace

struct HttpDoor::Impl {
    Impl(Place where, HttpDoorLimits bounds, HttpHost whose, const base::Clock& time)
        : limits(bounds),
          host(std::move(whose)),
          clock(time),
          entrance(loop.io(), std::move(where), host.opened) {}

    awaitable<void> serve();
    void receive(relay::net::Socket socket);
    awaitable<void> converse(GuestPtr guest, relay::net::TlsContext tls);
    awaitable<std::optional<Answer>> hear(Guest& guest, HttpRequestReader& reader);
    awaitable<Step> read(Connection& connection, HttpRequestReader& reader);
    awaitable<Answer> perform(Guest& guest, HttpTask::Work work, std::string body, bool operators);
    awaitable<void> tell(Guest& guest, Answer answer, bool head_only);
    void end();

    const HttpDoorLimits limits;
    const HttpHost host;
    const base::Clock& clock;
    LoopThread loop;
    Entrance entrance;
    relay::net::Timer pause{loop.io(), clock};
    Guests guests{limits.connections};
    bool stopping = false;
    Workers for_readers{loop.io(), clock, door_workers, limits.waiting};
    Workers for_operators{loop.io(), clock, door_workers, limits.waiting};
};

awaitable<void> HttpDoor::Impl::serve() {
    while (!stopping && !entrance.is_open()) {
        pause.expires_after(try_again);
        co_await pause.async_wait(as_value);
        if (!stopping) entrance.open();
    }
    while (!stopping) {
        auto socket = co_await entrance.accept();
        if (stopping) break;
        if (socket) {
            try {
                receive(std::move(*socket));
            } catch (const std::exception&) {  // out of memory: this connection ends, no more
            }
            continue;
        }
        pause.expires_after(breath);  // out of descriptors: the accepted will end some time
        co_await pause.async_wait(as_value);
    }
}

void HttpDoor::Impl::receive(relay::net::Socket socket) {
    const auto account = account_at(socket.native_handle());
    auto connection = Connection::create(std::move(socket), clock);
    HttpPeer peer{connection->peer(), account};
    auto tls = host.admit(peer);
    auto guest = std::make_shared<Guest>(std::move(connection), std::move(peer));
    if (!tls || !guests.make_room(*guest)) return guest->connection->close();
    guests.add(guest);
    asio::co_spawn(loop.io(), converse(guest, std::move(*tls)), [this, guest](const std::exception_ptr&) {
        guest->connection->close();
        guests.remove(guest);
    });
}

awaitable<void> HttpDoor::Impl::converse(GuestPtr guest, relay::net::TlsContext tls) {
    guest->connection->deadline(limits.request);
    if (tls && co_await guest->connection->start_tls_server(std::move(tls))) {
        if (!stopping && !guest->sent_away) host.malformed(guest->peer, "TLS handshake");
        co_return;
    }
    HttpRequestReader reader(limits.bounds);
    auto answer = co_await hear(*guest, reader);
    if (!answer || guest->sent_away) co_return;
    co_await tell(*guest, std::move(*answer), reader.request().method == "HEAD");
}

/// The answer to the request; nullopt when it does not come in full.
awaitable<std::optional<Answer>> HttpDoor::Impl::hear(Guest& guest, HttpRequestReader& reader) {
    Connection& connection = *guest.connection;
    Step step = co_await read(connection, reader);
    if (step == Step::failed) {
        host.malformed(guest.peer, "request");
        co_return refusal(reader.fault().status, reader.fault().why);
    }
    if (step != Step::head) co_return std::nullopt;
    HttpTask task = host.judge(reader.request(), guest.peer);
    if (auto* answer = std::get_if<Answer>(&task.what)) co_return std::move(*answer);
    reader.expect(task.body);
    if (task.body > 0 && connection.buffered().empty() && wants_continue(reader.request()))
        if (co_await connection.write("HTTP/1.1 100 Continue\r\n\r\n")) co_return std::nullopt;
    step = co_await read(connection, reader);
    if (step != Step::complete) co_return std::nullopt;
    co_return co_await perform(guest, std::move(std::get<HttpTask::Work>(task.what)), reader.take_body(),
                               task.operators);
}

/// Step::more: the connection or the time for the request has ended.
awaitable<Step> HttpDoor::Impl::read(Connection& connection, HttpRequestReader& reader) {
    for (;;) {
        const std::string_view there = connection.buffered();
        std::string_view rest = there;
        const Step step = reader.feed(rest);
        connection.consume(there.size() - rest.size());
        if (step != Step::more || co_await connection.fill()) co_return step;
    }
}

awaitable<Answer> HttpDoor::Impl::perform(Guest& guest, HttpTask::Work work, std::string body,
                                          bool operators) {
    if (!operators && guests.held() + guests.held(guest.hand) >= limits.answers)
        co_return refusal(503, "too much that was asked for is not taken: try again in a moment");
    guest.stage = Guest::Stage::working;
    guest.connection->deadline(no_end);
    Workers& workers = operators ? for_operators : for_readers;
    std::function<Answer()> all = [work = std::move(work), body = std::move(body)] { return work(body); };
    auto answer = co_await workers.perform(guest.hand, std::move(all));
    co_return answer ? std::move(*answer) : refusal(503, "too many ask at once: try again in a moment");
}

awaitable<void> HttpDoor::Impl::tell(Guest& guest, Answer answer, bool head_only) {
    Connection& connection = *guest.connection;
    guest.stage = Guest::Stage::answering;
    guest.held = answer.body.size();
    connection.deadline(stopping ? farewell : limits.answer);
    const std::string head = head_of(answer);
    if (head_only) answer.body.clear();
    const std::array<asio::const_buffer, 2> parts{asio::buffer(head), asio::buffer(answer.body)};
    if (co_await connection.write(parts)) co_return;
    guest.held = 0;
    co_await connection.drain(most_discarded, farewell);
}

/// Whoever is about to ask is cut off, work goes on, and its answers are told quickly.
void HttpDoor::Impl::end() {
    stopping = true;
    entrance.close();
    pause.cancel();
    for (const auto& guest : guests.all()) {
        if (guest->stage == Guest::Stage::reading) guest->connection->close();
        if (guest->stage == Guest::Stage::answering) guest->connection->deadline(farewell);
    }
}

HttpDoor::HttpDoor(Place place, HttpDoorLimits limits, HttpHost host, const base::Clock& clock)
    : impl_(std::make_unique<Impl>(std::move(place), limits, std::move(host), clock)) {
    impl_->entrance.open();
}

HttpDoor::~HttpDoor() { stop(std::chrono::hours(1)); }

void HttpDoor::start() {
    asio::co_spawn(impl_->loop.io(), impl_->serve(), [](const std::exception_ptr&) {});
    impl_->loop.start();
}

bool HttpDoor::stop(std::chrono::milliseconds grace) {
    if (!impl_->loop.runs()) return true;
    asio::post(impl_->loop.io(), [impl = impl_.get()] { impl->end(); });
    if (!impl_->loop.join(grace, impl_->clock)) return false;
    impl_->entrance.clear_away();
    return true;
}

std::string HttpDoor::trouble() const { return impl_->entrance.trouble(); }

std::uint16_t HttpDoor::port() const { return impl_->entrance.port(); }

}  // namespace postern::agent
