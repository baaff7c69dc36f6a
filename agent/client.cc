#include "agent/client.h"

#include <httplib.h>

#include "agent/address_text.h"

namespace postern::agent {
namespace {

constexpr std::size_t largest_body = 64u << 20;

std::string target(const Call& call) {
    std::string text = percent_encoded(call.path);
    char separator = '?';
    for (const auto& [name, value] : call.parameters) {
        (text += separator).append(percent_encoded(name)).append("=").append(percent_encoded(value));
        separator = '&';
    }
    return text;
}

}  // namespace

std::string percent_encoded(std::string_view text) {
    constexpr std::string_view plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/",
                               digits = "0123456789ABCDEF";
    std::string result;
    for (const char c : text) {
        if (plain.find(c) != std::string_view::npos) {
            result += c;
            continue;
        }
        const auto octet = static_cast<unsigned char>(c);
        ((result += '%') += digits[octet >> 4]) += digits[octet & 15];
    }
    return result;
}

tl::expected<Received, std::string> call(const relay::HostPort& address, const Call& call) {
    httplib::Client client(address.host, address.port);
    client.set_connection_timeout(5);
    client.set_read_timeout(60);
    client.set_write_timeout(5);
    client.set_decompress(false);
    client.set_url_encode(false);
    client.set_keep_alive(false);
    Received received;
    httplib::Request request;
    request.method = call.method;
    request.path = target(call);
    request.set_header("Host", format_host_port(address));
    if (!call.token.empty()) request.set_header("Authorization", "Bearer " + call.token);
    bool too_long = false;
    request.content_receiver = [&](const char* data, std::size_t size, std::uint64_t, std::uint64_t) {
        too_long = received.body.size() + size > largest_body;
        if (!too_long) received.body.append(data, size);
        return !too_long;
    };
    const auto result = client.send(request);
    const std::string where = format_host_port(address);
    if (too_long) return tl::unexpected("the answer of " + where + " is larger than 64 MiB");
    if (!result && result.error() == httplib::Error::Connection)
        return tl::unexpected(
            "no gateway answers at " + where +
            ": it is not running, or runs with another status.address. Start it with \"systemctl "
            "start postern\"; why it stopped is in \"journalctl -u postern\"");
    if (!result)
        return tl::unexpected("the gateway at " + where + " did not answer in full (" +
                              httplib::to_string(result.error()) + "); is it overloaded or stopping?");
    received.status = result->status;
    return received;
}

}  // namespace postern::agent
