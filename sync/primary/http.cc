#include "sync/primary/http.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <condition_variable>
#include <mutex>

#include "sync/base/http_reply.h"
#include "sync/base/secret.h"
#include "sync/base/time_text.h"
#include "sync/primary/stream.h"

namespace postern::sync {

using namespace std::chrono_literals;

std::optional<std::chrono::seconds> parse_retry_after(std::string_view field, base::Time now) {
    unsigned seconds = 0;
    const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), seconds);
    if (error == std::errc() && end == field.data() + field.size()) return std::chrono::seconds(seconds);
    const auto date = base::parse_http_date(field);
    if (!date) return std::nullopt;
    return std::max(std::chrono::ceil<std::chrono::seconds>(*date - now), 0s);
}

namespace {

constexpr std::size_t piece = 16 << 10;

/// A field that would be two, or none, is left out.
bool fits_header(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c < 0x7f; });
}

}  // namespace

HttpClient::HttpClient(const BaseUrl& base, HttpSettings settings, const base::Clock& clock,
                       std::stop_token stop)
    : prefix_(base.prefix),
      tls_(base.tls),
      settings_(std::move(settings)),
      clock_(clock),
      stop_(stop),
      stream_(std::make_unique<Stream>(base, settings_, clock, std::move(stop))) {}

HttpClient::~HttpClient() = default;

/// One try on the connection there is, or on a new one.
tl::expected<base::HttpMessage, StreamFailure> HttpClient::exchange(const std::string& head,
                                                                    const HttpRequest& request,
                                                                    base::Moment deadline) {
    const bool used = stream_->idle();
    if (!used)
        if (auto opened = stream_->open(deadline); !opened) return tl::make_unexpected(opened.error());
    auto written = stream_->write(head, deadline);
    if (written) written = stream_->write(request.body, deadline);
    base::HttpReplyReader reader({settings_.body, settings_.header, true});
    using Step = base::HttpReplyReader::Step;
    std::array<char, piece> in;
    std::string start;  // of what came
    for (bool more = true; more;) {
        // A server may have said no, and ended the connection, before it had read everything.
        const auto got = stream_->read(in.data(), in.size(), deadline);
        if (!got || (*got == 0 && start.empty())) {
            stream_->close();
            if (got || got.error().trouble == Trouble::closed) {
                // The server may give up a connection at the moment a request is on its way.
                if (start.empty() && used) return exchange(head, request, deadline);
                if (start.empty())
                    return tl::make_unexpected(StreamFailure{
                        StreamFault::transport, stream_->where() + " ended the connection without a reply",
                        tls_ ? Trouble::closed : Trouble::needs_tls});
            }
            return tl::make_unexpected(got ? StreamFailure{} : got.error());
        }
        const std::string_view octets(in.data(), *got);
        if (start.size() < 2) start += octets.substr(0, 2);
        const Step step = *got == 0 ? reader.end() : reader.feed(octets);
        if (step == Step::complete) break;
        if (step == Step::more) continue;
        stream_->close();
        if (reader.too_large())
            return tl::make_unexpected(StreamFailure{
                StreamFault::too_large, "the reply is too large: " + reader.fault(), Trouble::too_large});
        if (start.starts_with("\x15\x03"))
            return tl::make_unexpected(StreamFailure{
                StreamFault::transport, "what answers at " + stream_->where() + " speaks TLS, not plain HTTP",
                Trouble::needs_tls});
        if (!reader.started())
            return tl::make_unexpected(StreamFailure{
                StreamFault::transport, "what answers at " + stream_->where() + " is no web server",
                Trouble::not_http});
        return tl::make_unexpected(StreamFailure{
            StreamFault::transport, "the reply of " + stream_->where() + " cannot be read: " + reader.fault(),
            *got == 0 ? Trouble::closed : Trouble::not_http});
    }
    base::HttpMessage reply = reader.take();
    if (!reply.reusable || !written) stream_->close();
    return reply;
}

tl::expected<HttpReply, StreamFailure> HttpClient::send(HttpRequest request) {
    {
        std::mutex mutex;
        std::condition_variable_any never;
        std::unique_lock lock(mutex);
        clock_.wait_until(never, lock, stop_, rest_until_, [] { return false; });
    }
    if (stop_.stop_requested()) {
        base::wipe(request.body);
        return tl::make_unexpected(StreamFailure{StreamFault::cancelled, "interrupted"});
    }

    const auto began = clock_.now();
    std::string head = request.method + " " + prefix_ + "/" + request.path +
                       " HTTP/1.1\r\nHost: " + stream_->where() +
                       "\r\nUser-Agent: postern\r\nAccept-Encoding: identity\r\n";
    bool accept = false, type = false;
    const auto field = [&head](std::string_view name, std::string_view value) {
        if (fits_header(value)) head.append(name).append(": ").append(value).append("\r\n");
    };
    for (auto& [name, value] : request.headers) {
        accept = accept || name == "Accept";
        type = type || name == "Content-Type";
        field(name, value);
    }
    if (!accept) field("Accept", "application/json");
    if (request.method == "POST") {
        if (!type) field("Content-Type", "application/json");
        field("Content-Length", std::to_string(request.body.size()));
    }
    head += "\r\n";
    ++sent_;
    auto message = exchange(head, request, began + settings_.total);
    base::wipe(request.body);
    base::wipe(head);
    const auto now = clock_.now();
    rest_until_ =
        now + (hurry_ ? std::min<base::Moment::duration>(settings_.gap, now - began) : settings_.gap);
    if (!message) return tl::make_unexpected(std::move(message.error()));

    HttpReply reply;
    reply.status = message->status;
    reply.body = std::move(message->body);
    reply.location = std::move(message->location);
    reply.content_encoding = std::move(message->content_encoding);
    reply.date = base::parse_http_date(message->date);
    reply.retry_after = parse_retry_after(message->retry_after, reply.date.value_or(clock_.wall()));
    return reply;
}

}  // namespace postern::sync
