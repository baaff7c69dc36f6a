#include "relay/queue/summary.h"

#include <catch2/catch.hpp>

using namespace postern::relay;
using namespace std::chrono_literals;

namespace {

const Time now = Time(std::chrono::seconds(1'800'000'000));

Message message(const char* from, std::vector<const char*> to, std::chrono::seconds age) {
    Message out;
    out.id = MessageId::first_at(now - age);
    out.arrived = now - age;
    out.envelope.reverse_path = *parse_address(from);
    for (const auto* one : to) out.envelope.forward_paths.push_back(*parse_address(one));
    return out;
}

RecipientProgress waiting(const char* route, int code, const char* text) {
    RecipientProgress out;
    out.route = RouteKey::of(route);
    out.attempts = 1;
    out.reply = Reply{static_cast<std::uint16_t>(code), {4, 2, 0}, text};
    return out;
}

RouteKey by_domain(const Envelope&, const Address& recipient) {
    return RouteKey::exchangers(recipient.domain);
}

}  // namespace

TEST_CASE("what waits is counted by destination and age, sender and reason") {
    Summarizer summarizer(now);
    summarizer.add(message("a@x.example", {"b@one.example", "c@one.example", "d@two.example"}, 1min),
                   {waiting("mx:one.example", 450, "later 12345678"),
                    waiting("mx:one.example", 450, "later 9999"), RecipientProgress()},
                   by_domain);
    summarizer.add(message("a@x.example", {"b@one.example"}, 100h), {waiting("held", 0, "")}, by_domain);
    RecipientProgress done;
    done.status = RecipientStatus::delivered;
    summarizer.add(message("z@x.example", {"b@one.example"}, 1min), {done}, by_domain);
    const auto all = summarizer.take(10);
    CHECK(all.messages == 2);
    CHECK(all.recipients == 4);
    CHECK(all.held == 1);
    CHECK(all.oldest == now - 100h);
    REQUIRE(all.destinations.size() == 2);
    CHECK(all.destinations[0].route == "mx:one.example");
    CHECK(all.destinations[0].messages == 2);
    CHECK(all.destinations[0].by_age.front() == 1);
    CHECK(all.destinations[0].by_age.back() == 1);
    CHECK(all.destinations[1].route == "mx:two.example");
    REQUIRE(all.senders.size() == 1);
    CHECK(all.senders[0].messages == 2);
    REQUIRE(all.reasons.size() == 3);
    CHECK(all.reasons[0].text == "450 4.2.0 later ...");
    CHECK(all.reasons[0].recipients == 2);
    const auto first = summarizer.take(1);
    CHECK(first.destinations.size() == 1);
    CHECK(first.more_destinations == 1);
    CHECK(first.more_reasons == 2);
    CHECK(first.more_senders == 0);
}

TEST_CASE("kinds beyond a bound are counted together") {
    Summarizer summarizer(now);
    constexpr std::uint64_t many = 20'500;
    for (std::uint64_t at = 0; at < many; ++at)
        summarizer.add(message(("u" + std::to_string(at) + "@x.example").c_str(), {"b@one.example"}, 1min),
                       {RecipientProgress()}, by_domain);
    const auto all = summarizer.take(many);
    CHECK(all.messages == many);
    CHECK(all.senders.size() < many);
    std::uint64_t sum = 0;
    for (const auto& one : all.senders) sum += one.messages;
    CHECK(sum == many);
    CHECK(all.senders.front().address == "other");
}

TEST_CASE("what a reply says to every message alike") {
    CHECK(common_words("450 4.7.1 <bob@dest.example>: greylisted, see https://x.example/?id=123456",
                       "one.example") == "450 4.7.1 ... greylisted, see ...");
    CHECK(common_words("connection refused (192.0.2.1)", "one.example") == "connection refused ...");
    CHECK(common_words("cannot look up the mail exchangers of One.example: no answer", "one.example") ==
          "cannot look up the mail exchangers of ... no answer");
    CHECK(common_words("", "one.example") == "");
    CHECK(common_words(std::string(1000, 'x'), "").size() == 160);
}

TEST_CASE("which messages stand in front") {
    auto small = message("a@x.example", {"b@one.example"}, 1h),
         old = message("a@x.example", {"b@one.example"}, 2h);
    old.content.size = 1000;
    auto soon = waiting("mx:one.example", 450, ""), late = soon, held = soon, fresh = RecipientProgress();
    soon.next = now;
    late.next = now + 1h;
    late.attempts = 5;
    held.route = RouteKey::held();
    using enum QueueOrder;
    CHECK(rank(oldest, old, {soon}) < rank(oldest, small, {soon}));
    CHECK(rank(newest, small, {soon}) < rank(newest, old, {soon}));
    CHECK(rank(QueueOrder::size, old, {soon}) < rank(QueueOrder::size, small, {soon}));
    CHECK(rank(next, small, {late, soon}) < rank(next, small, {late}));
    CHECK(rank(next, small, {fresh}) < rank(next, small, {soon}));
    CHECK(rank(next, small, {late}) < rank(next, small, {held}));
    CHECK(rank(attempts, small, {late}) < rank(attempts, small, {soon}));
}
