// A message to ten recipients, and what a server says to its transaction.
#pragma once

#include <catch2/catch.hpp>
#include <cstdint>
#include <deque>
#include <numeric>
#include <string>
#include <vector>

#include "relay/delivery/transaction.h"

namespace postern::tests {

using namespace relay;

inline Message message_of(std::uint64_t size = 100) {
    Message out;
    out.envelope.reverse_path = {"s", "example.com"};
    for (std::size_t at = 0; at < 10; ++at)
        out.envelope.forward_paths.push_back({"r" + std::to_string(at), "example.net"});
    out.content.size = size;
    return out;
}

inline std::vector<std::uint16_t> recipients_of(std::size_t count) {
    std::vector<std::uint16_t> out(count);
    std::iota(out.begin(), out.end(), std::uint16_t{0});
    return out;
}

inline Transaction::Options with_reset(bool reset) {
    Transaction::Options out;
    out.reset = reset;
    return out;
}

/// What a server says, one reply code after the other; 0: the connection is lost.
struct Played {
    std::string sent;     // with "<content>" where the content went, "<nothing>" for a discarded one
    std::string results;  // by recipient: d(elivered), t(ried later), f(ailed)
    std::vector<unsigned> codes;
    std::vector<std::string> stages;
    bool usable = false, needs_reset = false;
    std::size_t replies_left = 0;
};

inline Played play(std::deque<unsigned> replies, std::size_t recipients, bool pipelining,
                   bool reset = false) {
    Message message = message_of();
    Extensions extensions;
    extensions.pipelining = pipelining;
    Transaction transaction(message, recipients_of(recipients), extensions, with_reset(reset));
    Played out;
    while (!transaction.done()) {
        out.sent += transaction.to_send();
        if (transaction.wants_content()) {
            out.sent += transaction.discard() ? "<nothing>" : "<content>";
            transaction.content_sent();
            REQUIRE_FALSE(transaction.wants_content());
        }
        REQUIRE_FALSE(replies.empty());
        unsigned code = replies.front();
        replies.pop_front();
        if (code == 0)
            transaction.lost("connection lost");
        else
            transaction.on_reply(Reply{static_cast<std::uint16_t>(code), {}, "said"});
    }
    CHECK(transaction.to_send().empty());
    REQUIRE(transaction.outcomes().size() == recipients);
    for (const auto& outcome : transaction.outcomes()) {
        switch (outcome.result) {
            case Outcome::Result::delivered: out.results += 'd'; break;
            case Outcome::Result::deferred: out.results += 't'; break;
            case Outcome::Result::failed: out.results += 'f'; break;
        }
        out.codes.push_back(outcome.reply.code);
        out.stages.push_back(text_of(outcome.stage));
        CHECK(outcome.attempted);
        CHECK((outcome.reply.code != 0 || !outcome.reason.empty()));
        CHECK((outcome.result != Outcome::Result::delivered || outcome.stage == Stage::dot));
    }
    out.usable = transaction.usable();
    out.needs_reset = transaction.needs_reset();
    out.replies_left = replies.size();
    return out;
}

}  // namespace postern::tests
