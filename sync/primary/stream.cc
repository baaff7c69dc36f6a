#include "sync/primary/stream.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <optional>
#include <system_error>

#include "sync/base/descriptor.h"
#include "sync/base/ip_address.h"
#include "sync/primary/lookup.h"

namespace postern::sync {

namespace {

tl::unexpected<StreamFailure> failure(Trouble trouble, std::string words) {
    return tl::make_unexpected(StreamFailure{StreamFault::transport, std::move(words), trouble});
}

tl::unexpected<StreamFailure> interrupted() {
    return tl::make_unexpected(StreamFailure{StreamFault::cancelled, "interrupted"});
}

std::string error_text(int number) { return std::generic_category().message(number); }

Trouble trouble_of(int connect_error) {
    switch (connect_error) {
        case ECONNREFUSED: return Trouble::refused;
        case ENETUNREACH:
        case EHOSTUNREACH:
        case ENETDOWN:
        case EADDRNOTAVAIL:
        case EAFNOSUPPORT: return Trouble::no_route;
        case ETIMEDOUT: return Trouble::connect_timeout;
        default: return Trouble::other;
    }
}

std::string text_of(const sockaddr_storage& socket) {
    const auto address = base::IpAddress::of(socket);
    return address ? address->text() : std::string();
}

}  // namespace

struct Stream::State {
    enum class Ready : std::uint8_t { yes, late, stopped };

    State(const BaseUrl& url, const StreamSettings& given, const base::Clock& clock_, std::stop_token token)
        : base(url),
          settings(given),
          clock(clock_),
          stop(std::move(token)),
          wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
        const bool v6 = base::is_v6_literal(base.host);
        where = (v6 ? "[" + base.host + "]" : base.host) + ":" + std::to_string(base.port);
    }

    Ready wait(short events, base::Moment until) const;
    Result<void> connect(const sockaddr_storage& address, socklen_t length, base::Moment deadline);
    Result<void> load_context();
    Result<void> shake_hands(base::Moment deadline);
    StreamFailure certificate_failure(long verdict) const;
    StreamFailure handshake_failure() const;
    Result<int> drive(base::Moment deadline, const std::function<int()>& step);
    StreamFailure late() const {
        return {StreamFault::transport, "no complete reply from " + where + " in time",
                Trouble::reply_timeout};
    }
    StreamFailure ended() const {
        return {StreamFault::transport, "the connection to " + where + " ended before the reply was complete",
                Trouble::closed};
    }

    BaseUrl base;
    StreamSettings settings;
    const base::Clock& clock;
    std::stop_token stop;
    std::string where;
    Lookup lookup{clock};
    base::Descriptor wake;  // readable once `stop` is requested
    std::stop_callback<std::function<void()>> waker{stop, [this] { ::eventfd_write(wake.get(), 1); }};
    std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context{nullptr, &SSL_CTX_free};
    base::Descriptor socket;
    std::unique_ptr<SSL, decltype(&SSL_free)> tls{nullptr, &SSL_free};  // before the socket
};

Stream::Stream(const BaseUrl& base, const StreamSettings& settings, const base::Clock& clock,
               std::stop_token stop)
    : state_(std::make_unique<State>(base, settings, clock, std::move(stop))) {}

Stream::~Stream() = default;

const std::string& Stream::where() const { return state_->where; }

void Stream::close() {
    state_->tls.reset();
    state_->socket.close();
}

bool Stream::idle() const {
    if (state_->socket.get() < 0) return false;
    pollfd watched{state_->socket.get(), POLLIN, 0};
    return ::poll(&watched, 1, 0) == 0;
}

Stream::State::Ready Stream::State::wait(short events, base::Moment until) const {
    pollfd watched[] = {{socket.get(), events, 0}, {wake.get(), POLLIN, 0}};
    for (;;) {
        if (stop.stop_requested()) return Ready::stopped;
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - clock.now()).count();
        if (left <= 0) return Ready::late;
        const int ready = ::poll(watched, 2, static_cast<int>(std::min<std::int64_t>(left, 60'000)));
        if (ready > 0 && watched[1].revents == 0) return Ready::yes;
    }
}

Stream::Result<void> Stream::State::connect(const sockaddr_storage& address, socklen_t length,
                                            base::Moment deadline) {
    const std::string to =
        where + (text_of(address) == base.host ? std::string() : " (" + text_of(address) + ")");
    socket = base::Descriptor(::socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (socket.get() < 0)
        return failure(trouble_of(errno), "cannot connect to " + to + ": " + error_text(errno));
    const int on = 1;
    ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    int error = 0;
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), length) != 0) error = errno;
    if (error == EINPROGRESS) {
        const auto until = std::min(deadline, clock.now() + settings.connect);
        switch (wait(POLLOUT, until)) {
            case Ready::stopped: return interrupted();
            case Ready::late:
                return failure(Trouble::connect_timeout, "cannot connect to " + to + ": no answer in time");
            case Ready::yes: break;
        }
        socklen_t size = sizeof error;
        ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    }
    if (error != 0) return failure(trouble_of(error), "cannot connect to " + to + ": " + error_text(error));
    return {};
}

Stream::Result<void> Stream::State::load_context() {
    if (context) return {};
    std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> made(SSL_CTX_new(TLS_client_method()), &SSL_CTX_free);
    if (!made) return failure(Trouble::other, "TLS cannot be started");
    SSL_CTX_set_min_proto_version(made.get(), TLS1_2_VERSION);
    SSL_CTX_set_options(made.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_verify(made.get(), settings.verify_tls ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
    if (settings.ca_file.empty()) {
        SSL_CTX_set_default_verify_paths(made.get());
    } else if (SSL_CTX_load_verify_file(made.get(), settings.ca_file.c_str()) != 1) {
        ERR_clear_error();
        return failure(Trouble::ca_file,
                       "ca_file " + settings.ca_file.string() + " cannot be read or has no certificate");
    }
    context = std::move(made);
    return {};
}

/// A step of TLS until it is done; a result of 0: the server has ended the connection in an orderly way.
Stream::Result<int> Stream::State::drive(base::Moment deadline, const std::function<int()>& step) {
    for (;;) {
        if (stop.stop_requested()) return interrupted();
        if (clock.now() >= deadline) return tl::make_unexpected(late());
        ERR_clear_error();
        const int result = step();
        if (result > 0) return result;
        const int error = SSL_get_error(tls.get(), result);
        if (error == SSL_ERROR_ZERO_RETURN) return 0;
        if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
            return tl::make_unexpected(ended());
        const auto until = std::min(deadline, clock.now() + settings.silence);
        switch (wait(error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, until)) {
            case Ready::stopped: return interrupted();
            case Ready::late: return tl::make_unexpected(late());
            case Ready::yes: break;
        }
    }
}

StreamFailure Stream::State::certificate_failure(long verdict) const {
    const auto made = [](Trouble trouble, std::string words) {
        return StreamFailure{StreamFault::transport, std::move(words), trouble};
    };
    const std::string certificate = "the certificate of " + where;
    switch (verdict) {
        case X509_V_ERR_HOSTNAME_MISMATCH:
        case X509_V_ERR_IP_ADDRESS_MISMATCH:
            return made(Trouble::name_mismatch, certificate + " is for other names than " + base.host);
        case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
            return made(Trouble::authority_unknown, certificate + " is self-signed");
        case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
        case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
            return made(Trouble::authority_unknown,
                        certificate + " is from an authority that is not trusted");
        case X509_V_ERR_CERT_HAS_EXPIRED: return made(Trouble::expired, certificate + " has expired");
        case X509_V_ERR_CERT_NOT_YET_VALID: return made(Trouble::expired, certificate + " is not valid yet");
        default:
            return made(Trouble::certificate,
                        certificate + " is not taken: " + X509_verify_cert_error_string(verdict));
    }
}

StreamFailure Stream::State::handshake_failure() const {
    const unsigned long error = ERR_peek_error();
    const int reason = ERR_GET_REASON(error);
    if (ERR_GET_LIB(error) == ERR_LIB_SSL &&
        (reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_PACKET_LENGTH_TOO_LONG ||
         reason == SSL_R_HTTP_REQUEST))
        return {StreamFault::transport, "what answers at " + where + " does not speak TLS", Trouble::not_tls};
    const char* text = error == 0 ? nullptr : ERR_reason_error_string(error);
    return {StreamFault::transport,
            "the TLS handshake with " + where +
                " failed: " + (text == nullptr ? std::string("the server ended it") : text),
            Trouble::handshake};
}

Stream::Result<void> Stream::State::shake_hands(base::Moment deadline) {
    tls.reset(SSL_new(context.get()));
    if (!tls || SSL_set_fd(tls.get(), socket.get()) != 1)
        return failure(Trouble::other, "TLS cannot be started");
    X509_VERIFY_PARAM* parameters = SSL_get0_param(tls.get());
    if (X509_VERIFY_PARAM_set1_ip_asc(parameters, base.host.c_str()) != 1) {
        ERR_clear_error();
        X509_VERIFY_PARAM_set_hostflags(parameters, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        if (X509_VERIFY_PARAM_set1_host(parameters, base.host.c_str(), base.host.size()) != 1 ||
            SSL_set_tlsext_host_name(tls.get(), base.host.c_str()) != 1)
            return failure(Trouble::other, "the name " + base.host + " cannot be used");
    }
    const auto until = std::min(deadline, clock.now() + 2 * settings.connect);
    const Result<int> done = drive(until, [this] { return SSL_connect(tls.get()); });
    if (done && *done > 0) return {};
    if (!done && done.error().fault == StreamFault::cancelled) return tl::make_unexpected(done.error());
    if (!done && done.error().trouble == Trouble::reply_timeout)
        return failure(Trouble::handshake, "the TLS handshake with " + where + " was not done in time");
    const long verdict = SSL_get_verify_result(tls.get());
    return tl::make_unexpected(settings.verify_tls && verdict != X509_V_OK ? certificate_failure(verdict)
                                                                           : handshake_failure());
}

Stream::Result<void> Stream::start_tls(base::Moment deadline) {
    if (auto loaded = state_->load_context(); !loaded) return loaded;
    return state_->shake_hands(deadline);
}

Stream::Result<void> Stream::open(base::Moment deadline) {
    close();
    State& state = *state_;
    if (state.wake.get() < 0) return failure(Trouble::other, "no descriptor is left: " + error_text(EMFILE));
    const auto found = state.lookup.of(state.base.host, state.base.port, state.stop, deadline);
    if (state.stop.stop_requested()) return interrupted();
    if (!found)
        return failure(Trouble::name_unanswered,
                       "the name " + state.base.host + " could not be looked up in time");
    if (found->error != 0) {
        const bool none = found->error == EAI_NONAME || found->error == EAI_NODATA;
        if (none)
            return failure(Trouble::name_unknown,
                           "the name " + state.base.host + " does not exist or has no address");
        return failure(Trouble::name_unanswered,
                       "the name " + state.base.host + " cannot be looked up: " +
                           (found->error == EAI_SYSTEM ? error_text(found->system)
                                                       : std::string(::gai_strerror(found->error))));
    }
    Result<void> connected =
        failure(Trouble::name_unknown, "the name " + state.base.host + " has no address");
    for (const auto& [address, length] : found->list) {
        connected = state.connect(address, length, deadline);
        if (connected || connected.error().fault == StreamFault::cancelled) break;
    }
    if (connected && state.base.tls) connected = start_tls(deadline);
    if (!connected) close();
    return connected;
}

Stream::Result<void> Stream::write(std::string_view octets, base::Moment deadline) {
    State& state = *state_;
    while (!octets.empty()) {
        const auto size = std::min(octets.size(), std::size_t{1} << 20);
        if (state.tls) {
            const auto written = state.drive(
                deadline, [&] { return SSL_write(state.tls.get(), octets.data(), static_cast<int>(size)); });
            if (!written) return tl::make_unexpected(written.error());
            if (*written == 0) return tl::make_unexpected(state.ended());
            octets.remove_prefix(static_cast<std::size_t>(*written));
            continue;
        }
        const ssize_t written = ::send(state.socket.get(), octets.data(), size, MSG_NOSIGNAL);
        if (written > 0) octets.remove_prefix(static_cast<std::size_t>(written));
        if (written > 0 || errno == EINTR) continue;
        if (errno != EAGAIN) return tl::make_unexpected(state.ended());
        switch (state.wait(POLLOUT, std::min(deadline, state.clock.now() + state.settings.silence))) {
            case State::Ready::stopped: return interrupted();
            case State::Ready::late: return tl::make_unexpected(state.late());
            case State::Ready::yes: break;
        }
    }
    return {};
}

Stream::Result<std::size_t> Stream::read(char* to, std::size_t size, base::Moment deadline) {
    State& state = *state_;
    if (state.tls)
        return state.drive(deadline, [&] { return SSL_read(state.tls.get(), to, static_cast<int>(size)); })
            .map([](int count) { return static_cast<std::size_t>(count); });
    for (;;) {
        switch (state.wait(POLLIN, std::min(deadline, state.clock.now() + state.settings.silence))) {
            case State::Ready::stopped: return interrupted();
            case State::Ready::late: return tl::make_unexpected(state.late());
            case State::Ready::yes: break;
        }
        const ssize_t got = ::recv(state.socket.get(), to, size, 0);
        if (got >= 0) return static_cast<std::size_t>(got);
        if (errno != EAGAIN && errno != EINTR) return tl::make_unexpected(state.ended());
    }
}

}  // namespace postern::sync
