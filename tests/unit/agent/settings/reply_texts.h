// What the shipped rules make of a refusal.
#pragma once

#include <catch2/catch.hpp>
#include <string_view>
#include <vector>

#include "agent/settings/reply_rules.h"
#include "relay/egress/reply_rules.h"
#include "relay/mail/reply.h"

namespace postern::tests {

inline relay::Reply reply_of(std::string_view text) {
    relay::ReplyParser parser;
    auto step = relay::ReplyParser::Step::more;
    while (!text.empty()) {
        const auto end = text.find('\n');
        step = parser.feed(text.substr(0, end));
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
    REQUIRE(step == relay::ReplyParser::Step::complete);
    return parser.take();
}

inline void check(relay::ReplyMeaning meaning, const std::vector<const char*>& texts) {
    for (const char* text : texts) {
        const auto judgement =
            relay::judge_reply(agent::shipped_reply_rules(), reply_of(text), "mx.example.com");
        CAPTURE(text, judgement.rule);
        CHECK(judgement.meaning == meaning);
    }
}

}  // namespace postern::tests
