#include "relay/delivery/content_sender.h"

#include <array>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "relay/delivery/dot_stuffing.h"
#include "relay/net/elsewhere.h"

namespace postern::relay {

namespace {

constexpr std::size_t piece = 128 * 1024;  // sent at once

/// What is said before all of the content is there may refuse it, and takes nothing: without the final dot
/// nobody has it, whatever he says (RFC 5321 §4.1.1.4).
net::awaitable<std::error_code> taken_too_early(net::Connection& connection) {
    const std::string said = co_await connection.arrived(1);
    co_return said.empty() || said.front() >= '4' ? std::error_code()
                                                  : net::make_error_code(net::Error::unasked);
}

/// The trace field goes out with the first piece, the tail and the final dot with the last: apart from it, it
/// would wait for an acknowledgement.
net::awaitable<std::error_code> send_bytes(net::Connection& connection, SendingTerms terms,
                                           const Message& message, const Form& content) {
    std::string_view rest = *content.bytes, trace = message.content.trace;
    std::error_code error;
    bool line_start = true, last = false;
    while (!error && !last) {
        std::string_view octets = rest.substr(0, piece);
        rest.remove_prefix(octets.size());
        last = rest.empty();
        std::string stuffed;
        if (content.dots) stuffed = stuff_dots(octets, line_start);
        std::array<asio::const_buffer, 4> parts{
            asio::buffer(trace), content.dots ? asio::buffer(stuffed) : asio::buffer(octets),
            last ? asio::buffer(message.content.tail) : asio::const_buffer(),
            last ? asio::buffer(final_dot) : asio::const_buffer()};
        if (last && trace.empty()) error = co_await taken_too_early(connection);
        if (error) break;
        connection.deadline(terms.timeout);
        terms.behind_dot = last;
        error = co_await connection.write(std::span<const asio::const_buffer>(parts));
        trace = {};
    }
    co_return error;
}

}  // namespace

net::awaitable<Unsent> send_content(net::Connection& connection, SendingTerms terms, const Message& message,
                                    Form& content) {
    connection.deadline(terms.timeout);
    if (content.bytes) {
        Unsent out;
        out.error = co_await send_bytes(connection, terms, message, content);
        co_return out;
    }
    Unsent out;
    out.error = co_await connection.write(message.content.trace);
    bool line_start = true;
    auto space = std::make_shared<std::string>();
    auto file = std::make_shared<ContentFile>(std::move(*content.file));
    auto next = [file, space] { return file->next(*space, piece); };
    while (!out.error) {
        auto octets = co_await net::elsewhere(terms.files, next);
        if (!octets) {
            out.fault = std::move(octets.error());
            co_return out;
        }
        connection.deadline(terms.timeout);
        if (octets->empty()) {
            out.error = co_await taken_too_early(connection);
            connection.deadline(terms.timeout);
            terms.behind_dot = !out.error;
            const std::string end = message.content.tail + std::string(final_dot);
            if (!out.error) out.error = co_await connection.write(end);
            break;
        }
        std::string stuffed;
        if (content.dots) stuffed = stuff_dots(*octets, line_start);
        out.error = co_await connection.write(content.dots ? std::string_view(stuffed) : *octets);
    }
    co_return out;
}

}  // namespace postern::relay
