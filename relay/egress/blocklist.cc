#include "relay/egress/blocklist.h"

#include <algorithm>

#include "relay/net/addresses.h"
#include "sync/base/ip_address.h"

namespace postern::relay {
namespace {

/// What an answer about a name says; no codes when it lists nothing.
struct Listing {
    std::string codes;
    std::string fault;
};

Listing read_answer(const net::AddressAnswer& answer) {
    Listing listing;
    // Where only the other kind of address came, the answer that counts may be the one that did not.
    if (!answer.addresses.empty() && std::none_of(answer.addresses.begin(), answer.addresses.end(),
                                                  [](const auto& address) { return address.is_v4(); }))
        listing.fault = "it answers " + answer.addresses.front().to_string() + ", which lists nothing";
    for (const auto& address : answer.addresses) {
        if (!address.is_v4()) continue;
        switch (blocklist_code(address)) {
            case BlocklistCode::listed:
                listing.codes.append(listing.codes.empty() ? "" : ", ").append(address.to_string());
                break;
            case BlocklistCode::refused:
                listing.fault = "it refuses our questions (" + address.to_string() +
                                "): ask through a resolver of your own, or with the key it gave you";
                break;
            case BlocklistCode::broken:
                listing.fault = "it answers " + address.to_string() + ", which lists nothing";
                break;
        }
    }
    return listing;
}

net::awaitable<std::string> ask_text(net::Resolver& resolver, std::string name) {
    const auto answer = co_await resolver.text(name);
    std::string text;
    for (const auto& one : answer.texts) text.append(text.empty() ? "" : "; ").append(one);
    co_return text;
}

/// Why the zone's test points make it unbelievable; "" when they do not.
net::awaitable<std::string> test_points(net::Resolver& resolver, std::string zone, bool six) {
    const std::string listed_name = blocklist_name(six ? "::ffff:7f00:2" : "127.0.0.2", zone);
    const std::string free_name = blocklist_name(six ? "::ffff:7f00:1" : "127.0.0.1", zone);
    const auto listed = co_await resolver.addresses(listed_name);
    if (listed.status == net::Lookup::transient) co_return "it does not answer: " + listed.why;
    const auto found = read_answer(listed);
    if (!found.fault.empty()) co_return found.fault;
    if (found.codes.empty()) co_return "it does not list its test address " + listed_name;
    const auto free = co_await resolver.addresses(free_name);
    if (free.status == net::Lookup::transient) co_return "it does not answer: " + free.why;
    if (free.status == net::Lookup::found) co_return "it lists " + free_name + ", that is everything";
    co_return "";
}

net::awaitable<void> ask_zone(net::Resolver& resolver, std::string zone, std::string address,
                              BlocklistAnswer& answer) {
    const std::string name = blocklist_name(address, zone);
    if (name.empty()) {
        answer.faults[zone] = "\"" + address + "\" is no address that could be looked up";
        co_return;
    }
    const bool six = base::is_v6_literal(address);
    auto fault = co_await test_points(resolver, zone, six);
    if (!fault.empty()) {
        answer.faults[zone] = std::move(fault);
        co_return;
    }
    const auto reply = co_await resolver.addresses(name);
    if (reply.status == net::Lookup::transient) {
        answer.faults[zone] = "it does not answer: " + reply.why;
        co_return;
    }
    auto listing = read_answer(reply);
    if (!listing.fault.empty()) {
        answer.faults[zone] = std::move(listing.fault);
        co_return;
    }
    answer.checked.insert(zone);
    if (listing.codes.empty()) co_return;
    const auto text = co_await ask_text(resolver, name);
    answer.listed[zone] = text.empty() ? listing.codes : listing.codes + " " + text;
}

}  // namespace

std::string blocklist_name(std::string_view address, std::string_view zone) {
    std::error_code error;
    auto parsed = asio::ip::make_address(std::string(address), error);
    if (error) return "";
    return reversed(parsed).append(zone);
}

BlocklistCode blocklist_code(const asio::ip::address& answer) {
    if (!answer.is_v4()) return BlocklistCode::broken;
    const auto value = answer.to_v4().to_uint();
    if (value >> 8 == 0x7fffff) return BlocklistCode::refused;
    return value >= 0x7f000002 && value <= 0x7ffeffff ? BlocklistCode::listed : BlocklistCode::broken;
}

net::awaitable<BlocklistAnswer> ask_blocklists(net::Resolver& resolver, std::vector<std::string> zones,
                                               std::string address) {
    BlocklistAnswer answer;
    for (const auto& zone : zones) co_await ask_zone(resolver, zone, address, answer);
    co_return answer;
}

}  // namespace postern::relay
