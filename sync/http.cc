#include "sync/http.h"

#include <arpa/inet.h>
#include <httplib.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <condition_variable>
#include <ctime>
#include <mutex>
#include <thread>

#include "sync/secret.h"

namespace postern::sync {

using Steady = std::chrono::steady_clock;
using std::chrono::system_clock;
using namespace std::chrono_literals;

std::optional<BaseUrl> BaseUrl::parse(std::string_view url) {
    BaseUrl base;
    if (url.starts_with("https://")) {
        base.tls = true;
        url.remove_prefix(8);
    } else if (url.starts_with("http://")) {
        url.remove_prefix(7);
    } else {
        return std::nullopt;
    }
    const bool printable = std::all_of(url.begin(), url.end(), [](char c) { return c > ' ' && c < 0x7f; });
    if (!printable || url.size() > 1000 || url.find_first_of("?#@") != url.npos) return std::nullopt;
    const auto slash = std::min(url.find('/'), url.size());
    std::string_view authority = url.substr(0, slash);
    base.prefix = url.substr(slash);
    while (base.prefix.ends_with('/')) base.prefix.pop_back();
    std::string_view port;
    if (authority.starts_with('[')) {
        const auto end = authority.find(']');
        if (end == authority.npos) return std::nullopt;
        base.host = authority.substr(1, end - 1);
        port = authority.substr(end + 1);
    } else {
        const auto colon = std::min(authority.find(':'), authority.size());
        base.host = authority.substr(0, colon);
        port = authority.substr(colon);
    }
    if (base.host.empty()) return std::nullopt;
    base.port = base.tls ? 443 : 80;
    if (!port.empty()) {
        const auto [end, error] = std::from_chars(port.data() + 1, port.data() + port.size(), base.port);
        const bool whole = port.front() == ':' && error == std::errc() && end == port.data() + port.size();
        if (!whole || base.port < 1 || base.port > 65535) return std::nullopt;
    }
    return base;
}

std::optional<system_clock::time_point> to_time(std::tm utc) {
    const std::time_t seconds = ::timegm(&utc);
    if (seconds < 0 || seconds >> 33 != 0)
        return std::nullopt;  // the clock counts nanoseconds: to the year 2242
    return system_clock::from_time_t(seconds);
}

std::optional<system_clock::time_point> parse_http_date(std::string_view field) {
    std::tm parts{};
    const std::string text(field);
    const char* end = ::strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
    if (end == nullptr || *end != '\0') return std::nullopt;
    return to_time(parts);
}

std::optional<std::chrono::seconds> parse_retry_after(std::string_view field, system_clock::time_point now) {
    unsigned seconds = 0;
    const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), seconds);
    if (error == std::errc() && end == field.data() + field.size()) return std::chrono::seconds(seconds);
    const auto date = parse_http_date(field);
    if (!date) return std::nullopt;
    return std::max(std::chrono::ceil<std::chrono::seconds>(*date - now), 0s);
}

std::string percent_encode(std::string_view segment) {
    static constexpr char digits[] = "0123456789ABCDEF";
    std::string text;
    for (const char c : segment) {
        const auto octet = static_cast<unsigned char>(c);
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                           std::string_view("-._~@").find(c) != std::string_view::npos;
        if (plain) {
            text += c;
        } else {
            text += {'%', digits[octet >> 4], digits[octet & 15]};
        }
    }
    return text;
}

namespace {

std::unique_ptr<httplib::ClientImpl> make_client(const BaseUrl& base, const HttpSettings& settings) {
    std::unique_ptr<httplib::ClientImpl> client;
    if (base.tls) {
        auto secure = std::make_unique<httplib::SSLClient>(base.host, base.port);
        SSL_CTX* context = secure->ssl_context();
        SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
        secure->enable_server_certificate_verification(settings.verify_tls);
        if (!settings.ca_file.empty()) secure->set_ca_cert_path(settings.ca_file.string());
        if (settings.verify_tls) {  // the library alone would accept a common name next to other alternative
                                    // names
            X509_VERIFY_PARAM* parameters = SSL_CTX_get0_param(context);
            unsigned char address[16];
            const bool literal = ::inet_pton(AF_INET, base.host.c_str(), address) == 1 ||
                                 ::inet_pton(AF_INET6, base.host.c_str(), address) == 1;
            if (literal) {
                X509_VERIFY_PARAM_set1_ip_asc(parameters, base.host.c_str());
            } else {
                X509_VERIFY_PARAM_set1_host(parameters, base.host.c_str(), 0);
            }
        }
        client = std::move(secure);
    } else {
        client = std::make_unique<httplib::ClientImpl>(base.host, base.port);
    }
    client->set_keep_alive(true);
    client->set_follow_location(false);
    client->set_decompress(false);
    client->set_url_encode(false);
    client->set_tcp_nodelay(true);
    client->set_connection_timeout(settings.connect);
    client->set_read_timeout(settings.silence);
    client->set_write_timeout(settings.silence);
    return client;
}

std::string words(httplib::Error error) {
    switch (error) {
        case httplib::Error::Connection: return "cannot connect";
        case httplib::Error::ConnectionTimeout: return "cannot connect in time";
        case httplib::Error::Read:
            return "the connection ended, or nothing came, before the reply was complete";
        case httplib::Error::Write: return "the request could not be sent";
        case httplib::Error::SSLConnection: return "the TLS handshake failed";
        case httplib::Error::SSLLoadingCerts: return "the CA file cannot be loaded";
        case httplib::Error::SSLServerVerification:
            return "the server's certificate is not valid for this name";
        case httplib::Error::Success:
        case httplib::Error::Unknown:
        case httplib::Error::BindIPAddress:
        case httplib::Error::ExceedRedirectCount:
        case httplib::Error::Canceled:
        case httplib::Error::UnsupportedMultipartBoundaryChars:
        case httplib::Error::Compression: break;
    }
    return "the request failed";
}

}  // namespace

// The library's client with a guard thread, because its own timeouts restart with every octet and nothing but
// stop() from outside ends a wait.
class HttpClient::Connection {
public:
    Connection(const BaseUrl& base, const HttpSettings& settings, std::stop_token stop)
        : client_(make_client(base, settings)), stop_(std::move(stop)) {
        guard_ = std::jthread([this](const std::stop_token& end) { watch(end); });
    }

    bool send(httplib::Request& request, httplib::Response& response, httplib::Error& error,
              Steady::time_point deadline) {
        {
            const std::lock_guard lock(mutex_);
            deadline_ = deadline;
            armed_ = true;
        }
        changed_.notify_all();
        const bool done = client_->send(request, response, error);
        const std::lock_guard lock(mutex_);
        armed_ = false;
        changed_.notify_all();
        return done;
    }

private:
    void watch(const std::stop_token& end) {
        const std::stop_callback wake(stop_, [this] {
            const std::lock_guard lock(mutex_);
            changed_.notify_all();
        });
        std::unique_lock lock(mutex_);
        while (!end.stop_requested()) {
            if (!armed_) {
                changed_.wait(lock, end, [this] { return armed_; });
            } else if (!stop_.stop_requested() && Steady::now() < deadline_) {
                const auto until = deadline_;  // a copy: the wait looks at it without the lock
                changed_.wait_until(lock, end, until, [this] { return !armed_ || stop_.stop_requested(); });
            } else {  // again and again: a stop() just before the request is under way has no effect
                client_->stop();
                changed_.wait_for(lock, end, 20ms, [this] { return !armed_; });
            }
        }
    }

    std::unique_ptr<httplib::ClientImpl> client_;
    std::stop_token stop_;
    std::mutex mutex_;
    std::condition_variable_any changed_;
    bool armed_ = false;
    Steady::time_point deadline_{};
    std::jthread guard_;  // last: ends first
};

HttpClient::HttpClient(const BaseUrl& base, HttpSettings settings, std::stop_token stop)
    : prefix_(base.prefix),
      settings_(std::move(settings)),
      stop_(std::move(stop)),
      connection_(std::make_unique<Connection>(base, settings_, stop_)) {}

HttpClient::~HttpClient() = default;

tl::expected<HttpReply, HttpFailure> HttpClient::send(HttpRequest request) {
    {
        std::mutex mutex;
        std::condition_variable_any never;
        std::unique_lock lock(mutex);
        never.wait_until(lock, stop_, rest_until_, [] { return false; });
    }
    if (stop_.stop_requested()) {
        wipe(request.body);
        return tl::make_unexpected(HttpFailure{HttpFault::cancelled, "interrupted"});
    }

    HttpReply reply;
    bool too_large = false;
    const auto deadline = Steady::now() + settings_.total;
    httplib::Request out;
    out.method = request.method;
    out.path = prefix_ + "/" + request.path;
    for (auto& [name, value] : request.headers) out.set_header(name, value);
    if (!out.has_header("Accept")) out.set_header("Accept", "application/json");
    if (out.method == "POST" && !out.has_header("Content-Type"))
        out.set_header("Content-Type", "application/json");
    out.body = std::move(request.body);
    out.content_receiver = [&](const char* data, std::size_t size, std::uint64_t, std::uint64_t) {
        too_large = too_large || size > settings_.body - reply.body.size();
        if (too_large || stop_.stop_requested() || Steady::now() >= deadline) return false;
        reply.body.append(data, size);
        return true;
    };
    httplib::Response in;
    httplib::Error error = httplib::Error::Success;
    ++sent_;
    const bool done = connection_->send(out, in, error, deadline);
    wipe(out.body);
    rest_until_ = Steady::now() + settings_.gap;

    if (stop_.stop_requested()) return tl::make_unexpected(HttpFailure{HttpFault::cancelled, "interrupted"});
    if (too_large)
        return tl::make_unexpected(HttpFailure{HttpFault::too_large, "the reply is larger than allowed"});
    if (!done && Steady::now() >= deadline)
        return tl::make_unexpected(HttpFailure{HttpFault::transport, "no complete reply in time"});
    if (!done) return tl::make_unexpected(HttpFailure{HttpFault::transport, words(error)});
    reply.status = in.status;
    reply.date = parse_http_date(in.get_header_value("Date"));
    reply.retry_after =
        parse_retry_after(in.get_header_value("Retry-After"), reply.date.value_or(system_clock::now()));
    return reply;
}

}  // namespace postern::sync
