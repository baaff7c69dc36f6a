#include "agent/http/door.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <asio/buffer.hpp>
#include <asio/generic/stream_protocol.hpp>
#include <asio/thread_pool.hpp>
#include <asio/write.hpp>
#include <atomic>
#include <future>
#include <list>
#include <mutex>
#include <thread>

#include "relay/net/asio.h"

namespace postern::agent {
namespace {

using relay::net::as_value;
using relay::net::awaitable;
using Protocol = asio::generic::stream_protocol;
using Clock = std::chrono::steady_clock;

constexpr std::size_t most_discarded = 1 << 20;
constexpr std::chrono::seconds try_again{5};
constexpr std::chrono::milliseconds farewell{500}, breath{100};

std::string_view phrase(int status) {
    switch (status) {
        case 200: return "OK";
        case 400: return "Bad Request";
        case 401: return "Unauthorized";
        case 403: return "Forbidden";
        case 404: return "Not Found";
        case 405: return "Method Not Allowed";
        case 409: return "Conflict";
        case 503: return "Service Unavailable";
        default: return status < 500 ? "Refused" : "Failed";
    }
}

std::string head_of(const Answer& answer) {
    std::string head = "HTTP/1.1 " + std::to_string(answer.status) + ' ' + std::string(phrase(answer.status));
    const auto field = [&head](std::string_view name, std::string_view value) {
        head.append("\r\n").append(name).append(": ").append(value);
    };
    field("Content-Type", answer.type);
    field("Content-Length", std::to_string(answer.body.size()));
    field("Connection", "close");
    field("X-Content-Type-Options", "nosniff");
    field("Cache-Control", "no-store");
    if (answer.status == 401) field("WWW-Authenticate", "Bearer");
    if (!answer.allow.empty()) field("Allow", answer.allow);
    return head.append("\r\n\r\n");
}

HttpPeer peer_of(int socket) {
    ucred credentials{};
    socklen_t length = sizeof credentials;
    int domain = 0;
    socklen_t size = sizeof domain;
    if (getsockopt(socket, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0 || domain != AF_UNIX) return {};
    if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0) return {};
    return {credentials.uid};
}

struct Session : std::enable_shared_from_this<Session> {
    explicit Session(Protocol::socket given) : socket(std::move(given)), timer(socket.get_executor()) {}

    enum class Stage : std::uint8_t { reading, working, answering };
    Protocol::socket socket;
    asio::steady_timer timer;  // closes the socket; while a worker is at it, wakes the session
    Stage stage = Stage::reading;
    std::size_t held = 0;  // octets of its answer

    void close() {
        asio::error_code ignored;
        socket.close(ignored);
    }
    void end_in(std::chrono::milliseconds time) {
        timer.expires_after(time);
        timer.async_wait([self = shared_from_this()](asio::error_code error) {
            if (!error) self->close();
        });
    }
};
using SessionPtr = std::shared_ptr<Session>;

}  // namespace

struct HttpDoor::Impl {
    Impl(Place where, HttpDoorLimits bounds, Judge what, Opened told)
        : place(std::move(where)), limits(bounds), judge(std::move(what)), opened(std::move(told)) {}

    bool open();
    awaitable<void> serve();
    awaitable<void> converse(SessionPtr session);
    awaitable<bool> read_head(Session& session, std::string& octets);
    awaitable<Answer> perform(Session& session, std::function<Answer()> work, bool operators);
    awaitable<void> linger(Session& session);
    bool make_room();
    Answer judged(std::string_view octets, std::size_t head_end, const HttpPeer& peer, HttpTask& task);

    const Place place;
    const HttpDoorLimits limits;
    const Judge judge;
    const Opened opened;
    asio::io_context io{1};
    asio::basic_socket_acceptor<Protocol> acceptor{io};
    asio::steady_timer pause{io};
    std::list<SessionPtr> sessions;  // in the order they came
    std::size_t held = 0;
    bool stopping = false;
    asio::thread_pool for_readers{door_workers}, for_operators{door_workers};
    std::atomic<std::size_t> readers{0}, operators{0};
    std::atomic<std::uint16_t> port{0};
    mutable std::mutex mutex;  // over the two below
    std::string trouble;
    bool told = false;
    bool made = false;  // the socket of a path is ours; read when the thread has ended
    std::thread thread;
    std::promise<void> ended;
    std::future<void> end = ended.get_future();
};

bool HttpDoor::Impl::open() {
    auto result = std::visit([](const auto& where) { return open_place(where); }, place);
    bool news = false;
    std::string why = result ? "" : result.error();
    if (result) {
        const bool unix_socket = std::holds_alternative<UnixPlace>(place);
        const bool v6 = !unix_socket && std::get<relay::HostPort>(place).host.find(':') != std::string::npos;
        acceptor.assign(Protocol(unix_socket ? AF_UNIX
                                 : v6        ? AF_INET6
                                             : AF_INET,
                                 0),
                        result->socket.release());
        port = result->port;
        made = true;
    }
    {
        const std::lock_guard lock(mutex);
        news = why.empty() ? told : !told;
        told = !why.empty();
        trouble = why;
    }
    if (news) opened(why);
    return result.has_value();
}

awaitable<void> HttpDoor::Impl::serve() {
    while (!stopping && !acceptor.is_open()) {
        pause.expires_after(try_again);
        co_await pause.async_wait(as_value);
        if (!stopping) open();
    }
    while (!stopping) {
        auto [error, socket] = co_await acceptor.async_accept(as_value);
        if (stopping) break;
        if (error) {  // out of descriptors: the accepted will end some time
            pause.expires_after(breath);
            co_await pause.async_wait(as_value);
            continue;
        }
        if (!make_room()) continue;
        auto session = std::make_shared<Session>(std::move(socket));
        sessions.push_back(session);
        asio::co_spawn(io, converse(session), [this, session](const std::exception_ptr&) {
            held -= session->held;
            session->timer.cancel();
            session->close();
            sessions.remove(session);
        });
    }
}

/// Whoever says nothing gives way first, then whoever does not take the answer; work is finished.
bool HttpDoor::Impl::make_room() {
    if (sessions.size() < limits.connections) return true;
    for (const auto stage : {Session::Stage::reading, Session::Stage::answering}) {
        const auto oldest = std::find_if(sessions.begin(), sessions.end(), [stage](const auto& each) {
            return each->stage == stage && each->socket.is_open();
        });
        if (oldest == sessions.end()) continue;
        (*oldest)->close();
        return true;
    }
    return sessions.size() < 2 * limits.connections;
}

awaitable<bool> HttpDoor::Impl::read_head(Session& session, std::string& octets) {
    while (end_of_head(octets) == std::string_view::npos) {
        if (octets.size() >= largest_request_head) co_return true;
        const std::size_t before = octets.size();
        octets.resize(largest_request_head);
        const auto room = asio::buffer(octets.data() + before, octets.size() - before);
        auto [error, count] = co_await session.socket.async_read_some(room, as_value);
        octets.resize(before + count);
        if (error) co_return false;
    }
    co_return true;
}

/// Fills `task` when there is something to do; else gives the refusal.
Answer HttpDoor::Impl::judged(std::string_view octets, std::size_t head_end, const HttpPeer& peer,
                              HttpTask& task) {
    if (head_end == std::string_view::npos) return refusal(431, "the request is too long");
    const auto request = parse_http_request(octets.substr(0, head_end));
    if (!request) return refusal(request.error().status, request.error().why);
    task = judge(*request, peer);
    const auto* answer = std::get_if<Answer>(&task.what);
    return answer ? *answer : Answer();
}

awaitable<Answer> HttpDoor::Impl::perform(Session& session, std::function<Answer()> work, bool by_operator) {
    auto& count = by_operator ? operators : readers;
    if (count >= door_workers + limits.waiting || (!by_operator && held >= limits.answers))
        co_return refusal(503, "too many ask at once: try again in a moment");
    session.stage = Session::Stage::working;
    session.timer.expires_at(Clock::time_point::max());
    ++count;
    auto result = std::make_shared<Answer>();
    auto over = std::make_shared<bool>(false);
    asio::post(by_operator ? for_operators : for_readers, [this, &session, &count, result, over, work] {
        try {
            *result = work();
        } catch (const std::exception&) {  // nothing of it is shown
            *result = refusal(500, "this failed inside of the gateway");
        }
        --count;
        asio::post(io, [&session, over] {
            *over = true;
            session.timer.cancel();
        });
    });
    while (!*over) co_await session.timer.async_wait(as_value);
    co_return std::move(*result);
}

/// A socket that is closed with unread octets in it would tear the answer down on its way.
awaitable<void> HttpDoor::Impl::linger(Session& session) {
    asio::error_code ignored;
    session.socket.shutdown(asio::socket_base::shutdown_send, ignored);
    session.end_in(farewell);
    std::string rest(4096, '\0');
    const auto room = asio::buffer(rest);
    for (std::size_t discarded = 0; discarded < most_discarded;) {
        auto [error, count] = co_await session.socket.async_read_some(room, as_value);
        if (error) co_return;
        discarded += count;
    }
}

awaitable<void> HttpDoor::Impl::converse(SessionPtr session) {
    std::string octets;
    session->end_in(limits.request);
    if (!co_await read_head(*session, octets)) co_return;
    HttpTask task;
    const auto head_end = end_of_head(octets);
    Answer answer = judged(octets, head_end, peer_of(session->socket.native_handle()), task);
    const bool head_only = octets.starts_with("HEAD ");
    octets = {};
    if (auto* work = std::get_if<std::function<Answer()>>(&task.what))
        answer = co_await perform(*session, std::move(*work), task.operators);
    if (!session->socket.is_open()) co_return;
    session->stage = Session::Stage::answering;
    session->held = answer.body.size();
    held += session->held;
    session->end_in(limits.answer);
    const std::string head = head_of(answer);
    if (head_only) answer.body.clear();
    const std::array<asio::const_buffer, 2> parts{asio::buffer(head), asio::buffer(answer.body)};
    auto [error, count] = co_await asio::async_write(session->socket, parts, as_value);
    if (!error) co_await linger(*session);
}

HttpDoor::HttpDoor(Place place, HttpDoorLimits limits, Judge judge, Opened opened)
    : impl_(std::make_unique<Impl>(std::move(place), limits, std::move(judge), std::move(opened))) {
    impl_->open();
}

HttpDoor::~HttpDoor() { stop(std::chrono::hours(1)); }

void HttpDoor::start() {
    asio::co_spawn(impl_->io, impl_->serve(), [](const std::exception_ptr&) {});
    impl_->thread = std::thread([impl = impl_.get()] {
        impl->io.run();
        impl->for_readers.join();
        impl->for_operators.join();
        impl->ended.set_value();
    });
}

bool HttpDoor::stop(std::chrono::milliseconds grace) {
    if (!impl_->thread.joinable()) return true;
    asio::post(impl_->io, [impl = impl_.get()] {
        impl->stopping = true;
        asio::error_code ignored;
        impl->acceptor.close(ignored);
        impl->pause.cancel();
        for (const auto& session : impl->sessions) {
            if (session->stage == Session::Stage::reading) session->close();
            if (session->stage == Session::Stage::answering) session->end_in(farewell);
        }
    });
    if (impl_->end.wait_for(grace) != std::future_status::ready) return false;
    impl_->thread.join();
    std::error_code ignored;
    if (const auto* place = std::get_if<UnixPlace>(&impl_->place); place && impl_->made)
        std::filesystem::remove(place->path, ignored);
    return true;
}

std::string HttpDoor::trouble() const {
    const std::lock_guard lock(impl_->mutex);
    return impl_->trouble;
}

std::uint16_t HttpDoor::port() const { return impl_->port; }

}  // namespace postern::agent
