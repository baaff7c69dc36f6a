#include "relay/shared.h"

#include <asio/post.hpp>

#include "relay/parts.h"
#include "relay/volume/news.h"
#include "sync/base/encoding.h"
#include "sync/base/words.h"

namespace postern::relay {

namespace {

constexpr std::string_view released_fact = "sender.released", dropped_fact = "sender.dropped",
                           expected_fact = "sender.expected", forgotten_fact = "egress.forgotten";

base::Fact fact(std::string_view kind, std::initializer_list<std::string> words) {
    base::Fact out{std::string(kind), {}};
    for (const auto& word : words)
        out.text += (out.text.empty() ? "" : " ") + base::percent_encoded(word, "@+:.");
    return out;
}

/// The next word, "" when it is none.
std::string take_word(std::string_view& text) {
    return base::percent_decoded(base::take_part(text)).value_or(std::string());
}

}  // namespace

void Shared::reach(const base::Company& company) {
    parts_.volume.tally.reach(company);
    parts_.volume.watch.tell_others(company.shares);
}

std::vector<base::CountQuestion> Shared::questions(bool urgent, std::size_t most) {
    return parts_.volume.tally.questions(urgent, most, parts_.clock.steady());
}

void Shared::heard(const base::CountAnswer& answer) {
    parts_.volume.tally.heard(answer, parts_.clock.steady());
}

void Shared::tell_counts_again() { parts_.volume.tally.tell_all_again(); }

std::vector<base::Fact> Shared::news(std::size_t octets) {
    std::vector<base::Fact> out;
    parts_.volume.watch.news(out, octets);
    auto egress = parts_.delivery_loops.first().ask([this] {
        std::vector<base::Fact> some;
        egress_.take(some, parts_.delivery.workplace().sources.pool(), parts_.clock.wall());
        return some;
    });
    std::move(egress.begin(), egress.end(), std::back_inserter(out));
    return out;
}

std::vector<base::Fact> Shared::all_news(bool histories) {
    auto out = parts_.delivery_loops.first().ask([this] {
        std::vector<base::Fact> all;
        EgressNews::all(all, parts_.delivery.workplace().sources.pool());
        return all;
    });
    parts_.volume.watch.all_news(out, histories);
    const base::Time now = parts_.clock.steady();
    for (const auto& one : parts_.volume.tally.announced(now))
        out.push_back(expected(one.who, one.left, std::chrono::ceil<std::chrono::seconds>(one.until - now)));
    return out;
}

bool Shared::hear(const std::string& gateway, const base::Fact& fact) {
    if (fact.kind.starts_with("volume.")) {
        if (const auto change =
                parts_.volume.watch.hear(gateway, fact, parts_.clock.steady(), parts_.clock.wall()))
            tell_unusual(observer_, *change);
        return true;
    }
    if (fact.kind == egress_fact || fact.kind == egress_over_fact) {
        asio::post(parts_.delivery_loops.first().io(), [this, fact] {
            egress_.hear(parts_.delivery.workplace().sources.pool(), fact, parts_.clock.wall());
        });
        return true;
    }
    return hear_operator(fact);
}

bool Shared::hear_operator(const base::Fact& fact) {
    std::string_view text = fact.text;
    const std::string who = take_word(text);
    if (fact.kind == released_fact) {
        actions_.release(who);
    } else if (fact.kind == dropped_fact) {
        actions_.drop(who);
    } else if (fact.kind == expected_fact) {
        std::uint64_t recipients = 0;
        std::int64_t seconds = 0;
        if (!base::parse_number(base::take_part(text), recipients) || !base::parse_number(text, seconds) ||
            who.empty() || seconds < 0 || seconds > std::int64_t{366} * 86400)
            return false;
        actions_.expect(who, recipients, std::chrono::seconds(seconds));
    } else if (fact.kind == forgotten_fact) {
        actions_.forget(who, take_word(text));
    } else {
        return false;
    }
    return true;
}

base::Fact Shared::released(const std::string& sender) { return fact(released_fact, {sender}); }
base::Fact Shared::dropped(const std::string& sender) { return fact(dropped_fact, {sender}); }
base::Fact Shared::expected(const std::string& who, std::uint64_t recipients, std::chrono::seconds length) {
    return fact(expected_fact, {who, std::to_string(recipients), std::to_string(length.count())});
}
base::Fact Shared::forgotten(const std::string& address, const std::string& site) {
    return fact(forgotten_fact, {address, site});
}

}  // namespace postern::relay
